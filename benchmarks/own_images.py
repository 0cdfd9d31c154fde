"""How quickly does `skconv predict digits FOLDER` name people's own images: small ones, and photographs?

    python benchmarks/own_images.py [--small 1000] [--photos 40] [--runs 5]

From files to answers, in a process that has done it once before; beside the same with a thread a core from the first
image on.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result
from turns import time_in_turn

import skconv
from skconv.images import spec as fitting


def write_images(folder: Path, digits: np.ndarray, size: tuple[int, int], suffix: str) -> Path:
    """Write dark digits on noisy paper, with sides between the two sizes."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number, digit in enumerate(digits):
        side = int(random.integers(size[0], size[1] + 1))
        image = np.asarray(Image.fromarray(255 - digit).resize((side, side * 3 // 4), Image.Resampling.BICUBIC))
        grey = 20 + 0.8 * image + random.normal(0, 4, image.shape)
        image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
        (image if suffix == ".png" else image.convert("RGB")).save(folder / f"{number:05}{suffix}")
    return folder


def predict(folder: Path, long: float) -> None:
    """Name all images of a folder; what takes longer than `long` seconds is done by a thread a core."""
    before, fitting._MIN_SECONDS = fitting._MIN_SECONDS, long
    try:
        skconv.predict("digits", folder)
    finally:
        fitting._MIN_SECONDS = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    digits = skconv.load_dataset("mnist").test_images
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, number, size, suffix in (
            ("PNG of 28 to 160 pixels", options.small, (28, 160), ".png"),
            ("photographs of 3 megapixels", options.photos, (2000, 2000), ".jpg"),
        ):
            place = write_images(Path(folder) / suffix[1:], digits[:number], size, suffix)
            predict(place, fitting._MIN_SECONDS)
            seconds = time_in_turn(
                {
                    "as it is": lambda p=place: predict(p, fitting._MIN_SECONDS),
                    "threads": lambda p=place: predict(p, 0),
                },
                options.runs,
            )
            figures[name] = {
                "images": number,
                "runs": options.runs,
                "images a second": {way: number / statistics.median(times) for way, times in seconds.items()},
                "spread of seconds": {way: [min(times), max(times)] for way, times in seconds.items()},
            }
    write_result("own_images", figures)


if __name__ == "__main__":
    main()
