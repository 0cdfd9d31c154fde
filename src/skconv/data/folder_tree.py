"""Tree of the images in a folder and all its subfolders; counts of all other files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from skconv.data.content import is_table_name
from skconv.data.split_names import TRAIN, split_name, strip_fillers
from skconv.exceptions import DataError, list_some
from skconv.images.formats import has_image_suffix, looks_like_image
from skconv.text import format_count

_SYSTEM_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})
_N_START = 16  # bytes that identify an image
_HIDDEN = "hidden or system file"


@dataclass(frozen=True)
class ImageFolder:
    """A folder: its own images and its subfolders that contain images, sorted by name.

    `other_folders` are the names of the visible subfolders without images.
    """

    path: Path
    images: list[Path] = field(default_factory=list)
    folders: list[ImageFolder] = field(default_factory=list)
    other_folders: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    def list_images(self) -> list[Path]:
        """Return the images of the folder, followed by those of each subfolder."""
        return [*self.images, *(image for folder in self.folders for image in folder.list_images())]

    @property
    def n_images(self) -> int:
        """Number of images in the folder and all subfolders."""
        return len(self.images) + sum(folder.n_images for folder in self.folders)


@dataclass
class OtherFiles:
    """Files of a tree that are not used as images, and folders without images.

    `kinds` has the number of files per suffix, and `examples` the first path of each. Hidden and excluded files are
    only counted. `unmatched` are the patterns of `exclude` without effect.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    n_excluded: int = 0
    folders: list[str] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)

    def add(self, path: str, kind: str, count: int = 1) -> None:
        """Count a file."""
        self.kinds[kind] += count
        self.examples.setdefault(kind, path)

    @property
    def first(self) -> str:
        """Path of the first file."""
        return next(iter(self.examples.values()), "")

    def describe(self) -> str:
        """Return the counts by kind, such as ``"2 .csv, 1 .txt"``, the most frequent first."""
        kinds = sorted(self.kinds, key=lambda kind: (-self.kinds[kind], kind))
        return list_some([_describe_kind(kind, self.kinds[kind]) for kind in kinds], 5)


def read_tree(root: Path, exclude: Sequence[str] = ()) -> tuple[ImageFolder, OtherFiles]:
    """Return the tree of the images of a folder, and the counts of its other files.

    A file counts as an image if it has the suffix or the first bytes of an image format. Hidden files and folders, and
    those of operating systems, are not searched. `exclude` contains patterns of the names, or of the ends of the paths
    below `root`, that are left out, such as ``"*_mask.png"`` or ``"cats/*.png"``. Links to folders are followed unless
    the folder contains the link. Raise `DataError` if a folder cannot be read.
    """
    others = OtherFiles(unmatched=[each for each in exclude if each])
    return _read_folder(root, str(root), tuple(exclude), others, ()), others


def _read_folder(
    folder: Path, root: str, exclude: tuple[str, ...], others: OtherFiles, parents: tuple[tuple[int, int], ...]
) -> ImageFolder:
    tree = ImageFolder(folder)
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in parents:  # a link to a parent folder would cause infinite recursion
            return tree
    except OSError as error:
        raise _unreadable(folder, error) from error
    for name, is_folder in _list_entries(folder):
        path = folder / name
        if is_excluded(path, root, exclude):
            others.n_excluded += _count_files(path) if is_folder else 1
            others.unmatched = [each for each in others.unmatched if not is_excluded(path, root, [each])]
        elif is_hidden(name):
            others.add(str(path), _HIDDEN, _count_files(path) if is_folder else 1)
        elif is_folder:
            subtree = _read_folder(path, root, exclude, others, (*parents, identity))
            if subtree.images or subtree.folders:
                tree.folders.append(subtree)
            else:
                tree.other_folders.append(name)
                others.folders.append(name)
        elif is_image_file(path):
            tree.images.append(path)
        else:
            others.add(str(path), path.suffix.lower() or "without suffix")
            if is_table_name(path):
                others.tables.append(path)
    return tree


def list_training(folder: ImageFolder) -> list[ImageFolder]:
    """Return the folders in a folder that are named after the training split."""
    return [each for each in folder.folders if (split_name(each.name) or ("",))[0] == TRAIN]


def descend(tree: ImageFolder) -> ImageFolder:
    """Follow single subfolders to the class folders; return the folder that contains these."""
    while len(tree.folders) == 1 and tree.folders[0].folders:
        tree = tree.folders[0]
    return tree


