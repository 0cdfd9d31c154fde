"""Writing files so that nobody ever sees half of one: written beside, then moved into place."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skconv.exceptions import OutputError, SkconvError


@contextmanager
def write_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
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
        The folder does not exist or is not writable, or the disk is full. `path` is as it was before.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with write_beside(target) as beside:
    ...     _ = beside.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    target = Path(path)
    beside: Path | None = None
    try:
        beside = _name_beside(target)
        beside.touch(exist_ok=False)
        yield beside
        _flush_to_disk(beside)
        beside.replace(target)
    except SkconvError:
        raise
    except OSError as error:
        raise _explain(target, error) from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


@contextmanager
def write_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` when the block ends without an error.

    Parameters
    ----------
    path : path-like
        The folder to make. It must not exist, or be empty; its missing parents are made.

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
    beside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = _name_beside(target)
        beside.mkdir()
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                _flush_to_disk(file)
        if target.is_dir():
            target.rmdir()
        beside.replace(target)
        beside = None
    except SkconvError:
        raise
    except OSError as error:
        raise _explain(target, error) from error
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` unless `path` can become a new folder; makes nothing.

    Long work calls this before it starts, so that an hour of training is not lost to a mistyped path.
    """
    target = Path(path)
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
    try:
        # Asking os.access is not enough: root passes it on a read-only file system.
        Path(tempfile.mkdtemp(dir=ancestor, prefix=".skconv-")).rmdir()
    except OSError as error:
        raise _explain(target, error) from error


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _name_beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


def _explain(target: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    with suppress(OSError):
        if error.errno == 28:  # ENOSPC
            free = shutil.disk_usage(target.parent).free // 2**20
            reason += f" ({free} MiB free)"
    return OutputError(f"Cannot write {target}: {reason}. Make room or choose another place.")
