"""What a model was made with: versions, threads, processor."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

_PACKAGES = ("skconv", "torch", "skorch", "scikit-learn", "numpy", "onnx", "onnxruntime", "safetensors")


def describe_environment(command: str = "") -> dict[str, Any]:
    """Say what this process runs on, as plain JSON values.

    Every figure stands beside the hardware and the versions it was measured with.

    Parameters
    ----------
    command : str, default ""
        The command line that makes the model again; kept only where it is given.

    Returns
    -------
    dict
        ``versions`` (package name → version), ``threads``, ``processor``, ``system``, ``gpu`` where this process uses
        one, and perhaps ``command``.

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
        "processor": _name_processor(),
        "system": platform.system(),
    }
    gpu = _name_gpu()
    if gpu:
        description["gpu"] = gpu
    if command:
        description["command"] = command
    return description


def read_version() -> str:
    """Return skconv's own version, ``"unknown"`` where it runs without being installed."""
    from importlib import metadata

    try:
        return metadata.version("skconv")
    except metadata.PackageNotFoundError:
        return "unknown"


def _count_threads() -> int:
    torch = sys.modules.get("torch")  # asked where it is loaded, never loaded to be asked
    if torch is not None:
        return int(torch.get_num_threads())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name_gpu() -> str:
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_initialized() else ""


def _name_processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"
