"""Environment of a process: package versions, threads, processor, GPU."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

_PACKAGES = ("skconv", "torch", "skorch", "scikit-learn", "numpy", "onnx", "onnxruntime", "safetensors")


def describe_environment(command: str = "") -> dict[str, Any]:
    """Return the hardware and software of this process as JSON values.

    Parameters
    ----------
    command : str, default=""
        Command line that reproduces the model; left out if empty.

    Returns
    -------
    dict
        ``versions`` (package name → version), ``threads``, ``processor``, ``system``, ``gpu`` if this process uses
        one, and ``command``.

    Examples
    --------
    >>> sorted(describe_environment("skconv train mnist"))
    ['command', 'processor', 'system', 'threads', 'versions']
    """
    from importlib import metadata

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    description: dict[str, Any] = {
        "versions": versions,
        "threads": _count_threads(),
        "processor": _find_processor(),
        "system": platform.system(),
    }
    if gpu := _find_gpu():
        description["gpu"] = gpu
    if command:
        description["command"] = command
    return description


def read_version() -> str:
    """Return the version of skconv, ``"unknown"`` if it is not installed."""
    from importlib import metadata

    try:
        return metadata.version("skconv")
    except metadata.PackageNotFoundError:
        return "unknown"


def _count_threads() -> int:
    torch = sys.modules.get("torch")  # importing it would take seconds
    if torch is not None:
        return int(torch.get_num_threads())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _find_gpu() -> str:
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_initialized() else ""


def _find_processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"