def count_image_folders(folder: Path, exclude: Sequence[str] = (), root: Path | None = None) -> int:
    """Return the number of visible folders that contain images and are not named after a split or "images".

    Files and folders that match `exclude`, as in `read_tree`, do not count; `root` is by default `folder`.
    """

    def list_included(inner: Path) -> list[tuple[str, bool]]:
        entries = [(name, is_folder) for name, is_folder in _list_entries(inner) if not is_hidden(name)]
        return [each for each in entries if not is_excluded(inner / each[0], root or folder, exclude)]

    names = [name for name, is_folder in list_included(folder) if is_folder]
    names = [name for name in names if split_name(name) is None and strip_fillers(name)]
    return sum(any(has_image_suffix(name) for name, _ in list_included(folder / each)) for each in names)


def list_folders(folder: Path, root: Path, exclude: Sequence[str] = ()) -> list[Path]:
    """Return the visible folders directly in a folder, without those below `root` that match `exclude`."""
    found = [folder / name for name, is_folder in _list_entries(folder) if is_folder and not is_hidden(name)]
    return [each for each in found if not is_excluded(each, root, exclude)]


def list_files(folder: Path, accepts: Callable[[Path], bool], exclude: Sequence[str] = ()) -> list[Path]:
    """Return the files directly in a folder for which `accepts` returns true, sorted, without hidden and excluded ones.

    The list is empty if the folder cannot be read, which the reader of class folders reports.
    """
    try:
        found = sorted(filter(accepts, folder.iterdir()))
    except OSError:
        return []
    # macOS writes a file ._X.npy beside X.npy on the drives of other systems.
    found = [file for file in found if not is_hidden(file.name) and file.is_file()]
    return [file for file in found if not is_excluded(file, folder, exclude)]


def is_hidden(path: str) -> bool:
    """Return whether a part of a path, with slashes, is hidden or belongs to an operating system.

    Examples
    --------
    >>> is_hidden("._1.png"), is_hidden("__MACOSX/cat/1.png"), is_hidden("./cat/1.png")
    (True, True, False)
    """
    parts = [part for part in path.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in parts)


def is_excluded(path: str | Path, root: str | Path, exclude: Sequence[str]) -> bool:
    """Return whether a file or folder below `root` matches one of the patterns, which are as in `read_tree`."""
    if not exclude:
        return False
    below = os.path.relpath(path, root).replace(os.sep, "/")
    patterns = [pattern.rstrip("/") for pattern in exclude]
    return any(fnmatch(below, each) or fnmatch(below, f"*/{each}") for each in patterns)


def count_excluded(folder: Path, exclude: Sequence[str], root: Path | None = None) -> int:
    """Return the number of files in a folder and its subfolders that are left out because of `exclude`."""
    root, count = root or folder, 0
    for name, is_folder in _list_entries(folder):
        path = folder / name
        if is_excluded(path, root, exclude):
            count += _count_files(path) if is_folder else 1
        elif is_folder and not is_hidden(name) and not path.is_symlink():
            count += count_excluded(path, exclude, root)
    return count


def quote_names(names: Iterable[str]) -> str:
    """Return the first five names, in quotes, and the number of the others."""
    return list_some([f"'{name}'" for name in names], 5)


def is_image_file(path: Path) -> bool:
    """Return whether a file is probably an image, judged by its suffix, else by its first bytes."""
    return has_image_suffix(path.name) or looks_like_image(path.name, _read_start(path))


def walk_files(folder: Path) -> list[Path]:
    """Return the files of a folder and all its subfolders, sorted, without hidden files and files of operating systems.

    Links to folders are not followed. Raise `DataError` if a folder cannot be read.
    """
    files: list[Path] = []
    for name, is_folder in _list_entries(folder):
        path = folder / name
        if is_hidden(name):
            continue
        if not is_folder:
            files.append(path)
        elif not path.is_symlink():  # a link to a parent folder would cause infinite recursion
            files.extend(walk_files(path))
    return sorted(files)


def _list_entries(folder: Path) -> list[tuple[str, bool]]:
    """Return the name of each entry of a folder, sorted, and whether it is a folder."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry.name, _is_folder(entry)) for entry in found)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> DataError:
    return DataError(f"The folder {folder} cannot be read: {error.strerror or error}.")


def _describe_kind(kind: str, count: int) -> str:
    return format_count(count, kind) if kind == _HIDDEN else f"{count:,} {kind}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _count_files(folder: Path) -> int:
    return max(1, sum(len(names) for _, _, names in os.walk(folder)))


def _read_start(path: Path) -> bytes:
    with suppress(OSError):
        if path.is_file():  # reading a pipe or a device could block
            with path.open("rb") as stream:
                return stream.read(_N_START)
    return b""
