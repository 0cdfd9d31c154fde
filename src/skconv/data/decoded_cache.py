"""Cache of the decoded images of large folders."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL

from skconv.data.content import cache_folder
from skconv.exceptions import OutputError
from skconv.files import atomic_write

MIN_CACHED = 1000  # images; fewer images are decoded in less than a second
MAX_ENTRIES = 2  # per folder, because `train` reads all images of a competition, and `predict` only the test images
MAX_AGE = 30 * 24 * 60 * 60  # seconds since the last use of a cache entry

_CACHE_VERSION = 2  # increase it when decoding changes


def read_cached(
    files: Sequence[Path], image_size: tuple[int, int], decode: Callable[[], np.ndarray], form: str = ""
) -> np.ndarray:
    """Return the decoded images of `files` as a read-only memory map of the cache; decode and cache them if needed.

    An entry is an ``.npy`` file. Its name is a hash of the path, size, modification and change time of every file in
    order, the image size, the `form` (anything else that determines the pixels), and the versions of this cache and of
    Pillow. If the cache cannot be read or written, or if a file was not decoded, the images are decoded each time.
    Fewer than `MIN_CACHED` files are not cached.
    """
    if len(files) < MIN_CACHED:
        return decode()
    try:
        entry = _name_entry(files, image_size, form)
    except (OSError, OutputError):  # a file is missing, and `decode` raises an error with its name; or there is no home
        return decode()
    cached = _read_entry(entry, len(files), image_size)
    if cached is not None:
        return cached
    images = decode()
    if len(images) < len(files):
        return images
    with suppress(OSError, OutputError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(entry) as temporary, temporary.open("wb") as stream:
            np.save(stream, images, allow_pickle=False)
        _remove_old_entries(entry)
    if isinstance(images, np.memmap):  # the entry replaces the temporary file
        cached = _read_entry(entry, len(files), image_size)
    return images if cached is None else cached


def _name_entry(files: Sequence[Path], image_size: tuple[int, int], form: str) -> Path:
    """Return the path of the cache entry for the current state of the files."""
    paths = [str(file) for file in files]
    # All paths sort between the first and the last, so they share this folder.
    folder = os.path.commonpath([min(paths), max(paths)])
    prefix = hashlib.sha256(os.fsencode(Path(folder).resolve()))
    manifest = prefix.copy()
    manifest.update(repr((_CACHE_VERSION, PIL.__version__, tuple(map(int, image_size)), form)).encode())
    for file, path in zip(files, paths, strict=True):
        status = file.stat()
        manifest.update(os.fsencode(path[len(folder) :].lstrip(os.sep)))
        # The change time (ctime) is included, because tools for archives and copies preserve the modification time.
        manifest.update(b"\0%d %d %d\0" % (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return cache_folder() / "decoded-images" / f"{prefix.hexdigest()[:16]}-{manifest.hexdigest()}.npy"


def _read_entry(entry: Path, n: int, image_size: tuple[int, int]) -> np.ndarray | None:
    """Memory-map an entry; return None if it does not exist, is truncated or has another shape."""
    try:
        images = np.load(entry, mmap_mode="r", allow_pickle=False)
        complete = entry.stat().st_size == images.offset + images.nbytes
        shape = images.shape
        matches = shape[0] == n and shape[1:3] == image_size and shape[3:] in ((), (3,))
        if not (complete and matches and images.dtype == np.uint8 and images.flags.c_contiguous):
            return None
    except Exception:  # NumPy raises many exception types for damaged files
        return None
    with suppress(OSError):  # the cache may be read-only
        os.utime(entry)
    return images


def _remove_old_entries(newest: Path) -> None:
    """Remove entries of any folder older than `MAX_AGE`, and all but the newest `MAX_ENTRIES` of this folder."""
    prefix, _, _ = newest.name.partition("-")
    ages = {file: time.time() - file.stat().st_mtime for file in newest.parent.iterdir()}
    of_folder = sorted((file for file in ages if file.name.startswith(prefix)), key=ages.__getitem__)
    for file, age in ages.items():
        if file in of_folder[MAX_ENTRIES:] or age > MAX_AGE:
            file.unlink(missing_ok=True)
