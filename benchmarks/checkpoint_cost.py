"""Cost of checkpoints during training, at the default interval.

    python benchmarks/checkpoint_cost.py [--runs 5] [--share 1.0]

Trains the recipes `fast` and `standard` on MNIST, each for about half a minute on two idle cores, with and without
checkpoints, interleaved. The ratio is noisy on a shared machine, so the time of a single write is measured too: a
training of many minutes writes one every 60 seconds. `--share` uses a share of the images, to check that it runs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from interleaved import time_interleaved
from report import write_result

from skconv import load_dataset, load_recipe
from skconv.training import checkpointing

# Images and epochs of about half a minute.
LENGTHS = {"fast": (60_000, 8), "standard": (20_000, 3)}


@contextmanager
def timed_writes() -> Iterator[list[float]]:
    """Collect the seconds of each checkpoint written inside the block, including collecting the state."""
    seconds: list[float] = []
    write = checkpointing.Checkpointing._write

    def write_timed(*arguments: object, **options: object) -> None:
        start = time.perf_counter()
        write(*arguments, **options)
        seconds.append(time.perf_counter() - start)

    checkpointing.Checkpointing._write = write_timed
    try:
        yield seconds
    finally:
        checkpointing.Checkpointing._write = write


def make_functions(recipe: str, images: np.ndarray, labels: np.ndarray, epochs: int) -> dict[str, Callable[[], object]]:
    def train(checkpoint: str | None = None) -> None:
        estimator = load_recipe(recipe).create_estimator(random_state=0)
        estimator.set_params(max_epochs=epochs, checkpoint=checkpoint).fit(images, labels)

    def train_with_checkpoints() -> None:
        with tempfile.TemporaryDirectory() as folder:  # an existing one would be resumed
            train(folder)

    return {"without": train, "with": train_with_checkpoints}


def measure(recipe: str, images: np.ndarray, labels: np.ndarray, epochs: int, runs: int) -> dict:
    functions = make_functions(recipe, images, labels, epochs)
    functions["without"]()  # warm-up
    with timed_writes() as writes:
        seconds = time_interleaved(functions, runs)
    median_write = statistics.median(writes) if writes else None
    return {
        "images": len(labels),
        "epochs": epochs,
        "runs": runs,
        "median seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "spread of seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "ratios of rounds": [with_ / without for without, with_ in zip(*seconds.values(), strict=True)],
        "checkpoints per training": len(writes) / runs,
        "share of time spent writing": sum(writes) / sum(seconds["with"]),
        "median seconds per checkpoint": median_write,
        "spread of seconds per checkpoint": [min(writes), max(writes)] if writes else None,
        "share of time at one every 60 s": None if median_write is None else median_write / checkpointing.SECONDS,
        "bytes per checkpoint": measure_bytes(recipe, images, labels),
    }


def measure_bytes(recipe: str, images: np.ndarray, labels: np.ndarray) -> int:
    with tempfile.TemporaryDirectory() as folder:
        estimator = load_recipe(recipe).create_estimator(random_state=0)
        estimator.set_params(max_epochs=1, checkpoint=folder)
        initial_cost, checkpointing._INITIAL_COST = (
            checkpointing._INITIAL_COST,
            0.0,
        )  # writes after the epoch, however short
        try:
            estimator.fit(images[:2000], labels[:2000])
        finally:
            checkpointing._INITIAL_COST = initial_cost
        last = max(each for each in Path(folder).iterdir() if each.is_dir())
        return sum(each.stat().st_size for each in last.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0)
    options = parser.parse_args()
    dataset = load_dataset("mnist")
    figures = {}
    for recipe, (n_images, epochs) in LENGTHS.items():
        chosen = slice(0, round(options.share * n_images))
        images, labels = np.array(dataset.train_images[chosen]), np.array(dataset.train_labels[chosen])
        figures[recipe] = measure(recipe, images, labels, epochs, options.runs)
    write_result("checkpoint_cost", figures)


if __name__ == "__main__":
    main()
