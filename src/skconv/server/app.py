"""ASGI application of the service: routes, error responses, admission limit, security headers and access log."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from skconv.exceptions import DataError
from skconv.server.metrics import observe_request, render_metrics
from skconv.server.service import BUSY, Service, describe_model
from skconv.server.settings import ServerSettings
from skconv.server.uploads import read_uploads
from skconv.web_page import PAGE

OPENAPI = Path(__file__).with_name("openapi.json")
_BOOLEANS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
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
# Delay before a 429 response, because clients that retry immediately slow down accepted requests. The delay is random,
# so that clients do not all retry at the same time.
_REJECT_DELAY = 0.5, 1.0  # min and max, in seconds
_MAX_OPEN_FACTOR = 4  # maximum number of open requests, in multiples of `max_waiting`; limits the memory for bodies


def create_app(settings: ServerSettings) -> RequestMiddleware:
    """Return the ASGI application that serves one model, including the middleware.

    Raise `SourceNotFoundError` or `ModelFileError` if the model does not exist or is not valid.
    """
    # Do not log warnings about an image, because the response reports problems with it.
    warnings.filterwarnings("ignore", module=r"(skconv\.server|PIL)\.")
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(service.warm_up)
        yield
        await asyncio.to_thread(service.close)

    app = Starlette(
        routes=_make_routes(service),
        lifespan=lifespan,
        exception_handlers={HTTPException: _respond_to_http_error, DataError: _respond_to_data_error},
    )
    return RequestMiddleware(app, service)


def _make_routes(service: Service) -> list[BaseRoute]:
    async def predict(request: Request) -> Response:
        return await _process(request, service, service.predict)

    async def read(request: Request) -> Response:
        return await _process(request, service, service.read)

    async def model(_: Request) -> Response:
        return JSONResponse(describe_model(service))

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_: Request) -> Response:
        if not service.is_ready:
            raise HTTPException(503, "The model is still loading or is shutting down. Retry later.")
        return PlainTextResponse("ok")

    def metrics(_: Request) -> Response:
        return Response(render_metrics(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    document["info"]["version"] = version("skconv")

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    async def page(_: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    return [
        Route("/v1/predict", predict, methods=["POST"]),
        Route("/v1/read", read, methods=["POST"]),
        Route("/v1/model", model),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
        Route("/", page),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]


async def _process(
    request: Request, service: Service, function: Callable[..., Coroutine[Any, Any, dict[str, Any]]]
) -> Response:
    """Call `function` on the uploaded images and return its result as a JSON response."""
    seen = _parse_boolean(request, "seen")
    uploads = await read_uploads(request, service.settings)
    request.scope[N_IMAGES] = len(uploads)
    return JSONResponse(await service.run(function(uploads, seen=seen)))


def _parse_boolean(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value.lower() not in _BOOLEANS:
        raise HTTPException(422, f"The query parameter '{name}' is '{value[:80]}'; expected true or false.")
    return _BOOLEANS[value.lower()]


async def _respond_to_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code in (404, 405):  # raised by Starlette, without an explanation
        detail = f"Unknown request {request.method} {request.url.path}. For the valid requests, see /openapi.json."
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _respond_to_data_error(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)


class RequestMiddleware:
    """Outermost ASGI middleware: rejection of requests above the limit, headers, access log, metrics.

    Requests above the limit are rejected with 429 before their body is read.
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
                self._n_open += 1
                try:
                    await self._app(scope, receive, send_with_headers)
                finally:
                    self._n_open -= 1
        except asyncio.CancelledError:  # requests in progress are cancelled at the end of the shutdown time
            if status is not None:
                raise
            await _send_error(send_with_headers, 503, _SHUTTING_DOWN)
        finally:
            _log_request(scope, status or 500, time.perf_counter() - start)


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
