"""ASGI application of the service: routes and error responses."""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from skconv.exceptions import DataError
from skconv.server.api_docs import render_docs
from skconv.server.batch import BatchResponse, receive_batch
from skconv.server.keys import requires_key
from skconv.server.metrics import render_metrics
from skconv.server.middleware import BATCH_PATH, RequestMiddleware
from skconv.server.service import Service, describe_model
from skconv.server.settings import COUNT_IMAGES, REQUEST_ID, ServerSettings
from skconv.server.uploads import read_uploads
from skconv.web_page import PAGE

OPENAPI = Path(__file__).with_name("openapi.json")
_STYLE = Path(__file__).with_name("api_docs.css")
_BOOLEANS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)


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
        routes=[*_make_routes(service), *_make_static_routes(settings)],
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _respond_to_http_error,
            DataError: _respond_to_data_error,
            Exception: _respond_to_internal_error,
        },
    )
    app.router.redirect_slashes = False  # its redirects contain the host and the scheme, which a proxy may change
    return RequestMiddleware(app, service)


def _make_routes(service: Service) -> list[BaseRoute]:
    async def predict(request: Request) -> Response:
        _check_parameters(request, "seen", "top")
        return await _process(request, service, partial(service.predict, top=_parse_top(request)))

    async def read(request: Request) -> Response:
        _check_parameters(request, "seen")
        return await _process(request, service, service.read)

    async def batch(request: Request) -> Response:
        _check_parameters(request, "top")
        top = _parse_top(request)
        return BatchResponse(request, service, await receive_batch(request, service.settings), top)

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

    return [
        Route("/v1/predict", predict, methods=["POST"]),
        Route("/v1/read", read, methods=["POST"]),
        Route(BATCH_PATH, batch, methods=["POST"]),
        Route("/v1/model", model),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]


def _make_static_routes(settings: ServerSettings) -> list[BaseRoute]:
    document = load_openapi(settings)
    docs_page = render_docs(document)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    async def docs(_: Request) -> Response:
        return HTMLResponse(docs_page)

    async def docs_style(_: Request) -> Response:
        return FileResponse(_STYLE)

    async def page(_: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    return [
        Route("/openapi.json", openapi),
        Route("/docs", docs),
        Route("/docs/style.css", docs_style),
        Route("/", page),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]


def load_openapi(settings: ServerSettings) -> dict[str, Any]:
    """Return the OpenAPI document of a service, with its version, root path and authentication."""
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    document["info"]["version"] = version("skconv")
    if settings.root_path:
        document["servers"] = [{"url": settings.root_path}]
    for path, operations in document["paths"].items():
        if settings.keys and requires_key(path):
            for operation in operations.values():
                operation["security"] = [{name: []} for name in document["components"]["securitySchemes"]]
    return document


async def _process(
    request: Request, service: Service, function: Callable[..., Coroutine[Any, Any, dict[str, Any]]]
) -> Response:
    """Call `function` on the uploaded images and return its result as a JSON response."""
    seen = _parse_boolean(request, "seen")
    uploads = await read_uploads(request, service.settings)
    request.scope[COUNT_IMAGES](len(uploads))
    return JSONResponse(await service.run(function(uploads, seen=seen)))


def _check_parameters(request: Request, *known: str) -> None:
    """Raise `HTTPException` (422) for query parameters that the path does not have, because they have no effect."""
    for name in request.query_params:
        if name not in known:
            raise HTTPException(
                422, f"The query parameter '{name[:80]}' is unknown for this path; expected {' or '.join(known)}."
            )


def _parse_boolean(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value.lower() not in _BOOLEANS:
        raise HTTPException(422, f"The query parameter '{name}' is '{value[:80]}'; expected true or false.")
    return _BOOLEANS[value.lower()]


def _parse_top(request: Request) -> int | None:
    """Return the requested number of most probable classes; None if it is not requested."""
    value = request.query_params.get("top")
    if value is None:
        return None
    if re.fullmatch(r"[1-9][0-9]{0,8}", value) is None:
        raise HTTPException(422, f"The query parameter 'top' is '{value[:80]}'; expected an integer of at least 1.")
    return int(value)


async def _respond_to_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code in (404, 405):  # raised by Starlette, without an explanation
        root_path = request.scope.get("root_path", "")
        detail = (
            f"Unknown request {request.method} {request.url.path}. For the valid requests, see {root_path}/docs or "
            f"{root_path}/openapi.json."
        )
    return _respond(request, detail, error.status_code, error.headers)


async def _respond_to_data_error(request: Request, error: Exception) -> Response:
    return _respond(request, str(error), 422)


async def _respond_to_internal_error(request: Request, _: Exception) -> Response:
    # Starlette raises the exception again, so that uvicorn logs its traceback.
    return _respond(request, "The service failed to process the request; its log contains the reason.", 500)


def _respond(request: Request, detail: str, status: int, headers: Any = None) -> Response:
    return JSONResponse({"detail": detail, "request_id": request.scope[REQUEST_ID]}, status, headers=headers)
