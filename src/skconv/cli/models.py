"""Options and help text of the commands that use a trained model, such as `skconv predict`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import JsonOption, command, library_command, show_result
from skconv.cli.options import COVERAGE, DATA_HELP, MIN_CONFIDENCE, declare_image_size

_SOURCE = Annotated[str, typer.Argument(help=DATA_HELP)]
_ROW_SHAPE = "shape of the rows of a CSV file (CxHxW if channels come first); default: that of the model's images."
_IMAGE_SIZE = declare_image_size(f"size to which images are resized, or {_ROW_SHAPE}")


@library_command(
    "skconv evaluate runs/mnist-fast mnist",
    source=_SOURCE,
    corruptions=typer.Option(help="Measure the accuracy under seventeen image corruptions."),
    against=Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Measure out-of-distribution detection (AUROC) on images of this data."),
    ],
    report=typer.Option(help="New folder for scores.json, mistakes.csv and figures."),
    image_size=_IMAGE_SIZE,
)
def evaluate() -> None:
    """Score a model on labelled images it was not trained on.

    Uses the test split or, without one, the images that the model was not trained on.
    """


@library_command(
    "skconv compare runs/first runs/second mnist --out differences.csv",
    first=typer.Argument(help="Run folder, model folder, or digits for the bundled model."),
    second=typer.Argument(help="The model to compare with the first; differences are second - first."),
    source=_SOURCE,
    out=typer.Option(help="CSV file to write or replace: the images that the models classify differently."),
    image_size=_IMAGE_SIZE,
)
def compare() -> None:
    """Compare two models on the same labelled images.

    Prints the differences in accuracy, log loss, recall per class, time and size, with intervals and McNemar's test.
    Uses the test split or, without one, the images that neither model was trained on.
    """


@library_command(
    "skconv predict digits photo.jpg scans/ --out predictions.csv",
    inputs=Annotated[
        list[Path], typer.Argument(help="Images, folders, a CSV or .npz file, or a folder of a competition.")
    ],
    out=typer.Option(
        help="CSV file to write or replace: input, label, confidence. For a competition, a name that begins with "
        "submission writes the submission file."
    ),
    annotate=typer.Option(help="PNG file to draw: each model input with label and confidence."),
    top=typer.Option(min=1, help="Number of most probable classes to list with their probabilities."),
    probabilities=typer.Option(help="Add the probability of every class to the text, CSV file or JSON object."),
    coverage=COVERAGE,
    min_confidence=MIN_CONFIDENCE,
    label_column=typer.Option(help="Label column of a CSV file to ignore, by its header or number from 1."),
    image_size=declare_image_size(_ROW_SHAPE),
)
def predict() -> None:
    """Classify images, with the confidence of each prediction."""


Layout = StrEnum("Layout", ["auto", "lines", "grid"])


@library_command(
    "skconv read photo.jpg --annotate boxes.png",
    images=Annotated[list[Path], typer.Argument(help="Images or folders of images.")],
    model=Annotated[str, typer.Option(help="Digit model: digits, the bundled one, or a folder.")],
    layout=Annotated[
        Layout, typer.Option(help="auto: read ruled grids cell by cell; lines: ignore grids; grid: require a grid.")
    ],
    out=typer.Option(help="CSV file to write or replace: input, text, confidence."),
    annotate=typer.Option(help="Draw boxes and labels: a PNG file for one image, a folder for several."),
)
def read() -> None:
    """Read handwritten numbers in photos and scans."""


@command("skconv serve runs/mnist-fast --port 8080", redirect=False)
def serve(
    model: Annotated[str, typer.Argument(help="Run folder, model folder, or digits for the bundled model.")] = "digits",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts connections from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 selects a free port.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Number of processes.")] = 1,
    max_megabytes: Annotated[float, typer.Option(min=1, max=1024, help="Maximum size of a request, in MiB.")] = 16,
    max_megapixels: Annotated[float, typer.Option(min=1, max=50, help="Maximum pixels per image, in millions.")] = 16,
    max_images: Annotated[int, typer.Option(min=1, max=4096, help="Maximum images per request.")] = 64,
    max_batch_megabytes: Annotated[
        float, typer.Option(min=1, max=65536, help="Maximum size of a batch request, in MiB, also after decompression.")
    ] = 1024,
    max_batch_images: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Maximum images per batch request.")
    ] = 10_000,
    max_waiting: Annotated[
        int, typer.Option(min=1, max=4096, help="Maximum concurrent requests per process; more get status 429.")
    ] = 3,
    timeout: Annotated[
        float, typer.Option(min=1, max=3600, help="Timeout in seconds for receiving a request and for its response.")
    ] = 10,
    min_confidence: Annotated[float, MIN_CONFIDENCE] = 0,
    coverage: Annotated[float | None, COVERAGE] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File of API keys, one per line: NAME KEY or NAME sha256:HEX. SKCONV_API_KEYS may contain keys as "
            "well."
        ),
    ] = None,
    max_rate: Annotated[
        float | None,
        typer.Option(min=1, help="Maximum images per minute and key, unless --keys has another; more get status 429."),
    ] = None,
    root_path: Annotated[str, typer.Option(help="Prefix of the URLs behind a proxy, for example /models/digits.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Serve a model over HTTP, with a web page to try it.

    The access log goes to standard error, one JSON object per request. After SIGTERM or Ctrl-C, the server completes
    the accepted requests and stops.
    """
    from skconv.server.keys import load_keys
    from skconv.server.runner import serve as serve_model
    from skconv.server.settings import MEBIBYTE, ServerSettings

    settings = ServerSettings(
        model=model,
        max_bytes=int(max_megabytes * MEBIBYTE),
        max_pixels=int(max_megapixels * 1_000_000),
        max_images=max_images,
        max_batch_bytes=int(max_batch_megabytes * MEBIBYTE),
        max_batch_images=max_batch_images,
        max_waiting=max_waiting,
        timeout=timeout,
        min_confidence=min_confidence,
        coverage=coverage,
        root_path=root_path,
        keys=load_keys(keys, max_rate),
    )

    access = "with API keys" if settings.keys else "without API keys"

    def announce(url: str) -> None:
        show_result({"url": url, "model": model}, f"Serving {model} at {url}, {access}, until Ctrl-C.", as_json=as_json)
        sys.stdout.flush()  # a parent process may wait for this line

    serve_model(settings, host=host, port=port, workers=workers, announce=announce)


