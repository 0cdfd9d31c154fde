"""How long until 99.0 % of MNIST's test digits are read right? Recipe `fast` against others, in turn.

    python benchmarks/time_to_99.py [--seeds 10] [--epochs 12] [--peers PYTHON] [--turns 3]

The clock of `fast` runs from uint8 images in memory to final weights, and every seed trains to its end; a part of the
seeds is trained before each turn of the others and the rest after the last. The clock of the MNIST tutorials' loops
runs until their test accuracy first reaches 99.0 %; they score the test set as often as their authors have it, so their
time is given with that scoring and without. The clock of other libraries' own examples (`peers.py`, run by the Python
of their environment) runs until the end of the first epoch with 99.0 %; they run once, in the first turn, since one run
of all takes a quarter of an hour. A loop that does not get there is not run again either.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import tutorial_loop
from peers import PEERS
from report import write_result

from skconv import load_dataset, load_recipe

LOOPS = {
    "t2-mnist-sequential": tutorial_loop.train_sequential,
    "t5-convnet-avgpool": tutorial_loop.train_average_pooling,
}


def run_fast(dataset, seed: int) -> tuple[float, float]:
    """Return (seconds, test accuracy) of one training."""
    estimator = load_recipe("fast").create_estimator(random_state=seed)
    estimator.fit(dataset.train_images, dataset.train_labels)
    return estimator.fit_seconds_, float(estimator.score(dataset.test_images, dataset.test_labels))


def run_loop(name: str, dataset, epochs: int, seed: int) -> dict:
    """Return seconds to 99.0 %, with the loop's own scoring and without, None if not reached, and the curve."""
    curve, scoring = [], 0.0
    for iteration, training, scored, accuracy in LOOPS[name](dataset, epochs=epochs, seed=seed):
        curve.append({"iterations": iteration, "seconds": training, "accuracy": accuracy})
        scoring = scored
        if accuracy >= 0.99:
            break
    print(f"{name}: {iteration} iterations, {training:.1f} s of training, {accuracy:.4f}", flush=True)
    reached = accuracy >= 0.99
    return {
        "seconds": training + scoring if reached else None,
        "training_seconds": training if reached else None,
        "curve": curve,
    }


def run_peer(python: str, name: str, epochs: int, seed: int) -> dict:
    """Return seconds until 99.0 %, None if not reached, and the curve of (seconds, accuracy) by epochs."""
    script = Path(__file__).with_name("peers.py")
    command = [python, str(script), name, "--epochs", str(epochs), "--seed", str(seed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    curve = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    last = curve[-1]
    print(f"{name}: {last['epoch']} epochs, {last['seconds']:.1f} s, {last['accuracy']:.4f}", flush=True)
    return {"seconds": last["seconds"] if last["accuracy"] >= 0.99 else None, "curve": curve}


def describe(runs: list[dict], beside: list[float]) -> dict:
    """Return the runs of one of the others, and the median over its turns of its time over that of `fast` beside it."""
    found: dict = {"runs": runs}
    for key in ("seconds", "training_seconds"):
        times = [run.get(key) for run in runs]
        if None not in times:
            found[f"{key}_median"] = statistics.median(times)
            ratios = [time / fast for time, fast in zip(times, beside, strict=False)]
            found[f"{key}_ratio"] = statistics.median(ratios)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12, help="patience with the others")
    parser.add_argument("--peers", help="Python of an environment with requirements.txt and skconv")
    parser.add_argument("--turns", type=int, default=3, help="how often each loop is run")
    options = parser.parse_args()
    if options.turns < 1 or options.seeds < options.turns + 1:
        parser.error("--turns must be at least 1, and there must be more --seeds: some are trained between all turns")
    dataset = load_dataset("mnist")
    others: dict[str, Callable[[int], dict]] = {
        name: partial(run_loop, name, dataset, options.epochs) for name in LOOPS
    }
    if options.peers:
        others |= {name: partial(run_peer, options.peers, name, options.epochs) for name in PEERS}
    parts = np.array_split(np.arange(options.seeds), options.turns + 1)
    found: dict[str, list[dict]] = {name: [] for name in others}
    groups: list[list[tuple[float, float]]] = []  # (seconds, accuracy), before each turn and after the last
    for turn, seeds in enumerate(parts):
        groups.append([run_fast(dataset, int(seed)) for seed in seeds])
        if turn == options.turns:
            break
        for name, run in others.items():
            if turn == 0 or (name in LOOPS and all(earlier["seconds"] for earlier in found[name])):
                found[name].append(run(turn))
    seconds, accuracies = zip(*(run for group in groups for run in group), strict=True)
    beside = [statistics.median(run[0] for run in before + after) for before, after in pairwise(groups)]
    result = {
        "seeds": options.seeds,
        "fast_accuracy_mean": statistics.mean(accuracies),
        "fast_accuracy_sd": statistics.stdev(accuracies),
        "fast_accuracies": accuracies,
        "fast_seconds_median": statistics.median(seconds),
        "fast_seconds": seconds,
        "others": {name: describe(each, beside) for name, each in found.items()},
    }
    write_result("time_to_99", result)


if __name__ == "__main__":
    main()
