"""ASGI application of the service: routes and error responses."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
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
from skconv.server.metrics import render_metrics
from skconv.server.middleware import N_IMAGES, RequestMiddleware
from skconv.server.service import Service, describe_model
from skconv.server.settings import ServerSettings
from skconv.server.uploads import read_uploads

PAGE = Path(__file__).with_name("page")
OPENAPI = Path(__file__).with_name("openapi.json")
_BOOLEANS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)


def create_app(settings: ServerSettings) -> RequestMiddleware:
    """Return the ASGI application that serves one model.

    Parameters
    ----------
    settings : ServerSettings
        The model and the limits.

    Returns
    -------
    RequestMiddleware
        The application, wrapped in its middleware.

    Raises
    ------
    SourceNotFoundError, ModelFileError
        If the model does not exist or is not valid.
    """
    # The log contains access records only; problems with an image are reported in the response.
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
            raise HTTPException(503, "The model is not ready.")
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
    """Read the uploads of a request and return what a method of the service returns for them."""
    seen = _parse_boolean(request, "seen")
    uploads = await read_uploads(request, service.settings)
    request.scope[N_IMAGES] = len(uploads)
    return JSONResponse(await service.run(function(uploads, seen=seen)))


def _parse_boolean(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value.lower() not in _BOOLEANS:
        raise HTTPException(422, f"{name}: '{value[:80]}' is not a boolean; expected true or false.")
    return _BOOLEANS[value.lower()]


async def _respond_to_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code in (404, 405):  # raised by Starlette, without an explanation
        detail = f"There is no {request.method} {request.url.path}. GET /openapi.json lists the requests."
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _respond_to_data_error(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)
