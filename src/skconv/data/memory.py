"""Free memory of the process, and arrays of images in memory or in a temporary file."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from skconv.data.content import cache_folder
from skconv.exceptions import DataError, OutputError

_SHARE = 0.5  # maximum share of the free memory for one array; training needs the rest
_DISK_SHARE = 0.9
_CHUNK = 4096  # images per copy
_GIB = 2**30
_CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60  # a larger cgroup limit means that there is no limit


def free_memory() -> int | None:
    """Return the memory in bytes that the process can allocate, or None if unknown.

    This is the available memory of the machine, or what the limits of the cgroups (containers) leave if that is less.
    """
    found = []
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")))
    found += _find_cgroup_memory()
    return max(0, min(found)) if found else None


def _find_cgroup_memory() -> list[int]:
    """Return the memory left by the limit of each cgroup of the process (cgroup versions 1 and 2)."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers in ("", "memory"):
                mount = _CGROUPS / controllers
                names = ("memory.max", "memory.current") if not controllers else (
                    "memory.limit_in_bytes", "memory.usage_in_bytes",
                )  # fmt: skip
                folder = mount / group.lstrip("/")
                for each in (folder, *folder.parents):
                    found += _read_limit(each, *names)
                    if each == mount:
                        break
    return found


def _read_limit(folder: Path, limit: str, usage: str) -> list[int]:
    with suppress(OSError, ValueError):  # cgroup v2 writes "max" for no limit
        allowed, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        if allowed >= _UNLIMITED:
            return []
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # The kernel frees cached files on demand.
        cached = statistics.get("inactive_file", statistics.get("total_inactive_file", 0))
        return [allowed - used + int(cached)]
    return []


def allocate_images(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised array uint8 for images (n, height, width, …), as `allocate_array` does."""
    what = f"{shape[0]:,} images of {shape[2]}×{shape[1]} pixels"
    return allocate_array(shape, np.uint8, what, "Pass a smaller --image-size, or use fewer images")


def allocate_array(shape: tuple[int, ...], dtype: type[np.generic], what: str, remedy: str) -> np.ndarray:
    """Return an uninitialised array: in memory, or memory-mapped if it exceeds half of the free memory.

    The file of a memory map is removed with the array. Warn if the array is memory-mapped; raise `DataError` if the
    disk does not have enough free space either. `what` and `remedy` are the start and the end of the messages.
    """
    n_bytes, free = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize, free_memory()
    if free is None or n_bytes <= _SHARE * free:
        return np.empty(shape, dtype)
    need = f"{what} need {n_bytes / _GIB:.1f} GiB"
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        free_disk = shutil.disk_usage(folder).free
        if n_bytes > _DISK_SHARE * free_disk:
            raise DataError(
                f"{need}; {free / _GIB:.1f} GiB of memory and {free_disk / _GIB:.1f} GiB on the disk of {folder} are "
                f"free. {remedy}."
            )
        with tempfile.TemporaryFile(dir=folder) as stream:
            mapped = np.memmap(stream, dtype, "w+", shape=shape)
    except (OSError, OutputError) as error:
        raise DataError(
            f"{need}; {free / _GIB:.1f} GiB of memory are free, and no file can be written in the cache folder "
            f"({error}). {remedy}."
        ) from error
    warnings.warn(
        f"{need}, more than half of the free memory ({free / _GIB:.1f} GiB): they are stored in a temporary file in "
        f"{folder}, which slows down training. {remedy} to use less memory.",
        stacklevel=2,
    )
    return mapped


def take_images(images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return a copy of the images at some positions, allocated as in `allocate_images`."""
    taken = allocate_images((len(positions), *images.shape[1:]))
    for start in range(0, len(positions), _CHUNK):
        taken[start : start + _CHUNK] = images[positions[start : start + _CHUNK]]
    return taken
