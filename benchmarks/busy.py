"""Training time while other programs use the processors.

    python benchmarks/busy.py [--runs 5] [--share 1.0] [--fixed]

Times `fit` of the recipe `fast`, of `standard` (one epoch) and of 500 images of 28×28 with 0, 1 and 2 endless loops
beside it, interleaved, each in its own process. The reference is a fixed number of threads, one per processor, without
a loop. `--share` uses a share of the images, or of the epochs for 500 images. `--fixed` also measures the fixed number
of threads beside the loops, which takes several times as long.

"others" is the number of processors that all other programs used. On a shared machine it is above 0 without a loop.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from report import write_result

CASES = ("fast", "standard", "500 images")
LOOPS = (0, 1, 2)
LIMITS = {0: 1.03, 1: 2.5, 2: 4.0}  # times the reference


def time_fit(case: str, n_threads: int | str, share: float) -> dict:
    """Return seconds, minimum number of threads, and processors used by other programs during one `fit`."""
    from skconv import CNNClassifier, load_dataset, load_recipe
    from skconv.cpus import CpuLoad, count_cpus

    data = load_dataset("mnist")
    n = 500 if case == "500 images" else round(share * len(data.train_labels))
    if case == "500 images":
        estimator = CNNClassifier(random_state=0, max_epochs=max(1, round(100 * share)))
    else:
        estimator = load_recipe(case).create_estimator(random_state=0)  # `fast` trains less than an epoch
        estimator.set_params(max_epochs=1 if case == "standard" else estimator.max_epochs)
    estimator.set_params(n_threads=n_threads)
    load, start = CpuLoad(), time.perf_counter()
    estimator.fit(data.train_images[:n], data.train_labels[:n])
    seconds, free = time.perf_counter() - start, load.count_free()
    others = None if free is None else count_cpus() - free
    return {"seconds": seconds, "threads": estimator.n_threads_, "others": others}


@contextmanager
def endless_loops(n: int) -> Iterator[None]:
    """Run programs that each use one processor."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def time_in_process(case: str, n_threads: int | str, n_loops: int, share: float) -> dict:
    command = [sys.executable, "-W", "ignore", __file__, "--one", case, str(n_threads), "--share", str(share)]
    with endless_loops(n_loops):
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def describe(runs: list[dict]) -> dict:
    seconds = [run["seconds"] for run in runs]
    return {
        "seconds": seconds,
        "mean": statistics.mean(seconds),
        "sd": statistics.stdev(seconds) if len(seconds) > 1 else None,
        "threads": [run["threads"] for run in runs],
        "others": [run["others"] for run in runs],
    }


def measure(case: str, n_cpus: int, options: argparse.Namespace) -> dict:
    arms = [(n_cpus, 0), *(("auto", n_loops) for n_loops in LOOPS)]
    if options.fixed:
        arms += [(n_cpus, n_loops) for n_loops in LOOPS[1:]]
    times: dict = {arm: [] for arm in arms}
    for _ in range(options.runs):
        for n_threads, n_loops in arms:
            times[n_threads, n_loops].append(time_in_process(case, n_threads, n_loops, options.share))
    reference = describe(times[n_cpus, 0])
    figures: dict = {"reference": reference}
    for (n_threads, n_loops), runs in times.items():
        if (n_threads, n_loops) != (n_cpus, 0):
            row = describe(runs)
            row["times the reference"] = row["mean"] / reference["mean"]
            row["limit"] = LIMITS[n_loops] if n_threads == "auto" else None
            figures[f"{n_threads} threads, {n_loops} loops"] = row
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        case, n_threads = options.one
        print(json.dumps(time_fit(case, n_threads if n_threads == "auto" else int(n_threads), options.share)))
        return
    from skconv.cpus import count_cpus

    n_cpus = count_cpus()
    os.environ["OMP_NUM_THREADS"] = str(n_cpus)
    figures = {case: measure(case, n_cpus, options) for case in options.cases}
    write_result("busy", {"runs": options.runs, "share": options.share, **figures})


if __name__ == "__main__":
    main()
