"""`serve`: run the service until somebody ends it."""

from __future__ import annotations

import importlib.util
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ParameterError
from skconv.model_io.folder import find_model_folder, read_config
from skconv.server.settings import ServerSettings

if TYPE_CHECKING:
    import uvicorn

_NEEDED = ("fastapi", "uvicorn", "python_multipart")
_DRAIN_SECONDS = 8  # to answer what was accepted; process managers often wait ten before they kill
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"bare": {"format": "%(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "bare"}},
    "loggers": {
        "skconv.access": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "python_multipart": {"level": "CRITICAL"},  # what a form lacks is told to its sender
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
    """Serve a model over HTTP until SIGTERM or Ctrl-C; what was accepted by then is still answered.

    Parameters
    ----------
    settings : ServerSettings
        The model and the limits.
    host : str, default="127.0.0.1"
        Address to listen on; 127.0.0.1 is reached from this machine only, 0.0.0.0 from everywhere.
    port : int, default=8000
        0 takes any free one.
    workers : int, default=1
        Processes behind the port; each loads the model and has the limits for itself.
    announce : callable, default=print
        Called with the address once it is listened on.

    Raises
    ------
    ParameterError
        A package of the extra "serve" is missing, or the address cannot be listened on.
    SourceNotFoundError, ModelFileError
        There is no such model, or it is refused.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(
            f"serve needs the packages {', '.join(missing)}, which are not installed. Install them: "
            "pip install 'skconv[serve]'"
        )
    read_config(find_model_folder(settings.model))
    listening = _listen(host, port)
    with listening, tempfile.TemporaryDirectory(prefix="skconv-serve-") as counts:
        config = _configure(settings, counts, workers)
        shown = f"[{host}]" if ":" in host else host
        announce(f"http://{shown}:{listening.getsockname()[1]}")
        with suppress(KeyboardInterrupt):  # uvicorn has drained, and raises the signal again that ended it
            _run(config, listening)


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(
            f"The service cannot listen on port {port} of {host}: {reason}. Choose another with --port or --host."
        ) from None
    listening.set_inheritable(True)
    return listening


def _configure(settings: ServerSettings, counts: str, workers: int) -> uvicorn.Config:
    import uvicorn

    from skconv.server.app import create_app

    return uvicorn.Config(
        partial(create_app, settings, counts),
        factory=True,
        workers=workers,
        ws="none",
        lifespan="on",
        log_config=_LOGGING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _run(config: uvicorn.Config, listening: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if config.workers > 1:
        Multiprocess(config, sockets=[listening]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        raise ParameterError("The service did not start; the lines above say why.")
