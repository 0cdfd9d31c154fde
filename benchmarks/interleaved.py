"""Interleaved timing (A B A B), so that the drift of a shared machine's speed affects all functions alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

_T = TypeVar("_T")


def time_runs(
    functions: Mapping[str, Callable[[int], _T]], runs: int
) -> tuple[dict[str, list[float]], dict[str, list[_T]]]:
    """Call each function with the number of the run; return seconds and results by name."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    results: dict[str, list[_T]] = {name: [] for name in functions}
    for run in range(runs):
        for name, function in functions.items():
            start = time.perf_counter()
            results[name].append(function(run))
            seconds[name].append(time.perf_counter() - start)
    return seconds, results


def time_interleaved(functions: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each function in each run."""
    return time_runs({name: lambda _, call=call: call() for name, call in functions.items()}, runs)[0]


def describe_rates(seconds: Mapping[str, list[float]], n_images: int) -> dict:
    """Return median images per second, min and max seconds, and the speed of "ours" over each other."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "images": n_images,
        "runs": len(seconds["ours"]),
        "images per second": {name: n_images / median for name, median in medians.items()},
        "spread of seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "times as fast": {name: median / medians["ours"] for name, median in medians.items()},
    }
