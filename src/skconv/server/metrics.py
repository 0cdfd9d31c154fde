"""`Metrics`: counters in Prometheus' text form, summed over the processes that serve one port."""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path

import numpy as np

PATHS = ("/v1/predict", "/v1/read", "/v1/model", "/livez", "/readyz", "/metrics", "/openapi.json", "page")
STATUSES = ("200", "304", "400", "404", "405", "408", "413", "415", "422", "429", "500", "503", "other")
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds, of the histogram

_N_PATHS, _N_STATUSES, _N_BOUNDS = len(PATHS), len(STATUSES), len(BOUNDS)
_SIZES = {
    "requests": _N_PATHS * _N_STATUSES,
    "seconds": _N_PATHS * (_N_BOUNDS + 1),  # how many took at most each bound, and any time
    "seconds_sum": _N_PATHS,
    "images": 1,
    "runs": 1,
}
_STARTS = dict(zip(_SIZES, np.cumsum([0, *_SIZES.values()])[:-1].tolist(), strict=True))
_TOTAL = sum(_SIZES.values())


class Metrics:
    """Counts what a service does.

    Each process counts in a file of its own, so that none waits for another; any of them answers for all.

    Parameters
    ----------
    folder : path-like
        Where the processes of one service keep their counts; it must exist.

    Examples
    --------
    >>> import tempfile
    >>> metrics = Metrics(tempfile.mkdtemp())
    >>> metrics.count("/v1/read", 200, 0.02, images=1)
    >>> 'skconv_requests_total{path="/v1/read",status="200"} 1' in metrics.to_text()
    True
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        file = self._folder / f"{os.getpid()}.counts"
        mapped = np.memmap(file, np.float64, "r+" if file.exists() else "w+", shape=(_TOTAL,))
        self._counts = mapped.view(np.ndarray)  # the same memory; a map takes ten times as long to count in

    def count(self, path: str, status: int, seconds: float, *, images: int = 0) -> None:
        """Count one request by what it asked for, its answer and the time it took."""
        row = PATHS.index(path) if path in PATHS else _N_PATHS - 1
        column = STATUSES.index(str(status)) if str(status) in STATUSES else _N_STATUSES - 1
        self._counts[_STARTS["requests"] + row * _N_STATUSES + column] += 1
        place = _STARTS["seconds"] + row * (_N_BOUNDS + 1)
        first = bisect_left(BOUNDS, seconds)
        self._counts[place + first : place + _N_BOUNDS + 1] += 1
        self._counts[_STARTS["seconds_sum"] + row] += seconds
        if status == 200:
            self._counts[_STARTS["images"]] += images

    def set_runs(self, runs: int) -> None:
        """Note how many times this process ran its network."""
        self._counts[_STARTS["runs"]] = runs

    def to_text(self) -> str:
        """Return the counts of all processes in Prometheus' text form."""
        files = sorted(self._folder.glob("*.counts"))
        counts = sum((np.fromfile(file, np.float64, _TOTAL) for file in files), np.zeros(_TOTAL))
        part = {name: counts[_STARTS[name] : _STARTS[name] + size] for name, size in _SIZES.items()}
        lines = ["# HELP skconv_requests_total Requests by path and status.", "# TYPE skconv_requests_total counter"]
        for path, row in zip(PATHS, part["requests"].reshape(_N_PATHS, -1), strict=True):
            lines += [
                f'skconv_requests_total{{path="{path}",status="{status}"}} {value:.0f}'
                for status, value in zip(STATUSES, row, strict=True)
                if value
            ]
        lines += [
            "# HELP skconv_request_seconds Time from the first byte to the answer.",
            "# TYPE skconv_request_seconds histogram",
        ]
        for path, row, total in zip(PATHS, part["seconds"].reshape(_N_PATHS, -1), part["seconds_sum"], strict=True):
            if row[-1]:
                bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
                lines += [
                    f'skconv_request_seconds_bucket{{path="{path}",le="{bound}"}} {value:.0f}'
                    for bound, value in zip(bounds, row, strict=True)
                ]
                lines.append(f'skconv_request_seconds_sum{{path="{path}"}} {total:.6f}')
                lines.append(f'skconv_request_seconds_count{{path="{path}"}} {row[-1]:.0f}')
        for name, told, value in (
            ("images", "Images answered.", part["images"][0]),
            (
                "network_runs",
                "Runs of the network for /v1/predict, each on the images that were ready.",
                part["runs"][0],
            ),
        ):
            lines += [f"# HELP skconv_{name}_total {told}", f"# TYPE skconv_{name}_total counter"]
            lines.append(f"skconv_{name}_total {value:.0f}")
        return "\n".join(lines) + "\n"
