"""Atomic writing of files and folders, under a temporary name until they are complete."""

from __future__ import annotations

import csv
import difflib
import errno
import os
import platform
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from skconv.exceptions import OutputError, SkconvError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary file in the same folder; rename it to `path` when the block ends without an error.

    An existing file is replaced. Raise `OutputError` and leave `path` unchanged if the folder does not exist or is
    not writable, the disk is full, or `path` is not a regular file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(target) as temporary:
    ...     _ = temporary.write_text("complete")
    >>> target.read_text()
    'complete'
    """
    target = Path(path)
    temporary = target.parent / _temporary_name()
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"{target} exists and is not a regular file. Choose another name for the file.")
        temporary.touch(exist_ok=False)
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    except SkconvError:
        raise
    except OSError as error:
        raise _output_error(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def expand_home(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` or ``~user`` at its start replaced by the home folder, if that is known."""
    return Path(os.path.expanduser(path))  # noqa: PTH111, because Path.expanduser raises an error without a home


def find_similar_path(path: Path, *, folders: bool = False) -> str:
    """Return the path of a file or folder beside a missing `path` with a similar name, or "" if there is none.

    `folders` restricts the search to folders. The path of a folder ends with a slash.
    """
    try:
        entries = {each.name: each.is_dir() for each in os.scandir(path.parent) if not folders or each.is_dir()}
    except OSError:
        return ""
    nearest = difflib.get_close_matches(path.name, entries, n=1)
    return f"{path.with_name(nearest[0])}{'/' if entries[nearest[0]] else ''}" if nearest else ""


def escape_undecodable(text: str) -> str:
    r"""Return a file name or path with escapes for bytes that are not UTF-8, which cannot be written to text files.

    Examples
    --------
    >>> escape_undecodable("caf\udce9"), escape_undecodable("caf\u00e9") == "caf\u00e9"
    ('caf\\xe9', True)
    """
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file in UTF-8; escape bytes of file names that are invalid in UTF-8."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


