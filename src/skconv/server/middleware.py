"""Request middleware: admission limit, security headers, access log and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from datetime import UTC, datetime
from typing import Any

from skconv.server.metrics import observe_request
from skconv.server.service import BUSY, Service

LOG = logging.getLogger("skconv.access")
WORK_PATHS = frozenset({"/v1/predict", "/v1/read"})
N_IMAGES = "skconv.n_images"  # key of the ASGI scope, set by the endpoints

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_SHUTTING_DOWN = "The service is shutting down and the response was not ready in time. Send the request again."
# The 429 is delayed so that clients that retry at once do not slow down the accepted requests, and by a random time so
# that they do not retry all together.
_REJECT_DELAY = 0.5, 1.0  # seconds, min and max
_MAX_OPEN_FACTOR = 4  # requests being received per request in progress: each may hold a whole body in memory


class RequestMiddleware:
    """Outermost ASGI layer: reject requests above the limit, add headers, log and count every request.

    Requests above the limit get their 429 here, before their body is read or their path is routed.

    Parameters
    ----------
    app : ASGI application
        The application to wrap.
    service : Service
        The service whose `is_full` and settings limit the requests.
    """

    def __init__(self, app: Any, service: Service) -> None:
        self._app = app
        self._service = service
        self._n_open = 0
        self._max_open = _MAX_OPEN_FACTOR * service.settings.max_waiting

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_SECURITY_HEADERS]}
            await send(message)

        try:
            if scope["path"] not in WORK_PATHS or scope["method"] != "POST":
                await self._app(scope, receive, send_with_headers)
            elif self._service.is_full or self._n_open >= self._max_open:
                await asyncio.sleep(random.uniform(*_REJECT_DELAY))
                await _send_error(send_with_headers, 429, BUSY)
            else:
                await self._admit(scope, receive, send_with_headers)
        except asyncio.CancelledError:  # the time for draining is over
            if status is not None:
                raise
            await _send_error(send_with_headers, 503, _SHUTTING_DOWN)
        finally:
            _log_request(scope, status or 500, time.perf_counter() - start)

    async def _admit(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self._n_open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_open -= 1


def _log_request(scope: dict[str, Any], status: int, seconds: float) -> None:
    n_images = scope.get(N_IMAGES, 0)
    observe_request(scope["path"], status, seconds, n_images)
    record = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": scope["method"],
        "path": scope["path"][:200],
        "status": status,
        "milliseconds": round(1000 * seconds, 2),
    }
    if n_images:
        record["images"] = n_images
    LOG.info(json.dumps(record))


async def _send_error(send: Any, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
