"""Killed and resumed runs: equality with an uninterrupted run.

    python benchmarks/kills.py [--runs 50] [--writes 200]

Trains recipe `standard` on 1,000 of MNIST's images with a checkpoint after every step, in child processes with one
thread, so that results are comparable on any machine.

- **runs**: each run is killed by SIGKILL once or twice, at uniformly random moments, and resumed; the differences
  of weights, history and predictions from the uninterrupted training are measured.
- **writes**: each kill falls into the write of a checkpoint; counted is how often the checkpoint left cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from report import write_result

from skconv import CNNClassifier, load_dataset, load_recipe
from skconv.model_io.checkpoints import CheckpointFolder
from skconv.training import checkpointing

IMAGES, TESTED = 1000, 500
EPOCHS = 2


def train(checkpoint: Path | None, result: Path) -> None:
    """Train, and write weights, history and predictions to a file."""
    mnist = load_dataset("mnist")
    settings = {"max_epochs": EPOCHS, "checkpoint": checkpoint, "precision": "fp32"}
    classifier: CNNClassifier = load_recipe("standard").create_estimator(random_state=0).set_params(**settings)
    classifier.fit(np.array(mnist.train_images[:IMAGES]), np.array(mnist.train_labels[:IMAGES]))
    weights = {name: tensor.numpy() for name, tensor in classifier.net_.module_.state_dict().items()}
    history = [[row[key] for key in sorted(row) if key not in ("seconds", "epoch")] for row in classifier.history_]
    probabilities = classifier.predict_proba(np.array(mnist.test_images[:TESTED]))
    with result.open("wb") as file:
        np.savez(file, history=np.array(history, np.float64), probabilities=probabilities, **weights)


def start(work: Callable[[], None]) -> int:
    """Run the work in a child process and return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def end(child: int, seconds: float | None = None) -> int:
    """Kill the child after `seconds`, or wait for its end; return its exit status, negative for a signal."""
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def measure_difference(one: Path, other: Path) -> float:
    """Return the largest absolute difference between the numbers in two results."""
    with np.load(one) as first, np.load(other) as second:
        assert set(first) == set(second)
        return max(float(np.abs(first[name].astype(float) - second[name].astype(float)).max()) for name in first)


def kill_runs(work: Path, plain: Path, length: float, n_runs: int) -> dict:
    """Kill runs at random moments, resume them, and compare the results."""
    rng = random.Random(0)
    n_kills, differences = 0, []
    for run in range(n_runs):
        folder, result = work / f"run-{run}", work / f"run-{run}.npz"
        for _ in range(1 + run % 2):
            child = start(lambda folder=folder, result=result: train(folder, result))
            n_kills += end(child, rng.uniform(0, length)) == -signal.SIGKILL
        assert end(start(lambda folder=folder, result=result: train(folder, result))) == 0
        differences.append(measure_difference(plain, result))
        print(f"run {run}: {n_kills} kills so far, max difference {differences[-1]}", flush=True)
    return {"runs": n_runs, "killed": n_kills, "largest difference": max(differences)}


def kill_writes(work: Path, n_kills: int) -> dict:
    """Kill runs while they write a checkpoint, and read the remaining checkpoint."""
    reading, writing = os.pipe()
    write = CheckpointFolder.write

    def write_and_signal(self: CheckpointFolder, *arguments: object) -> None:
        os.write(writing, b"w")
        write(self, *arguments)
        os.write(writing, b"d")

    CheckpointFolder.write = write_and_signal  # type: ignore[method-assign]
    rng = random.Random(1)
    durations: list[float] = []
    counts = {"killed while writing": 0, "unloadable": 0, "parts left": 0}
    trainings = 0
    folder = work / "writes-0"
    while counts["killed while writing"] < n_kills:
        child = start(lambda folder=folder: train(folder, work / "writes.npz"))
        n_written = rng.randrange(1, 4)  # writes before the kill
        for _ in range(n_written):
            wait_for(reading, child, b"w")
            start_time = time.perf_counter()
            wait_for(reading, child, b"d")
            durations.append(time.perf_counter() - start_time)
        alive = wait_for(reading, child, b"w")
        status = end(child, rng.uniform(0, statistics.median(durations)) if alive else None)
        if alive and status == -signal.SIGKILL:
            wrote = os.read(reading, 1) if ready(reading) else b""
            counts["killed while writing"] += wrote != b"d"
            counts["parts left"] += any(folder.glob(".skconv-*.part"))
            counts["unloadable"] += not is_whole(folder)
        else:  # the run has ended: start another
            trainings += 1
            folder = work / f"writes-{trainings}"
    return {**counts, "seconds per write": statistics.median(durations)}


def ready(pipe: int) -> bool:
    """Return whether the pipe has data."""
    return bool(select.select([pipe], [], [], 0)[0])


def wait_for(pipe: int, child: int, word: bytes) -> bool:
    """Wait for a byte of the child; return False if it ended without sending it."""
    while True:
        if ready(pipe):
            if os.read(pipe, 1) == word:
                return True
        elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
        else:
            time.sleep(0.0002)


def is_whole(folder: Path) -> bool:
    """Return whether the last checkpoint can be read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return CheckpointFolder(folder, read_training(folder)).read() is not None
        except Exception as error:  # any error is counted
            print(f"unloadable: {error}", flush=True)
            return False


def read_training(folder: Path) -> dict:
    """Return the description of the run in its last checkpoint."""
    last = max(each for each in folder.iterdir() if each.name.startswith("checkpoint-"))
    return json.loads((last / "checkpoint.json").read_text())["training"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--writes", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    # A checkpoint after every step, so that many kills fall into a write.
    checkpointing.SECONDS, checkpointing._INITIAL_COST, checkpointing._MAX_OVERHEAD = 0.0, 0.0, 1e9
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        start_time = time.perf_counter()
        assert end(start(lambda: train(work / "plain", work / "with.npz"))) == 0
        length = time.perf_counter() - start_time
        assert end(start(lambda: train(None, work / "plain.npz"))) == 0
        figures = {
            "seconds per training": length,
            "max difference with and without checkpoints": measure_difference(work / "plain.npz", work / "with.npz"),
            "runs": kill_runs(work, work / "plain.npz", length, options.runs),
            "writes": kill_writes(work, options.writes),
        }
    write_result("kills", figures)


if __name__ == "__main__":
    main()
