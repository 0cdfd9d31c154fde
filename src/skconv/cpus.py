"""Processors (CPUs) that this process may use, and how many of them other programs use."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC, _CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_NICE, _IDLE, _IOWAIT = 1, 3, 4  # columns of a processor in /proc/stat
_N_COLUMNS = 8  # later columns are already included in the first two
_MIN_COUNTED = 0.5  # fraction of the elapsed time; some sandboxes do not count the time of processors


def count_cpus() -> int:
    """Return the number of processors that this process may use, at least 1.

    It is limited by the affinity of the process and by the processor quota of its container or cgroup, rounded down.
    """
    n = len(_list_cpus())
    return max(1, int(min([n, *_read_quotas()])))


class CpuLoad:
    """Measurement of the processors that other programs leave free, from one call to the next.

    Programs with a lower priority than this process do not count, because they give way to it. The time is counted in
    ticks of 10 ms, so a measurement over 0.1 s has an error of about 0.1 processors.
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._start, self._own, self._times = time.monotonic(), time.process_time(), _read_cpu_times()

    @property
    def seconds(self) -> float:
        """Seconds since the last measurement."""
        return time.monotonic() - self._start

    def count_free(self) -> float | None:
        """Return the mean number of processors since the last measurement that no other program used.

        Return None if the system does not report the use of processors, as all systems except Linux.
        """
        start, own, before = self._start, self._own, self._times
        self._restart()
        seconds, n_cpus = self._start - start, len(_list_cpus())
        if before is None or self._times is None or seconds <= 0:
            return None
        total, idle = (new - old for new, old in zip(self._times, before, strict=True))
        if total < _MIN_COUNTED * n_cpus * seconds:
            return None
        others = (total - idle - (self._own - own)) / seconds
        return n_cpus - max(0.0, others)


def _list_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _read_cpu_times() -> tuple[float, float] | None:
    """Return the total and the idle seconds of the processors of this process; None if they are not reported."""
    cpus = {f"cpu{number}" for number in _list_cpus()}
    rows = []
    try:
        idle = (_IDLE, _IOWAIT) if os.nice(0) > 0 else (_IDLE, _IOWAIT, _NICE)
        with (_PROC / "stat").open(encoding="ascii") as lines:
            for line in lines:
                name, *columns = line.split()
                if not name.startswith("cpu"):
                    break
                if name in cpus:
                    rows.append([int(column) for column in columns[:_N_COLUMNS]])
        tick = 1 / os.sysconf("SC_CLK_TCK")
        return sum(map(sum, rows)) * tick, sum(row[column] for row in rows for column in idle) * tick
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux, or a sandbox
        return None


def _read_quotas() -> Iterator[float]:
    """Yield the processor quotas of this process's cgroups, versions 1 and 2, and of the groups above them."""
    with suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            for root in [_CGROUP, _CGROUP / "unified"] if not controllers else [_CGROUP / "cpu", _CGROUP / controllers]:
                group = root / path.lstrip("/")
                # In a container, the path may be that of the host; the root is then the container's group.
                for folder in {root, group, *(parent for parent in group.parents if parent.is_relative_to(root))}:
                    yield from _read_quota(folder)


def _read_quota(folder: Path) -> Iterator[float]:
    """Yield the quota of one cgroup in processors, or nothing if it has none."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        yield int(quota) / int(period)  # "max" means no quota and raises ValueError
    with suppress(OSError, ValueError):
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        quota_us, period_us = (int((folder / name).read_text()) for name in names)
        if quota_us > 0:  # -1 means no quota
            yield quota_us / period_us
