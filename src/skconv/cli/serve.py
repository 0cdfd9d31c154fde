"""Options and help text of `skconv serve`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from skconv.cli.app import JsonOption, command, show_result


@command("skconv serve runs/mnist-fast --port 8080", redirect=False)
def serve(
    model: Annotated[str, typer.Argument(help="Run folder, model folder, or digits for the bundled model.")] = "digits",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Number of processes.")] = 1,
    max_megabytes: Annotated[float, typer.Option(min=1, max=1024, help="Maximum size of a request, in MiB.")] = 16,
    max_megapixels: Annotated[float, typer.Option(min=1, max=50, help="Maximum pixels per image, in millions.")] = 16,
    max_images: Annotated[int, typer.Option(min=1, max=4096, help="Maximum images per request.")] = 64,
    max_waiting: Annotated[
        int, typer.Option(min=1, max=4096, help="Maximum concurrent requests per process; more get status 429.")
    ] = 3,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, help="Timeout in seconds, for receiving a request and for answering it.")
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Serve a model over HTTP, with a web page to draw on.

    The log goes to standard error, one JSON object per request. SIGTERM or Ctrl-C finishes the accepted requests, then
    stops the server.
    """
    from skconv.server.runner import serve as serve_model
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
        sys.stdout.flush()  # a parent process may wait for this line

    serve_model(settings, host=host, port=port, workers=workers, announce=announce)
