"""Writing files so that nobody ever sees half of one: written beside, then moved into place."""

from __future__ import annotations

import csv
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from skconv.exceptions import OutputError, SkconvError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file beside `path`; move it onto `path` when the block ends without an error.

    Parameters
    ----------
    path : path-like
        The file to write; an existing file is replaced in one step. Its folder must exist.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder, to be written inside the block.

    Raises
    ------
    OutputError
        The folder does not exist or is not writable, the disk is full, or `path` is something other than a
        regular file (a device is never replaced). `path` is as it was before.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(target) as beside:
    ...     _ = beside.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    target = Path(path)
    beside = target.parent / _temporary_name()
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"{target} exists and is not a regular file. Choose another name for the file.")
        beside.touch(exist_ok=False)
        yield beside
        _flush_to_disk(beside)
        beside.replace(target)
    except SkconvError:
        raise
    except OSError as error:
        raise _explain(target, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file in UTF-8; what is no valid text, as some file names, must not make all of it unreadable."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


@contextmanager
def atomic_dir(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` when the block ends without an error.

    Parameters
    ----------
    path : path-like
        The folder to make. It must not exist, or be empty; its missing parents are made. An empty folder is
        replaced as a whole too, save where nothing can be renamed onto it (a mount point, the current folder, a
        link): there the finished entries are moved in one by one.

    Yields
    ------
    pathlib.Path
        An empty folder on the same file system, to be filled inside the block.

    Raises
    ------
    OutputError
        The folder exists and holds something, cannot be made, or the disk is full. Nothing is left behind.
    """
    target = Path(path)
    check_new_folder(target)
    missing = [folder for folder in target.absolute().parents if not folder.exists()]
    inside = target.is_dir() and not _can_be_replaced(target)
    beside = (target if inside else target.parent) / _temporary_name()
    try:
        beside.mkdir(parents=True)
        yield beside
        # At once, because each waits for the disk: one by one, 70,000 images would take minutes.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(_flush_to_disk, [file for file in beside.rglob("*") if file.is_file()]))
        if inside:
            _move_contents(beside, target)
        else:
            if target.is_dir():
                shutil.copymode(target, beside)
            beside.replace(target)
        missing = []
    except SkconvError:
        raise
    except OSError as error:
        raise _explain(target, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def reserve_folder(parent: Path, name: str) -> Iterator[Path]:
    """Make and yield ``parent/name``, or the first of ``name-2``, ``name-3`` … that nobody has.

    Parameters
    ----------
    parent : pathlib.Path
        Made where it is missing.
    name : str
        A file name.

    Yields
    ------
    pathlib.Path
        An empty folder that is this block's alone. If the block fails, it is removed, unless it holds something.

    Raises
    ------
    OutputError
        No folder can be made there.
    """
    made_parent = not parent.exists()
    folder = parent / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(2):
            with suppress(FileExistsError):
                folder.mkdir()
                break
            folder = parent / f"{name}-{number}"
    except OSError as error:
        raise _explain(folder, error) from error
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if made_parent:
                parent.rmdir()
        raise


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` unless `path` can become a new folder; makes nothing.

    Long work calls this before it starts, so that an hour of training is not lost to a mistyped path.
    """
    target = Path(path)
    try:
        if target.is_symlink() or target.exists():
            if not target.is_dir():
                raise OutputError(f"{target} exists and is not a folder. Choose another name for the output folder.")
            if any(target.iterdir()):
                raise OutputError(f"The output folder {target} exists and is not empty. Remove it or choose another.")
        ancestor = target.absolute()
        while not ancestor.exists():
            ancestor = ancestor.parent
        if not ancestor.is_dir():
            raise OutputError(f"{target} cannot be made: {ancestor} is a file. Choose another output folder.")
        # Asking os.access is not enough: root passes it on a read-only file system.
        Path(tempfile.mkdtemp(dir=ancestor, prefix=".skconv-")).rmdir()
    except SkconvError:
        raise
    except OSError as error:
        raise _explain(target, error) from error


def _can_be_replaced(folder: Path) -> bool:
    """Whether a folder can be renamed onto an empty one; found out by doing so, which leaves it empty."""
    empty = folder.parent / _temporary_name()
    try:
        if folder.is_symlink() or folder.samefile(Path.cwd()):
            return False
        empty.mkdir()
        shutil.copymode(folder, empty)
        empty.replace(folder)
    except OSError:  # a mount point, a parent that is not writable, or a system without such renaming
        with suppress(OSError):
            empty.rmdir()
        return False
    return True


def _move_contents(folder: Path, target: Path) -> None:
    for entry in list(folder.iterdir()):
        entry.replace(target / entry.name)
    folder.rmdir()


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _temporary_name() -> str:
    # Not made from the target's name: that may already be as long as the file system allows.
    return f".skconv-{secrets.token_hex(4)}.part"


def _explain(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    with suppress(OSError):
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(target.parent).free // 2**20
            reason += f" ({free} MiB free)"
    return OutputError(f"Cannot write {target}: {reason}. Make room or choose another place.")
