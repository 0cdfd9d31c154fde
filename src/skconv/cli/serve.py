"""`skconv serve`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from skconv.cli.console import show_result
from skconv.cli.options import DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

EXAMPLE = "Example: skconv serve runs/mnist-fast --port 8080"


def serve(
    model: Annotated[
        str, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")
    ] = "digits",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is reached from other machines too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes behind the port.")] = 1,
    max_megabytes: Annotated[float, typer.Option(min=1, max=1024, help="Longest body of a request, in MiB.")] = 16,
    max_megapixels: Annotated[float, typer.Option(min=1, max=50, help="Most pixels of an image, in millions.")] = 16,
    max_images: Annotated[int, typer.Option(min=1, max=4096, help="Most images of one request.")] = 64,
    max_waiting: Annotated[
        int, typer.Option(min=1, max=4096, help="Requests that a process works on at a time; the next gets a 429.")
    ] = 3,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds to wait for a request, and for its answer.")
    ] = 10,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve a model: a page to draw on, and an HTTP interface.

    Images can be dropped on the page too. The log goes to standard error, a JSON object a request. SIGTERM or Ctrl-C
    ends it after what was accepted is answered.
    """
    from skconv.server.runner import serve as serve_library
    from skconv.server.settings import MEBIBYTE, ServerSettings

    settings = ServerSettings(
        model=model,
        max_bytes=int(max_megabytes * MEBIBYTE),
        max_pixels=int(max_megapixels * 1_000_000),
        max_images=max_images,
        max_waiting=max_waiting,
        timeout=timeout,
    )

    def announce(url: str) -> None:
        show_result({"url": url, "model": model}, f"Serving {model} at {url} until Ctrl-C.", as_json=as_json)
        sys.stdout.flush()  # whoever started it may read a pipe, and wait for this line

    serve_library(settings, host=host, port=port, workers=workers, announce=announce)
