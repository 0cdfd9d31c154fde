"""Time to 99.0 % test accuracy on MNIST: recipe `fast`, two tutorials' loops, other libraries' examples.

    python benchmarks/time_to_99.py [--seeds 10] [--epochs 12] [--peers PYTHON] [--rounds 3]

All are interleaved. `fast` is timed from uint8 images in memory to final weights, for every seed; some seeds are
trained before each round of the others and the rest after the last. The tutorials' loops are timed until their test
accuracy first reaches 99.0 %, with and without their own evaluation of the test set. Other libraries' examples
(`peers.py`, run by the Python of their environment) are timed until the end of the first epoch with 99.0 %. They run in
the first round only, because one run of all takes a quarter of an hour. A loop that does not reach 99.0 % is not
repeated.
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
    """Return (seconds, test accuracy) of one run."""
    estimator = load_recipe("fast").create_estimator(random_state=seed)
    estimator.fit(dataset.train_images, dataset.train_labels)
    return estimator.fit_seconds_, float(estimator.score(dataset.test_images, dataset.test_labels))


def run_loop(name: str, dataset, epochs: int, seed: int) -> dict:
    """Return the curve and the seconds to 99.0 % with and without the loop's own evaluation, None if not reached."""
    curve, evaluation = [], 0.0
    for iteration, training, evaluated, accuracy in LOOPS[name](dataset, epochs=epochs, seed=seed):
        curve.append({"iterations": iteration, "seconds": training, "accuracy": accuracy})
        evaluation = evaluated
        if accuracy >= 0.99:
            break
    print(f"{name}: {iteration} iterations, {training:.1f} s of training, {accuracy:.4f}", flush=True)
    reached = accuracy >= 0.99
    return {
        "seconds": training + evaluation if reached else None,
        "training_seconds": training if reached else None,
        "curve": curve,
    }


def run_peer(python: str, name: str, epochs: int, seed: int) -> dict:
    """Return the curve and the seconds to 99.0 %, None if not reached."""
    script = Path(__file__).with_name("peers.py")
    command = [python, str(script), name, "--epochs", str(epochs), "--seed", str(seed)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    curve = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    last = curve[-1]
    print(f"{name}: {last['epoch']} epochs, {last['seconds']:.1f} s, {last['accuracy']:.4f}", flush=True)
    return {"seconds": last["seconds"] if last["accuracy"] >= 0.99 else None, "curve": curve}


def describe(runs: list[dict], fast_seconds: list[float]) -> dict:
    """Return the runs, and the median over rounds of their time over that of `fast` in the same round."""
    figures: dict = {"runs": runs}
    for key in ("seconds", "training_seconds"):
        times = [run.get(key) for run in runs]
        if None not in times:
            figures[f"{key}_median"] = statistics.median(times)
            ratios = [time / fast for time, fast in zip(times, fast_seconds, strict=False)]
            figures[f"{key}_ratio"] = statistics.median(ratios)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12, help="maximum number of epochs of the others")
    parser.add_argument("--peers", help="Python of an environment with requirements.txt and skconv")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each loop")
    options = parser.parse_args()
    if options.rounds < 1 or options.seeds < options.rounds + 1:
        parser.error("--rounds must be at least 1, and --seeds greater than --rounds")
    dataset = load_dataset("mnist")
    others: dict[str, Callable[[int], dict]] = {
        name: partial(run_loop, name, dataset, options.epochs) for name in LOOPS
    }
    if options.peers:
        others |= {name: partial(run_peer, options.peers, name, options.epochs) for name in PEERS}
    parts = np.array_split(np.arange(options.seeds), options.rounds + 1)
    runs: dict[str, list[dict]] = {name: [] for name in others}
    groups: list[list[tuple[float, float]]] = []  # (seconds, accuracy), before each round and after the last
    for round_index, seeds in enumerate(parts):
        groups.append([run_fast(dataset, int(seed)) for seed in seeds])
        if round_index == options.rounds:
            break
        for name, run in others.items():
            if round_index == 0 or (name in LOOPS and all(earlier["seconds"] for earlier in runs[name])):
                runs[name].append(run(round_index))
    seconds, accuracies = zip(*(each for group in groups for each in group), strict=True)
    fast_seconds = [statistics.median(each[0] for each in before + after) for before, after in pairwise(groups)]
    result = {
        "seeds": options.seeds,
        "fast_accuracy_mean": statistics.mean(accuracies),
        "fast_accuracy_sd": statistics.stdev(accuracies),
        "fast_accuracies": accuracies,
        "fast_seconds_median": statistics.median(seconds),
        "fast_seconds": seconds,
        "others": {name: describe(each, fast_seconds) for name, each in runs.items()},
    }
    write_result("time_to_99", result)


if __name__ == "__main__":
    main()
