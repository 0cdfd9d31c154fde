"""Ways to do the same, timed in turn, so that the drift of a shared machine is in all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def time_in_turn(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Return the seconds that each way took, in each of so many turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def describe_rates(seconds: Mapping[str, list[float]], n_images: int) -> dict:
    """Return images a second by the median of the turns, the spread, and how many times as fast the way "ours" is."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "images": n_images,
        "runs": len(seconds["ours"]),
        "images a second": {name: n_images / median for name, median in medians.items()},
        "spread of seconds": {name: [min(times), max(times)] for name, times in seconds.items()},
        "times as fast": {name: median / medians["ours"] for name, median in medians.items()},
    }