@contextmanager
def atomic_dir(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary folder; rename it to `path` when the block ends without an error.

    Missing parents are created. `path` must not exist, or must be an empty folder, which is replaced; if it cannot be
    (a mount point, the current folder, a link), the finished entries are moved into it one by one. Raise `OutputError`,
    and leave nothing behind, if the folder is not empty or cannot be created, or the disk is full.
    """
    target = Path(path)
    check_new_folder(target)
    new_parents = [folder for folder in target.absolute().parents if not folder.exists()]
    fill = target.is_dir() and not _can_be_replaced(target)
    temporary = (target if fill else target.parent) / _temporary_name()
    try:
        temporary.mkdir(parents=True)
        yield temporary
        # In parallel, because each call waits for the disk: 70,000 images one by one would take minutes.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(_flush_to_disk, [file for file in temporary.rglob("*") if file.is_file()]))
        if fill:
            for entry in list(temporary.iterdir()):
                entry.replace(target / entry.name)
        else:
            if target.is_dir():
                shutil.copymode(target, temporary)
            temporary.replace(target)
        new_parents = []
    except SkconvError:
        raise
    except OSError as error:
        raise _output_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in new_parents:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def lock_folder(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a lock on a folder, which need not exist; raise `OutputError` if another process or thread holds it.

    The lock is the file ``NAME.lock`` beside the folder, locked by the operating system, which releases it when the
    process ends in any way. Without support of the file system, no lock is held.
    """
    from filelock import FileLock, Timeout

    target = Path(path).absolute()
    file = target.with_name(f"{target.name}.lock")
    new_parents = [folder for folder in target.parents if not folder.exists()]
    check_writable_folder(target)  # otherwise FileLock reports a lock of another process
    lock = FileLock(file)
    try:
        owner = file.read_text(encoding="utf-8") if file.is_file() else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()  # raises the error of a folder that cannot be written, where FileLock would report a held lock
        lock.acquire(timeout=0)
        file.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    except Timeout:
        shown = f" ({owner})" if owner else ""
        raise OutputError(
            f"Another run writes to {path}{shown}. Wait until it ends, or choose another folder."
        ) from None
    except (OSError, NotImplementedError):  # an error of the folder itself is reported by the check of the output
        pass
    try:
        yield
    finally:
        with suppress(OSError):
            if lock.is_locked:
                file.unlink(missing_ok=True)
        lock.release()
        for folder in new_parents:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def reserve_folder(
    parent: Path, name: str, *, is_taken: Callable[[Path], bool] = lambda folder: False
) -> Iterator[Path]:
    """Create and yield ``parent/name``, or the first of ``name-2``, ``name-3`` … that does not exist.

    Folders for which `is_taken` returns true are skipped. Missing parents are created. If the block fails, the folder
    is removed, unless it has content. Raise `OutputError` if the folder cannot be created.
    """
    new_parent = not parent.exists()
    folder = parent / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(2):
            with suppress(FileExistsError):
                if not is_taken(folder):
                    folder.mkdir()
                    break
            folder = parent / f"{name}-{number}"
    except OSError as error:
        raise _output_error(folder, error) from error
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if new_parent:
                parent.rmdir()
        raise


def check_new_file(
    path: str | os.PathLike[str], *, suffix: str = "", inputs: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Raise `OutputError` unless a file can be written or replaced; call it before long work.

    The name must end in `suffix`, such as ".csv". The file must not be one of the `inputs`.
    """
    target = Path(path)
    if target.suffix.lower() != suffix and suffix:
        raise OutputError(f"The output file is '{target}'; expected a name that ends in {suffix}. Choose another name.")
    try:
        if not target.parent.is_dir():
            raise OutputError(f"Cannot write {target}: there is no folder {target.parent}. Create the folder first.")
        if target.exists():
            if not target.is_file():
                raise OutputError(f"{target} exists and is not a regular file. Choose another name for the file.")
            if any(Path(each).exists() and target.samefile(each) for each in inputs):
                raise OutputError(
                    f"The output file '{target}' is also an input and would be overwritten. Choose another name."
                )
        _check_writable(target.parent)
    except SkconvError:
        raise
    except OSError as error:
        raise _output_error(target, error) from error


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` unless `path` can become a new folder; do not create it.

    Call it before long work, so that an hour of training is not lost to a mistyped path.
    """
    target = Path(path)
    check_writable_folder(target)
    try:
        if target.is_dir() and any(target.iterdir()):
            raise OutputError(
                f"The output folder {target} exists and is not empty. Remove it or choose another folder."
            )
    except SkconvError:
        raise
    except OSError as error:
        raise _output_error(target, error) from error


def check_writable_folder(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` unless files can be written to a folder, which may not exist yet; do not create it."""
    target = Path(path)
    try:
        if (target.is_symlink() or target.exists()) and not target.is_dir():
            raise OutputError(f"{target} exists and is not a folder. Choose another name for the output folder.")
        ancestor = target.absolute()
        while not ancestor.exists():
            ancestor = ancestor.parent
        if not ancestor.is_dir():
            raise OutputError(f"{target} cannot be created: {ancestor} is a file. Choose another output folder.")
        _check_writable(ancestor)
    except SkconvError:
        raise
    except OSError as error:
        raise _output_error(target, error) from error


def _check_writable(folder: Path) -> None:
    """Raise `OSError` if no file can be created in a folder."""
    # os.access returns True for root on a read-only file system.
    Path(tempfile.mkdtemp(dir=folder, prefix=".skconv-")).rmdir()


def _can_be_replaced(folder: Path) -> bool:
    """Return whether a folder can be renamed to this empty one; tested with another empty folder."""
    empty = folder.parent / _temporary_name()
    try:
        if folder.is_symlink() or folder.samefile(Path.cwd()):
            return False
        empty.mkdir()
        shutil.copymode(folder, empty)
        empty.replace(folder)
    except OSError:  # a mount point, a read-only parent, or a system that cannot rename to an existing folder
        with suppress(OSError):
            empty.rmdir()
        return False
    return True


def _flush_to_disk(path: Path) -> None:
    with path.open("r+b") as stream:  # Windows cannot flush a file opened for reading
        os.fsync(stream.fileno())


def _temporary_name() -> str:
    # Independent of the target's name, which may already have the maximum length.
    return f".skconv-{secrets.token_hex(4)}.part"


def _output_error(target: Path, error: OSError) -> OutputError:
    if not target.parent.exists():
        return OutputError(f"Cannot write {target}: there is no folder {target.parent}. Create the folder first.")
    reason = error.strerror or str(error)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"Cannot write {target}: {reason}. Choose another folder.")
    with suppress(OSError):
        if error.errno == errno.ENOSPC:
            free = shutil.disk_usage(target.parent).free // 2**20
            reason += f" ({free} MiB free)"
    return OutputError(f"Cannot write {target}: {reason}. Free disk space or choose another folder.")
