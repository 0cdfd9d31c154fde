"""Does the cost grow in step with the work? Time an image and memory, from 10,000 to 2,000,000 images.

    python benchmarks/growth.py [--sizes 10000 100000 1000000 2000000] [--turns 5]

Images are made of MNIST's by moving them, written to a file and mapped into memory; each size trains one
epoch of `fast`, and predicts all images with the model folder, in a fresh process. The speed of a shared machine
drifts, so the first 10,000 images of the file are trained on and predicted three times before and after each turn,
and what is compared is the time an image over the median of theirs. Sizes of a million and more have one turn, and
10,000 ten times before and after it. Memory is the process's own (anonymous pages): pages of the mapped file can be
dropped and belong to the system's cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from report import write_result

PART = 50_000
FEW, MANY = 10_000, 1_000_000


def make_images(path: Path, n: int) -> None:
    """Write n images, MNIST's training digits over and over, each time moved by other pixels."""
    from skconv import load_dataset

    dataset = load_dataset("mnist")
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path / "images.npy", "w+", np.uint8, (n, 28, 28))
    labels = np.empty(n, np.int64)
    for start in range(0, n, PART):
        chosen = np.arange(start, min(start + PART, n)) % len(dataset.train_images)
        images[start : start + PART] = np.roll(dataset.train_images[chosen], random.integers(-3, 4, 2), axis=(1, 2))
        labels[start : start + PART] = np.asarray(dataset.train_labels)[chosen]
    images.flush()
    np.save(path / "labels.npy", labels)


class MemoryPeak:
    """Looks every 20 milliseconds how much memory of its own the process has."""

    def __init__(self) -> None:
        self.peak, self._over = self.now(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def now() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, self.now())

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self.peak


def train(images: np.ndarray, labels: np.ndarray):
    from skconv import CNNClassifier

    return CNNClassifier(network="fast", max_epochs=1, batch_size=256).fit(images, labels)


def time_beside(work: Callable[[int], object], n: int, turns: int) -> dict:
    """Time work on n images between two times on few; return microseconds an image, the ratio, and memory."""
    work(FEW)  # warms up
    times: list[float] = []
    ratios: list[float] = []
    beside = 3 if turns > 1 else 10
    before, watch = MemoryPeak.now(), MemoryPeak()
    for _ in range(turns):
        few = [time_an_image(work, FEW) for _ in range(beside)]
        times.append(time_an_image(work, n))
        few += [time_an_image(work, FEW) for _ in range(beside)]
        ratios.append(times[-1] / statistics.median(few))
    return {
        "microseconds an image": statistics.median(times),
        "over 10,000 images": statistics.median(ratios),
        "least and most": [min(ratios), max(ratios)],
        "turns": turns,
        "MiB above the start": (watch.stop() - before) / 2**20,
    }


def time_an_image(work: Callable[[int], object], n: int) -> float:
    start = time.perf_counter()
    work(n)
    return 1e6 * (time.perf_counter() - start) / n


def measure(folder: Path, turns: int) -> dict:
    """Train and predict in this process; return seconds and bytes."""
    from skconv import OnnxClassifier

    images = np.load(folder / "images.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    n = len(images)
    turns = turns if n < MANY else 1
    training = time_beside(lambda size: train(images[:size], labels[:size]), n, turns)
    train(images[:FEW], labels[:FEW]).save(folder / "model")
    reader = OnnxClassifier(folder / "model")
    prediction = time_beside(lambda size: reader.predict(images[:size]), n, turns)
    return {"images": n, "training": training, "prediction": prediction}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 2_000_000])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # one size, in a process of its own
    options = parser.parse_args()
    if min(options.sizes) < FEW:
        parser.error(f"--sizes must be at least {FEW:,}: all are compared with so many")
    if options.measure:
        print(json.dumps(measure(options.measure, options.turns)))
        return
    rows = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_images(Path(folder), size)
            command = [sys.executable, __file__, "--measure", folder, "--turns", str(options.turns)]
            answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rows.append(json.loads(answer))
            print(rows[-1], flush=True)
    write_result("growth", {"sizes": rows})


if __name__ == "__main__":
    main()
