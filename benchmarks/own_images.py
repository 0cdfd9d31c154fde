"""Speed of `skconv predict digits FOLDER` on image files: small images and photos.

    python benchmarks/own_images.py [--small 1000] [--photos 40] [--runs 5]

Timed from files to predictions, in a process that has done it once before, with the default threads and with one thread
per core from the first image on.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from interleaved import time_interleaved
from PIL import Image
from report import write_result

import skconv
from skconv.images import spec


def write_images(folder: Path, digits: np.ndarray, size: tuple[int, int], suffix: str) -> Path:
    """Write dark digits on noisy paper, with widths between the two sizes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, digit in enumerate(digits):
        side = int(rng.integers(size[0], size[1] + 1))
        image = np.asarray(Image.fromarray(255 - digit).resize((side, side * 3 // 4), Image.Resampling.BICUBIC))
        grey = 20 + 0.8 * image + rng.normal(0, 4, image.shape)
        image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
        (image if suffix == ".png" else image.convert("RGB")).save(folder / f"{number:05}{suffix}")
    return folder


def predict(folder: Path, threshold: float) -> None:
    """Classify all images of a folder; items over `threshold` seconds use one thread per core."""
    default, spec._MIN_SECONDS = spec._MIN_SECONDS, threshold
    try:
        skconv.predict("digits", folder)
    finally:
        spec._MIN_SECONDS = default


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
            ("photos of 3 megapixels", options.photos, (2000, 2000), ".jpg"),
        ):
            subfolder = write_images(Path(folder) / suffix[1:], digits[:number], size, suffix)
            predict(subfolder, spec._MIN_SECONDS)
            seconds = time_interleaved(
                {
                    "default": lambda p=subfolder: predict(p, spec._MIN_SECONDS),
                    "threads": lambda p=subfolder: predict(p, 0),
                },
                options.runs,
            )
            figures[name] = {
                "images": number,
                "runs": options.runs,
                "images per second": {mode: number / statistics.median(times) for mode, times in seconds.items()},
                "spread of seconds": {mode: [min(times), max(times)] for mode, times in seconds.items()},
            }
    write_result("own_images", figures)


if __name__ == "__main__":
    main()
