"""Result files of the benchmarks: figures with hardware and versions."""

from __future__ import annotations

import json
import os
from pathlib import Path

from skconv.files import atomic_write
from skconv.model_io.config import describe_environment

RESULTS = Path(os.environ.get("SKCONV_RESULTS", Path(__file__).parent / "results"))


def write_result(name: str, figures: dict, path: Path | None = None) -> None:
    """Print the figures and write them to ``results/NAME.json``, or to `path`."""
    if path is None:
        RESULTS.mkdir(exist_ok=True, parents=True)
        path = RESULTS / f"{name}.json"
    print(save_result(path, figures))


def save_result(path: Path, figures: dict) -> str:
    """Write the figures to a file; return its content."""
    text = json.dumps({"figures": figures, "environment": describe_environment()}, indent=2)
    with atomic_write(path) as part:
        part.write_text(text + "\n")
    return text


def read_result(path: Path) -> dict | None:
    """Return the figures of a file, to be continued; None if it does not exist.

    Raise SystemExit if they are those of another machine or other versions.
    """
    if not path.exists():
        return None
    content = json.loads(path.read_text())
    if content["environment"] != describe_environment():
        raise SystemExit(
            f"{path} was measured on another machine or with other versions. Move it, or set SKCONV_RESULTS=FOLDER."
        )
    figures: dict = content["figures"]
    return figures
