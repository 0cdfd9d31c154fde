"""Time per image and memory from 10,000 to 2,000,000 images.

    python benchmarks/growth.py [--sizes 10000 100000 1000000 2000000] [--rounds 5]

Images are shifted copies of MNIST's, in a memory-mapped file. For each size, one epoch of `fast` is trained and all
images are predicted with the model folder, in a fresh process. Because the speed of a shared machine drifts, the first
10,000 images are processed three times before and after each round, and the time per image is divided by the median
of theirs. Sizes of a million and more have one round, with ten repetitions before and after. Memory is the anonymous
memory of the process; pages of the mapped file belong to the system's cache.
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
    """Write n images: MNIST's training images repeated, each time with another shift."""
    from skconv import load_dataset

    dataset = load_dataset("mnist")
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path / "images.npy", "w+", np.uint8, (n, 28, 28))
    labels = np.empty(n, np.int64)
    for start in range(0, n, PART):
        chosen = np.arange(start, min(start + PART, n)) % len(dataset.train_images)
        images[start : start + PART] = np.roll(dataset.train_images[chosen], rng.integers(-3, 4, 2), axis=(1, 2))
        labels[start : start + PART] = np.asarray(dataset.train_labels)[chosen]
    images.flush()
    np.save(path / "labels.npy", labels)


class MemoryPeak:
    """Peak anonymous memory of the process, sampled every 20 milliseconds."""

    def __init__(self) -> None:
        self.peak, self._stopped = self.now(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def now() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def _watch(self) -> None:
        while not self._stopped.wait(0.02):
            self.peak = max(self.peak, self.now())

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self.peak


def train(images: np.ndarray, labels: np.ndarray):
    from skconv import CNNClassifier

    return CNNClassifier(network="fast", max_epochs=1, batch_size=256).fit(images, labels)


def time_against_few(work: Callable[[int], object], n: int, rounds: int) -> dict:
    """Time work on n images, interleaved with work on few; return microseconds per image, ratio and memory."""
    work(FEW)  # warm-up
    times: list[float] = []
    ratios: list[float] = []
    repetitions = 3 if rounds > 1 else 10
    before, peak = MemoryPeak.now(), MemoryPeak()
    for _ in range(rounds):
        few = [time_per_image(work, FEW) for _ in range(repetitions)]
        times.append(time_per_image(work, n))
        few += [time_per_image(work, FEW) for _ in range(repetitions)]
        ratios.append(times[-1] / statistics.median(few))
    return {
        "microseconds per image": statistics.median(times),
        "over 10,000 images": statistics.median(ratios),
        "min and max": [min(ratios), max(ratios)],
        "rounds": rounds,
        "MiB above start": (peak.stop() - before) / 2**20,
    }


def time_per_image(work: Callable[[int], object], n: int) -> float:
    start = time.perf_counter()
    work(n)
    return 1e6 * (time.perf_counter() - start) / n


def measure(folder: Path, rounds: int) -> dict:
    """Train and predict in this process; return times and memory."""
    from skconv import OnnxClassifier

    images = np.load(folder / "images.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    n = len(images)
    rounds = rounds if n < MANY else 1
    training = time_against_few(lambda size: train(images[:size], labels[:size]), n, rounds)
    train(images[:FEW], labels[:FEW]).save(folder / "model")
    classifier = OnnxClassifier(folder / "model")
    prediction = time_against_few(lambda size: classifier.predict(images[:size]), n, rounds)
    return {"images": n, "training": training, "prediction": prediction}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 2_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # one size, in a separate process
    options = parser.parse_args()
    if min(options.sizes) < FEW:
        parser.error(f"--sizes must be at least {FEW:,}, the size compared with")
    if options.measure:
        print(json.dumps(measure(options.measure, options.rounds)))
        return
    rows = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            make_images(Path(folder), size)
            command = [sys.executable, __file__, "--measure", folder, "--rounds", str(options.rounds)]
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rows.append(json.loads(output))
            print(rows[-1], flush=True)
    write_result("growth", {"sizes": rows})


if __name__ == "__main__":
    main()
