"""Number of threads for training and prediction, adapted to the processors that other programs use.

At every layer, all threads wait for the slowest thread. If another program uses its processor, two threads take several
times as long as one, because each wait lasts until the system's scheduler gives the thread a turn.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from skconv.cpus import CpuLoad, count_cpus

_WINDOW = 0.1  # seconds per measurement
_N_LOWER, _N_RAISE = 3, 10  # measurements in a row before the number is changed, so that short tasks have no effect
_N_LONG = 2  # maximum weight of a long measurement: before training, programs that would yield to it may be running
_SLACK = 0.4  # other programs may use this fraction of a processor; one thread less would cost more time
_FRESH = 5.0  # seconds; older measurements, of the last run or prediction, are discarded
_local = threading.local()  # `count`: the last `ThreadCount` of this thread; `active`: the `ThreadUse` in use, or None
_is_forked = False
_has_warned = False  # of other programs, in this process


def _use_one_thread() -> None:
    global _is_forked
    _is_forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # The OpenMP threads of the parent do not exist in a forked process, which would wait for them forever.
    os.register_at_fork(after_in_child=_use_one_thread)


class ThreadCount:
    """Number of threads, at most `n_max`, for the processors that other programs leave free.

    Without other programs, the number is always `n_max`.
    """

    def __init__(self, n_max: int) -> None:
        self.n_max = self.n = n_max
        self._load = CpuLoad()
        self._measured: deque[int] = deque(maxlen=_N_RAISE)

    @property
    def seconds(self) -> float:
        """Seconds since the last measurement."""
        return self._load.seconds

    def update(self) -> bool:
        """Measure if the last measurement is 0.1 s old; return whether the number has changed."""
        seconds = self._load.seconds
        if self.n_max == 1 or seconds < _WINDOW:
            return False
        free = self._load.count_free()
        if free is None:
            return False
        usable = min(max(math.floor(free + _SLACK), 1), self.n_max)
        self._measured.extend([usable] * min(int(seconds / _WINDOW), _N_LONG))
        latest, before = list(self._measured), self.n
        if len(latest) >= _N_LOWER and max(latest[-_N_LOWER:]) < self.n:
            self.n = max(latest[-_N_LOWER:])
        elif len(latest) == _N_RAISE and min(latest) > self.n:
            self.n = min(latest)
        return self.n != before


class ThreadUse:
    """Threads of a `use_threads` block; `lowest` is their minimum number so far."""

    def __init__(self, count: ThreadCount, n_fixed: int | None, *, adapt: bool, warn: bool) -> None:
        self._count, self._n_fixed, self._adapt, self._warn = count, n_fixed, adapt, warn
        self.lowest = self._set()

    @property
    def n_max(self) -> int:
        """Number of threads without other programs."""
        return self._count.n_max if self._n_fixed is None else self._n_fixed

    def update(self) -> None:
        """Measure, and adapt torch's number of threads if it is not fixed; warn once per process of other programs."""
        if not self._adapt:
            return
        global _has_warned
        self._count.update()
        if self._warn and not _has_warned and self._count.n < self._count.n_max:
            _has_warned = True
            warnings.warn(self._describe_busy(), stacklevel=2)
        self.lowest = min(self.lowest, self._set())

    def _set(self) -> int:
        n = self._count.n if self._adapt and self._n_fixed is None else self.n_max
        if n != torch.get_num_threads():
            torch.set_num_threads(n)
        return n

    def _describe_busy(self) -> str:
        n, n_max = self._count.n, self._count.n_max
        if self._n_fixed is None:
            return (
                f"Other programs use the processors: continuing with {n} of {n_max} threads. For weights that do not "
                "depend on other programs, set n_threads (--threads)."
            )
        return (
            f"Other programs use the processors, so {self._n_fixed} threads may be several times slower than {n}. "
            f"Set n_threads (--threads) to {n}, or to 'auto' to adapt the number."
        )


@contextmanager
def use_threads(n_threads: int | str, *, adapt: bool = True, warn: bool = False) -> Iterator[ThreadUse]:
    """Set torch's number of threads in the block, and restore it after the block.

    Parameters
    ----------
    n_threads : int or "auto"
        Number of threads. "auto" is torch's number (``torch.set_num_threads``, ``OMP_NUM_THREADS``, or all processors),
        but at most the processors that this process may use. Each call of `adapt_threads` in the block adapts the
        number to the processors that other programs leave free. In a nested block, "auto" does not change the number. A
        forked process always uses one thread.
    adapt : bool, default=True
        False for a constant number without measurement.
    warn : bool, default=False
        Warn once per process if other programs use the processors, and if a forked process cannot use `n_threads`.
    """
    outer: ThreadUse | None = getattr(_local, "active", None)
    if outer is not None and n_threads == "auto":
        yield outer
        return
    before = torch.get_num_threads()
    if _is_forked and n_threads not in ("auto", 1):
        if warn:
            warnings.warn(
                f"n_threads is {n_threads}, but a forked process can use only 1 thread; the weights may differ from "
                "those of another process in the last digits. Start processes with 'spawn' or 'forkserver' instead.",
                stacklevel=3,  # beyond contextlib
            )
        n_threads = 1
    n_fixed = None if n_threads == "auto" else int(n_threads)
    _local.active = ThreadUse(_get_count(n_threads), n_fixed, adapt=adapt, warn=warn)
    try:
        yield _local.active
    finally:
        _local.active = outer
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def adapt_threads() -> None:
    """Adapt the number of threads of the current `use_threads` block; without a block it has no effect."""
    active: ThreadUse | None = getattr(_local, "active", None)
    if active is not None:
        active.update()


def count_max_threads() -> int:
    """Return the number of threads that the current `use_threads` block has without other programs."""
    active: ThreadUse | None = getattr(_local, "active", None)
    return torch.get_num_threads() if active is None else active.n_max


def start_measurement(n_threads: int | str) -> None:
    """Start to measure the processors for a following ``use_threads(n_threads)``."""
    _get_count(n_threads)


def _get_count(n_threads: int | str) -> ThreadCount:
    """Return the last `ThreadCount` of this thread if it has the same maximum and is recent, else a new one."""
    n_max = min(torch.get_num_threads() if n_threads == "auto" else int(n_threads), count_cpus())
    count: ThreadCount | None = getattr(_local, "count", None)
    if count is None or count.n_max != n_max or count.seconds > _FRESH:
        count = _local.count = ThreadCount(n_max)
    return count
