"""What do checkpoints cost a training, at the interval they are written at by default?

    python benchmarks/checkpoint_cost.py [--runs 5] [--share 1.0]

The recipes `fast` and `standard` on MNIST, each about half a minute long on two quiet cores, with checkpoints and
without, in turn A B A B. Beside the ratio, which on a shared machine is noisier than what it looks for, stands the time
of one write: a training of many minutes has one every 60 seconds. `--share` takes so many of the images, to see that
it runs.
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
from report import write_result
from turns import time_in_turn

from skconv import load_dataset, load_recipe
from skconv.training import checkpointing

# Images and epochs of about half a minute.
LENGTHS = {"fast": (60_000, 8), "standard": (20_000, 3)}


@contextmanager
def timed_writes() -> Iterator[list[float]]:
    """Collect the seconds of every checkpoint that is written inside the block, the taking of the state included."""
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


def make_ways(recipe: str, images: np.ndarray, labels: np.ndarray, epochs: int) -> dict[str, Callable[[], object]]:
    def train(checkpoint: str | None = None) -> None:
        estimator = load_recipe(recipe).create_estimator(random_state=0)
        estimator.set_params(max_epochs=epochs, checkpoint=checkpoint).fit(images, labels)

    def train_with_checkpoints() -> None:
        with tempfile.TemporaryDirectory() as folder:  # a new one each time: else it would go on from the last
            train(folder)

    return {"without": train, "with": train_with_checkpoints}


def measure(recipe: str, images: np.ndarray, labels: np.ndarray, epochs: int, runs: int) -> dict:
    ways = make_ways(recipe, images, labels, epochs)
    ways["without"]()  # warms up and is not counted
    with timed_writes() as writes:
        seconds = time_in_turn(ways, runs)
    one = statistics.median(writes) if writes else None
    return {
        "images": len(labels),
        "epochs": epochs,
        "runs": runs,
        "median seconds": {name: statistics.median(times) for name, times in seconds.items()},
        "spread of seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "ratios of turns": [with_ / bare for bare, with_ in zip(*seconds.values(), strict=True)],
        "checkpoints of a training": len(writes) / runs,
        "share of the time spent writing": sum(writes) / sum(seconds["with"]),
        "median seconds of one checkpoint": one,
        "spread of seconds of one checkpoint": [min(writes), max(writes)] if writes else None,
        "share of the time at one every 60 s": None if one is None else one / checkpointing.SECONDS,
        "bytes of one checkpoint": measure_bytes(recipe, images, labels),
    }


def measure_bytes(recipe: str, images: np.ndarray, labels: np.ndarray) -> int:
    with tempfile.TemporaryDirectory() as folder:
        estimator = load_recipe(recipe).create_estimator(random_state=0)
        estimator.set_params(max_epochs=1, checkpoint=folder)
        before, checkpointing._INITIAL_COST = checkpointing._INITIAL_COST, 0.0  # at the end of the epoch, however short
        try:
            estimator.fit(images[:2000], labels[:2000])
        finally:
            checkpointing._INITIAL_COST = before
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
