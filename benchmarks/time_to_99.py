"""How long until 99.0 % of MNIST's test digits are read right? Recipe `fast` against others, in one run.

    python benchmarks/time_to_99.py [--seeds 10] [--epochs 12] [--peers PYTHON] [--turns 1]

The clock of `fast` runs from uint8 images in memory to final weights, and every seed trains to its end. The clock of
the tutorial's loop runs until its test accuracy first reaches 99.0 %; it scores the test set every 50 iterations, as
its author has it, so its time is given with that scoring and without. The clock of other libraries' own examples
(`peers.py`, run by the Python of their environment) runs until the end of the first epoch with 99.0 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from pathlib import Path

import tutorial_loop
from peers import PEERS
from report import write_result

from skconv import load_dataset, load_recipe


def run_fast(dataset, seed: int) -> tuple[float, float]:
    """Return (seconds, test accuracy) of one training."""
    estimator = load_recipe("fast").create_estimator(random_state=seed)
    estimator.fit(dataset.train_images, dataset.train_labels)
    return estimator.fit_seconds_, float(estimator.score(dataset.test_images, dataset.test_labels))


def run_tutorial(dataset, epochs: int) -> dict[str, float | None]:
    """Return iterations and seconds to 99.0 %, with the loop's own scoring and without; None if not reached."""
    for iteration, training, scoring, accuracy in tutorial_loop.train_sequential(dataset, epochs=epochs):
        if iteration % 300 == 0:
            print(f"tutorial: {iteration:5d} iterations, {training:6.1f} s, test accuracy {accuracy:.4f}", flush=True)
        if accuracy >= 0.99:
            return {"iterations": iteration, "seconds": training + scoring, "training_seconds": training}
    return {"iterations": None, "seconds": None, "training_seconds": None}


def run_peer(python: str, name: str, epochs: int, seed: int) -> dict:
    """Return seconds until 99.0 %, None if not reached, and the curve of (seconds, accuracy) by epochs."""
    script = Path(__file__).with_name("peers.py")
    command = [python, str(script), name, "--epochs", str(epochs), "--seed", str(seed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    curve = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    last = curve[-1]
    print(f"{name}: {last['epoch']} epochs, {last['seconds']:.1f} s, {last['accuracy']:.4f}", flush=True)
    return {"seconds": last["seconds"] if last["accuracy"] >= 0.99 else None, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=12, help="patience with the tutorial's loop")
    parser.add_argument("--peers", help="Python of an environment with requirements.txt and skconv")
    parser.add_argument("--turns", type=int, default=1, help="how often each of the others is run")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds must be at least 2: the figures have a standard deviation")
    dataset = load_dataset("mnist")
    before = [run_fast(dataset, seed) for seed in range(options.seeds // 2)]
    tutorial = run_tutorial(dataset, options.epochs)
    peers: dict[str, list[dict]] = {name: [] for name in PEERS} if options.peers else {}
    for turn in range(options.turns):
        for name, found in peers.items():
            found.append(run_peer(options.peers, name, options.epochs, turn))
    runs = before + [run_fast(dataset, seed) for seed in range(options.seeds // 2, options.seeds)]
    seconds, accuracies = zip(*runs, strict=True)
    median = statistics.median(seconds)
    result = {
        "seeds": options.seeds,
        "fast_accuracy_mean": statistics.mean(accuracies),
        "fast_accuracy_sd": statistics.stdev(accuracies),
        "fast_accuracies": accuracies,
        "fast_seconds_median": median,
        "fast_seconds": seconds,
        "tutorial_to_99": tutorial,
        "ratio": tutorial["seconds"] and tutorial["seconds"] / median,
        "ratio_without_scoring": tutorial["training_seconds"] and tutorial["training_seconds"] / median,
    }
    times = {name: [run["seconds"] for run in found] for name, found in peers.items()}
    result["peers"] = {
        name: {"seconds": times[name], "curves": [run["curve"] for run in peers[name]]} for name in peers
    }
    result["peers_ratio"] = {
        name: statistics.median(seconds) / median for name, seconds in times.items() if None not in seconds
    }
    write_result("time_to_99", result)


if __name__ == "__main__":
    main()