@library_command(
    "skconv report runs/mnist-fast mnist --out report.html",
    source=_SOURCE,
    out=typer.Option(help="HTML file to write; or a new folder for the page and its figures as PNG and SVG."),
    audit=typer.Option(help="Folder written by skconv audit of the same data; default: audit in the run."),
    against=typer.Option(metavar="MODEL", help="Model to compare with, as in skconv compare MODEL."),
    image_size=_IMAGE_SIZE,
)
def report() -> None:
    """Write a report about a model as one HTML page.

    The page shows the model's data, scores, mistakes, calibration, attributions, size and speed, and the differences
    from another model.
    """


Explanation = StrEnum("Explanation", ["activations", "occlusion", "attributions", "neighbours"])


@library_command(
    "skconv explain runs/mnist-fast digit.png --out maps.png",
    image=typer.Argument(help="Image file."),
    out=typer.Option(help="PNG file to write or replace."),
    show=Annotated[
        Explanation,
        typer.Option(
            help="Filters and activation maps, the sensitivity to occlusion, attributions by integrated gradients, or "
            "the nearest training images."
        ),
    ],
    network=Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME", help="Network of your own that the model was trained with, which is imported."
        ),
    ],
    source=Annotated[
        str | None, typer.Option(help="Data to search for neighbours; default: the model's training data.")
    ],
)
def explain() -> None:
    """Draw an explanation of a model's prediction.

    Shows activation maps, occlusion sensitivity, attributions, or the nearest training images.
    """


Format = StrEnum("Format", ["onnx", "web"])


@library_command(
    "skconv export runs/first --format web --out site",
    format=Annotated[
        Format,
        typer.Option(
            help="onnx: one file for any ONNX runtime; web: static files of a page that runs the model in the browser."
        ),
    ],
    out=typer.Option(
        help="File to write or replace, or new folder for a web page; default: the name of the run, in this folder."
    ),
    runtime=typer.Option(help="Folder of the npm package onnxruntime-web for a web page; default: downloaded by npm."),
)
def export() -> None:
    """Export a model as an ONNX file, or as a static web page."""


@library_command(
    "skconv init-service runs/first service",
    out=typer.Argument(help="New folder for the files of the service."),
)
def init_service() -> None:
    """Write the files to deploy a model with Docker or systemd.

    The folder contains the model, a wheel of skconv, a Dockerfile, a compose file with a proxy for TLS, and a systemd
    unit. Its README.md shows the commands to start the service.
    """
