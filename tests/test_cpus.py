"""Processors that the process may use, and load of other programs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skconv import cpus
from skconv.cpus import CpuLoad, count_cpus


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Return a function that writes a system file; the process may use 8 processors."""
    monkeypatch.setattr(cpus, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(cpus, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "_list_cpus", lambda: set(range(8)))

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs an affinity")
def test_affinity_limits_the_processors(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert count_cpus() <= len(os.sched_getaffinity(0))
    script = "import os; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]); from skconv.cpus import count_cpus"
    assert subprocess.check_output([sys.executable, "-c", f"{script}; print(count_cpus())"], text=True) == "1\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "nonsense"}, 8),
        (
            "0::/user.slice/run.scope\n",
            {"user.slice/cpu.max": "200000 100000\n", "user.slice/run.scope/cpu.max": "max 1"},
            2,
        ),
        ("0::/outside/of/container\n", {"cpu.max": "400000 100000\n"}, 4),
        (
            "5:cpuset:/\n3:cpu,cpuacct:/docker/1\n",
            {"cpu,cpuacct/docker/1/cpu.cfs_quota_us": "200000", "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000"},
            2,
        ),
        ("3:cpu:/job/step\n", {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "20000"}, 5),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_quotas_of_containers_limit_the_processors(system, groups, files, expected):
    system("proc/self/cgroup", groups)
    for name, text in files.items():
        system(f"cgroup/{name}", text)
    assert count_cpus() == expected


def test_processors_without_cgroups_are_all_used(system):
    assert count_cpus() == 8


def stat(busy, nice, idle):
    rows = [f"cpu{number} {busy} {nice} 0 {idle} 0 0 0 0 0 0" for number in range(8)]
    return "\n".join(["cpu  0 0 0 0 0 0 0 0 0 0", *rows, "intr 0"])


@pytest.mark.parametrize(
    ("busy", "nice", "idle", "free"),
    [(0, 0, 10, 8.0), (5, 0, 5, 4.0), (0, 10, 0, 8.0), (10, 0, 0, 0.0)],
)
def test_free_processors_exclude_those_of_other_programs(system, monkeypatch, busy, nice, idle, free):
    now = iter([0.0, 0.1, 0.1])
    monkeypatch.setattr(cpus.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(cpus.time, "process_time", lambda: 0.0)
    monkeypatch.setattr(cpus.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(cpus.os, "nice", lambda increment: 0)
    system("proc/stat", stat(0, 0, 0))
    load = CpuLoad()
    system("proc/stat", stat(busy, nice, idle))
    assert load.count_free() == pytest.approx(free)


@pytest.mark.parametrize("text", [None, "", "cpu0 x", stat(0, 0, 0)])
def test_unreported_load_is_none(system, monkeypatch, text):
    if text is not None:
        system("proc/stat", text)  # the last one does not count time, as in some sandboxes
    load = CpuLoad()
    time.sleep(0.01)
    assert load.count_free() is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_own_processor_time_is_free():
    load, own, start = CpuLoad(), time.process_time(), time.perf_counter()
    while time.perf_counter() - start < 0.5:
        pass
    share = (time.process_time() - own) / (time.perf_counter() - start)  # below 1 if other programs run
    free = load.count_free()
    assert free is None or share - 0.2 < free <= len(os.sched_getaffinity(0))
