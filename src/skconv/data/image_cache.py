"""Decoded images of large folders, kept in the user's cache so that each folder is decoded once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL

from skconv.data.locations import cache_folder
from skconv.exceptions import OutputError
from skconv.files import atomic_write

LEAST_IMAGES = 1000  # fewer are decoded in less time than anyone notices
KEPT_OF_A_FOLDER = 2  # two, because a competition's folder is read in two parts: the training ids, then the test ids
DAYS_UNUSED = 30

_FORMAT = 1  # to be raised when the same files are decoded to other pixels than before
_DAY = 24 * 60 * 60


def read_cached(
    files: Sequence[Path], image_size: tuple[int, int] | None, decode: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return the images of `files`: from the cache if they are there, else from `decode`, and keep them then.

    A cache entry is a plain ``.npy`` file named after what it was made from: path, size and time of change of every
    file in their order, the size of the images, and the versions of this format and of Pillow. A file that was
    changed, added, removed or renamed therefore leads to another entry. A cache that cannot be read or written is
    done without.

    Parameters
    ----------
    files : sequence of pathlib.Path
        Fewer than `LEAST_IMAGES` are never kept.
    image_size : (height, width) or None
        What `decode` brings the images to; None as they are.
    decode : callable
        Opens the files: returns ndarray of uint8, shape (n, height, width) or (n, height, width, 3), in their order.
        What it raises is passed on, and nothing is kept.

    Returns
    -------
    ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        From the cache: mapped into memory, read-only.
    """
    if len(files) < LEAST_IMAGES:
        return decode()
    size = None if image_size is None else (int(image_size[0]), int(image_size[1]))
    try:
        entry = _name_entry(files, size)
    except OSError:  # a file that is not there: the decoder tells it
        return decode()
    kept = _read_entry(entry, len(files), size)
    if kept is not None:
        return kept
    images = decode()
    with suppress(OSError, OutputError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(entry) as beside, beside.open("wb") as stream:
            np.save(stream, images, allow_pickle=False)
        _remove_old_entries(entry)
    return images


def _name_entry(files: Sequence[Path], image_size: tuple[int, int] | None) -> Path:
    """Return where the images of these files are kept, as the files are now."""
    paths = [str(file) for file in files]
    folder = os.path.commonpath([min(paths), max(paths)])  # of all between, too: asking for all takes half a second
    place = hashlib.sha256(os.fsencode(Path(folder).resolve()))
    manifest = place.copy()
    manifest.update(repr((_FORMAT, PIL.__version__, image_size)).encode())
    for file, path in zip(files, paths, strict=True):
        status = file.stat()
        manifest.update(os.fsencode(path[len(folder) :].lstrip(os.sep)))
        # The time of the last change of anything too: archives and copies set the time of writing back.
        manifest.update(b"\0%d %d %d\0" % (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return cache_folder() / "decoded-images" / f"{place.hexdigest()[:16]}-{manifest.hexdigest()}.npy"


def _read_entry(entry: Path, n: int, image_size: tuple[int, int] | None) -> np.ndarray | None:
    """Map an entry into memory; None if there is none, or not a whole one of the right shape."""
    try:
        images = np.load(entry, mmap_mode="r", allow_pickle=False)
        whole = entry.stat().st_size == images.offset + images.nbytes
        shape = images.shape
        fits = len(shape) >= 3 and shape[0] == n and shape[3:] in ((), (3,)) and image_size in (None, shape[1:3])
        if not (whole and fits and images.dtype == np.uint8 and images.flags.c_contiguous):
            return None
    except Exception:  # a damaged file makes NumPy raise nearly anything
        return None
    with suppress(OSError):  # a cache that is read-only can still be read
        os.utime(entry)  # used today
    return images


def _remove_old_entries(newest: Path) -> None:
    """Remove all but the newest entries of the same folder, and what nobody has read for long."""
    folder, _, _ = newest.name.partition("-")
    ages = {file: time.time() - file.stat().st_mtime for file in newest.parent.iterdir()}
    of_the_folder = sorted((file for file in ages if file.name.startswith(folder)), key=ages.__getitem__)
    for file, age in ages.items():
        if file in of_the_folder[KEPT_OF_A_FOLDER:] or age > DAYS_UNUSED * _DAY:
            file.unlink(missing_ok=True)
