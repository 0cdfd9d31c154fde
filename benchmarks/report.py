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
    text = json.dumps({"figures": figures, "environment": describe_environment()}, indent=2)
    if path is None:
        RESULTS.mkdir(exist_ok=True, parents=True)
        path = RESULTS / f"{name}.json"
    with atomic_write(path) as part:
        part.write_text(text + "\n")
    print(text)
