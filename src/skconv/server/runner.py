"""Server process: socket, worker processes, shutdown on SIGTERM or Ctrl-C."""

from __future__ import annotations

import importlib.util
import os
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from skconv.commands.scoring import find_set_threshold
from skconv.digits import needs_opencv
from skconv.exceptions import ParameterError, missing_package
from skconv.images.arrays import describe_file_range
from skconv.inference import OnnxClassifier
from skconv.model_io.folder import check_has_onnx, find_model_folder, read_config
from skconv.server.settings import METRICS_FOLDER, ServerSettings

if TYPE_CHECKING:
    import uvicorn

_REQUIRED = ("prometheus_client", "python_multipart", "starlette", "uvicorn")
_DRAIN_SECONDS = 8  # to complete requests at shutdown; process managers often kill a process after 10 seconds
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "skconv.access": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "python_multipart": {"level": "CRITICAL"},  # errors in a form are reported in the response
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


def serve(
    settings: ServerSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    announce: Callable[[str], Any] = print,
) -> None:
    """Serve a model over HTTP until SIGTERM or Ctrl-C, then complete the requests in progress.

    Port 0 selects a free port. Each worker process loads the model and has its own limits. `announce` is called with
    the URL once the port accepts connections. Raise `ParameterError` if a package of the extra "serve" is missing or
    the service cannot listen on the address, or if the model has no held-out predictions for a coverage, and
    `SourceNotFoundError` or `ModelFileError` if the model is missing or invalid.
    """
    missing = [name for name in _REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(
            f"serve needs the packages {', '.join(missing)}, which are not installed. Install them: "
            "pip install 'skconv[serve]'"
        )
    folder = find_model_folder(settings.model, "skconv serve RUN")
    model = read_config(folder)
    check_has_onnx(folder, model)
    if needs_opencv(model) and importlib.util.find_spec("cv2") is None:
        raise missing_package("models of digits", "opencv-python-headless")
    if settings.coverage is not None:
        find_set_threshold(OnnxClassifier(folder), settings.coverage)  # raises before the service listens
    if message := describe_file_range(model.input.pixel_range):
        warnings.warn(message, stacklevel=2)
    with _listen(host, port) as listener, _shared_metrics():
        config = _configure(settings, workers)
        url_host = f"[{host}]" if ":" in host else host
        announce(f"http://{url_host}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):  # uvicorn raises SIGINT again after its shutdown
            _run(config, listener)


def _listen(host: str, port: int) -> socket.socket:
    if not host:  # would accept connections from all machines
        raise ParameterError("The host is empty; expected an address such as 127.0.0.1. Omit --host or pass one.")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(
            f"The service cannot listen on port {port} of {host}: {reason}. Choose another with --port or --host."
        ) from None
    listener.set_inheritable(True)
    return listener


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Set the environment variable of the metrics to a temporary folder that all worker processes share."""
    before = os.environ.get(METRICS_FOLDER)
    with tempfile.TemporaryDirectory(prefix="skconv-serve-") as folder:
        os.environ[METRICS_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[METRICS_FOLDER]
            if before is not None:
                os.environ[METRICS_FOLDER] = before


def _configure(settings: ServerSettings, workers: int) -> uvicorn.Config:
    import uvicorn

    from skconv.server.app import create_app
    from skconv.server.connections import HttpProtocol

    return uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        http=partial(HttpProtocol, timeout=settings.timeout),  # type: ignore[arg-type]
        workers=workers,
        ws="none",
        lifespan="on",
        log_config=_LOGGING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _run(config: uvicorn.Config, listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if config.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise ParameterError("The service did not start; see the log lines above for the reason.")
