"""`create_app`: the service as an ASGI application, with its page and its interface."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from skconv.exceptions import DataError
from skconv.server.metrics import Metrics
from skconv.server.middleware import RequestMiddleware
from skconv.server.schemas import Model, Predictions, Problem, Readings, describe_body, describe_problems
from skconv.server.service import Service, describe_model
from skconv.server.settings import ServerSettings
from skconv.server.uploads import read_uploads

PAGE = Path(__file__).with_name("page")
_SUMMARY = "Names and reads images with one saved model. Nothing that is sent is kept."
_SEEN = Query(description="Also return what the network saw, as PNG in base 64.")
_WORK_PROBLEMS = (400, 408, 413, 415, 422, 429, 503)


def create_app(settings: ServerSettings, counts: str | os.PathLike[str]) -> RequestMiddleware:
    """Return the application that serves one model.

    Parameters
    ----------
    settings : ServerSettings
        The model and the limits.
    counts : path-like
        A folder that exists, for the counts of this process and of those beside it.

    Returns
    -------
    Entry
        An ASGI application, for uvicorn.

    Raises
    ------
    SourceNotFoundError, ModelFileError
        There is no such model, or it is refused.
    """
    # A faint image is told of by its low confidence, a damaged one by its answer, not in the log.
    warnings.filterwarnings("ignore", module=r"(skconv\.server|PIL)\.")
    service, metrics = Service(settings), Metrics(counts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.warm_up)
        yield
        await asyncio.to_thread(service.close)

    # FastAPI's own documentation pages load scripts from elsewhere.
    app = FastAPI(
        title="skconv",
        description=_SUMMARY,
        version=version("skconv"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    endpoints = _add_interface(app, service)
    _add_health(app, service, metrics)
    _add_page(app)
    _add_problems(app)
    return RequestMiddleware(_Direct(app, endpoints), service, metrics)


class _Direct:
    """Calls the function that answers a POST request without a query; FastAPI does all else.

    What FastAPI does between a request and its function takes longer than opening a small image.

    Parameters
    ----------
    app : FastAPI
    endpoints : dict of str to coroutine function
        By path, as registered with FastAPI.
    """

    def __init__(self, app: FastAPI, endpoints: dict[str, Callable[[Request], Awaitable[JSONResponse]]]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        endpoint = self._endpoints.get(scope.get("path", ""))
        if endpoint is None or scope["method"] != "POST" or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await endpoint(request)
        except HTTPException as error:
            answer = await _tell_status(request, error)
        except DataError as error:
            answer = await _tell_image(request, error)
        await answer(scope, receive, send)


def _add_interface(app: FastAPI, service: Service) -> dict[str, Any]:
    """Register what takes images, and return the functions that answer, by their paths."""
    problems = describe_problems(*_WORK_PROBLEMS)

    @app.post(
        "/v1/predict",
        summary="Name the class of images",
        response_model=None,
        responses={200: {"model": Predictions}, **problems},
        openapi_extra=describe_body("seven.png"),
    )
    async def predict(request: Request, seen: Annotated[bool, _SEEN] = False) -> JSONResponse:
        images = await read_uploads(request, service.settings)
        request.scope["skconv.images"] = len(images)
        return JSONResponse(await service.work(service.predict(images, seen=seen)))

    @app.post(
        "/v1/read",
        summary="Read the numbers in images",
        response_model=None,
        responses={200: {"model": Readings}, **problems},
        openapi_extra=describe_body("cheque.jpg"),
    )
    async def read(request: Request, seen: Annotated[bool, _SEEN] = False) -> JSONResponse:
        images = await read_uploads(request, service.settings)
        request.scope["skconv.images"] = len(images)
        return JSONResponse(await service.work(service.read(images, seen=seen)))

    @app.get("/v1/model", summary="Tell of the model", response_model=Model)
    async def model() -> dict[str, Any]:
        return describe_model(service)

    return {"/v1/predict": predict, "/v1/read": read}


def _add_health(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/livez", summary="Whether the process answers", response_class=PlainTextResponse)
    async def live() -> str:
        return "ok"

    @app.get(
        "/readyz",
        summary="Whether the model is loaded and warm",
        response_class=PlainTextResponse,
        responses={503: {"model": Problem, "description": "Not yet, or no more."}},
    )
    async def ready() -> str:
        if not service.is_ready:
            raise HTTPException(503, "The model is not ready.")
        return "ok"

    @app.get("/metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
    async def count() -> PlainTextResponse:
        metrics.set_runs(service.batcher.n_runs)
        return PlainTextResponse(metrics.to_text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))


def _add_problems(app: FastAPI) -> None:
    """Answer every error in the same form: a status, and one line that says how to mend it."""
    app.add_exception_handler(HTTPException, _tell_status)  # type: ignore[arg-type]  # each gets its own errors alone
    app.add_exception_handler(RequestValidationError, _tell_parameter)  # type: ignore[arg-type]
    app.add_exception_handler(DataError, _tell_image)  # type: ignore[arg-type]


async def _tell_status(request: Request, error: HTTPException) -> JSONResponse:
    detail = str(error.detail)
    if error.status_code in (404, 405):  # the framework's own: nothing here is missing by itself
        detail = f"There is no {request.method} {request.url.path}. GET /openapi.json tells what there is."
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _tell_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    return JSONResponse({"detail": f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}."}, 422)


async def _tell_image(_: Request, error: DataError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 422)
