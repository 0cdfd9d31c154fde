"""`Entry`: what every request passes first and last: room, headers, the log and the counts."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from datetime import UTC, datetime
from typing import Any

from skconv.server.metrics import PATHS, Metrics
from skconv.server.service import BUSY, Service

LOG = logging.getLogger("skconv.access")
WORK = frozenset({"/v1/predict", "/v1/read"})

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_ENDING = "The service ends, and the answer was not ready in time. Ask the next one."
# Who is turned away and asks again at once must not take the time of those who are being answered. Each is held for
# another time, because many who came together would otherwise come together again, for ever.
_HOLD_SECONDS = 0.5, 1.0
_OPEN = 4  # times as many requests may be arriving as may be worked on: each may hold a whole body


class RequestMiddleware:
    """The outermost layer of the application.

    It answers 429 itself, before anything of the request is read or routed: turning somebody away must cost little.

    Parameters
    ----------
    app : ASGI application
        What answers.
    service : Service
        Says whether there is room.
    metrics : Metrics
        Counts each request.
    """

    def __init__(self, app: Any, service: Service, metrics: Metrics) -> None:
        self._app = app
        self._service = service
        self._metrics = metrics
        self._n_open = 0
        self._most_open = _OPEN * service.settings.max_waiting

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status: int | None = None

        async def send_noting(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        try:
            if scope["path"] not in WORK or scope["method"] != "POST":
                await self._app(scope, receive, send_noting)
            elif self._service.is_full or self._n_open >= self._most_open:
                await _turn_away(send_noting)
            else:
                await self._admit(scope, receive, send_noting)
        except asyncio.CancelledError:  # the service ends, and has waited long enough for what it works on
            if status is not None:
                raise
            await _refuse(send_noting, 503, _ENDING)
        finally:
            self._note(scope, status or 500, time.perf_counter() - begun)

    async def _admit(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self._n_open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_open -= 1

    def _note(self, scope: dict[str, Any], status: int, seconds: float) -> None:
        path, n_images = scope["path"], scope.get("skconv.images", 0)
        self._metrics.count(path if path in PATHS else "page", status, seconds, images=n_images)
        record = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"],
            "path": path[:200],
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
        }
        if n_images:
            record["images"] = n_images
        LOG.info(json.dumps(record))


async def _turn_away(send: Any) -> None:
    await asyncio.sleep(random.uniform(*_HOLD_SECONDS))
    await _refuse(send, 429, BUSY)


async def _refuse(send: Any, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
