"""Outermost ASGI middleware of the service: API keys, limits, request ids, headers, access log and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import re
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from skconv.server.keys import CHALLENGES, HOW_TO_SEND, ApiKey, extract_key, find_key, requires_key
from skconv.server.metrics import observe_request
from skconv.server.rate_limit import RateLimiter
from skconv.server.service import BUSY, Service
from skconv.server.settings import COUNT_IMAGES, METRICS_FOLDER, REQUEST_ID

LOG = logging.getLogger("skconv.access")
BATCH_PATH = "/v1/batch"
WORK_PATHS = frozenset({"/v1/predict", "/v1/read", BATCH_PATH})
_KEY = "skconv.key"  # of the ASGI scope: the client's API key
_N_IMAGES = "skconv.n_images"  # number of images so far

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
# Delay before a 429 response, because clients that retry immediately slow down accepted requests. The delay is random,
# so that clients do not all retry at the same time.
_REJECT_DELAY = 0.5, 1.0  # min and max, in seconds
_MAX_OPEN_FACTOR = 4  # maximum number of open requests, in multiples of `max_waiting`; limits the memory for bodies
_MAX_BATCHES = 2  # open batch requests; limits the disk space for bodies, and the time that other requests wait
_HARMLESS_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")  # cannot forge a log line or a header


class RequestMiddleware:
    """Outermost ASGI middleware: API keys, rejection of requests above the limits, headers, access log, metrics.

    Requests without a valid key and requests above a limit are rejected before their body is read.
    """

    def __init__(self, app: Any, service: Service) -> None:
        self._app = app
        self._service = service
        self._n_open = 0
        self._n_batches = 0
        settings = service.settings
        self._max_open = _MAX_OPEN_FACTOR * settings.max_waiting
        self._root_path = settings.root_path
        self._keys = settings.keys
        folder = os.environ.get(METRICS_FOLDER)
        self._limiter = RateLimiter(settings.keys, Path(folder) if folder else None)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status: int | None = None
        path = self._split_root_path(scope)
        request_id = scope[REQUEST_ID] = _choose_request_id(scope)
        scope[COUNT_IMAGES] = partial(self._count_images, scope)
        headers = [*_SECURITY_HEADERS, (b"x-request-id", request_id.encode())]

        async def send_with_headers(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        try:
            await self._admit(path, scope, receive, send_with_headers)
        except asyncio.CancelledError:  # requests in progress are cancelled at the end of the shutdown time
            if status is not None:
                raise
            await _send_error(scope, send_with_headers, 503, _SHUTTING_DOWN, (b"retry-after", b"1"))
        finally:
            self._log_request(path, scope, status or 500, time.perf_counter() - start)

    async def _admit(self, path: str, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass a request to the application, or reject it."""
        if "\n" in path:  # the routes of Starlette also match a path with a line break at its end
            await _send_error(scope, send, 404, "The path contains a line break. For the valid requests, see /docs.")
            return
        if self._root_path and not path:  # the relative links of the page need the slash
            await _redirect(send, self._root_path + "/")
            return
        if self._keys and requires_key(path):
            value = extract_key(scope["headers"])
            key = None if value is None else find_key(self._keys, value)
            if key is None:
                problem = "The request has no API key." if value is None else "The API key is not valid."
                challenges = ((b"www-authenticate", each) for each in CHALLENGES)
                await _send_error(scope, send, 401, f"{problem} {HOW_TO_SEND}", *challenges)
                return
            scope[_KEY] = key
        if path not in WORK_PATHS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        is_batch = path == BATCH_PATH
        rejection = self._find_rejection(scope.get(_KEY), is_batch)
        if rejection is not None:
            await asyncio.sleep(random.uniform(*_REJECT_DELAY))
            detail, seconds = rejection
            await _send_error(scope, send, 429, detail, (b"retry-after", str(seconds).encode()))
            return
        self._n_batches += is_batch
        self._n_open += not is_batch
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_batches -= is_batch
            self._n_open -= not is_batch

    def _find_rejection(self, key: ApiKey | None, is_batch: bool) -> tuple[str, int] | None:
        """Return why a request is rejected and the seconds to wait, or None; count an image of the key if accepted."""
        if is_batch and self._n_batches >= _MAX_BATCHES:
            return f"The service is processing {_MAX_BATCHES} other batches. Retry after ten seconds.", 10
        if not is_batch and (self._service.is_full or self._n_open >= self._max_open):
            return BUSY, 1
        seconds = 0 if key is None else self._limiter.count(key)
        if key is not None and seconds:
            return (
                f"The API key '{key.name}' has reached its limit of {key.max_rate:g} images per minute. Retry after "
                f"{seconds} s.",
                seconds,
            )
        return None

    def _split_root_path(self, scope: dict[str, Any]) -> str:
        """Return the path without the root path, which a proxy may or may not have removed, and update the scope."""
        path: str = scope["path"]
        if self._root_path:
            if path == self._root_path or path.startswith(f"{self._root_path}/"):
                path = path[len(self._root_path) :]
            scope["root_path"], scope["path"] = self._root_path, self._root_path + path
        return path

    def _count_images(self, scope: dict[str, Any], n_images: int) -> None:
        before = scope.get(_N_IMAGES, 0)
        scope[_N_IMAGES] = before + n_images
        n_new = n_images if before else n_images - 1  # one was counted when the request was accepted
        if _KEY in scope and n_new > 0:
            self._limiter.count(scope[_KEY], n_new, always=True)

    def _log_request(self, path: str, scope: dict[str, Any], status: int, seconds: float) -> None:
        n_images = scope.get(_N_IMAGES, 0)
        observe_request(path, status, seconds, n_images)
        record = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": scope[REQUEST_ID],
            "method": scope["method"],
            "path": path[:200],
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
        }
        if n_images:
            record["images"] = n_images
        if _KEY in scope:
            record["key"] = scope[_KEY].name
        LOG.info(json.dumps(record))


def _choose_request_id(scope: dict[str, Any]) -> str:
    """Return the client's request id if it is harmless, otherwise a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _HARMLESS_ID.fullmatch(value):
            return str(value, "ascii")
    return os.urandom(8).hex()


async def _redirect(send: Any, location: str) -> None:
    headers = [(b"location", location.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body"})


async def _send_error(
    scope: dict[str, Any], send: Any, status: int, detail: str, *headers: tuple[bytes, bytes]
) -> None:
    body = json.dumps({"detail": detail, "request_id": scope[REQUEST_ID]}).encode()
    content = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*content, *headers]})
    await send({"type": "http.response.body", "body": body})
