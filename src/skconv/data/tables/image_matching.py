"""Matching of the names in a table to image files, which may differ in folder, separators, case or suffix."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from skconv.data.folder_tree import is_hidden
from skconv.exceptions import DataError, list_some
from skconv.files import expand_home
from skconv.images.formats import IMAGE_SUFFIXES, has_image_suffix
from skconv.text import format_count

_NO_FOLDERS = frozenset({"", ".", "..", "~"})
_DECIMALS = re.compile(r"(?<=\d)\.0+$")  # decimals of integers that pandas converted to float because of missing values
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # prefix that Label Studio adds to the names of uploaded files
_MAX_NAMES = 10  # missing images listed in a message
_MAX_DEPTH = 3  # levels of folders below a table that are searched


@dataclass(frozen=True)
class Match:
    """Files that fit a name best: none, one, or several that fit equally.

    `n_folders` is the number of the last folders in the name that match those of the file, and `n_other` is the number
    of the remaining folders in the name. `is_changed` is true if the file has another suffix, another form of a number
    (leading zeros, ``.0``), or no prefix.
    """

    files: list[Path]
    n_folders: int = 0
    n_other: int = 0
    is_changed: bool = False


@dataclass
class ImageIndex:
    """Files of a folder, found by names that may be paths, lack the suffix, or differ in case or Unicode form.

    Paths that begin with ".." are relative to `base`, the folder of the table, by default `folder`.
    """

    folder: Path
    files: Sequence[Path]
    base: Path | None = None
    _by_name: dict[str, list[Path]] = field(default_factory=dict, init=False, repr=False)
    _by_stem: dict[str, list[Path]] = field(default_factory=dict, init=False, repr=False)
    _by_number: dict[str, list[Path]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for file in self.files:
            name = _fold(file.name)
            self._by_name.setdefault(name, []).append(file)
            stem, dot, suffix = name.rpartition(".")  # Path.stem and Path.suffix are slow for many files
            if dot + suffix in IMAGE_SUFFIXES:
                self._by_stem.setdefault(stem, []).append(file)
                if stem.isdecimal() and stem.startswith("0"):
                    self._by_number.setdefault(stem.lstrip("0") or "0", []).append(file)

    def find(self, name: str) -> Match:
        """Return the files that fit a name; files whose last folders match those of the name are preferred."""
        folders, last = _split_path(name.partition("?")[0] if "://" in name else name)
        key = _fold(last)
        if not key:
            return Match([])
        files = self._by_name.get(key) or self._by_stem.get(key, [])
        is_changed = not files
        if not files:
            stem = key.rpartition(".")[0] if has_image_suffix(key) else key
            files = self._by_stem.get(stem) or self._by_number.get(stem, [])
        if not files:
            rest = _DECIMALS.sub("", key) if _DECIMALS.search(key) else _UPLOAD.sub("", key)
            files = self._by_name.get(rest) or self._by_stem.get(rest) or self._by_number.get(rest, [])
        if not files and "%" in name:  # the name may be a URL with escaped characters
            return self.find(unquote(name)) if unquote(name) != name else Match([])
        if not files:
            return Match(self._find_path(name))
        if not folders and len(files) == 1:
            return Match(files, is_changed=is_changed)
        agreeing = [_count_agreeing(folders, file, _fold) for file in files]
        best = max(agreeing)
        files = [file for file, n in zip(files, agreeing, strict=True) if n == best]
        if len(files) > 1:
            exact = [_count_agreeing(folders, file, _compose) for file in files]  # Train/1.png beside train/1.png
            files = [file for file, n in zip(files, exact, strict=True) if n == max(exact)]
            spelled = [file for file in files if last in (_compose(file.name), _compose(file.stem))]
            shallow = [file for file in spelled or files if not folders and file.parent == self.folder]
            files = shallow or spelled or files
        return Match(files, best, len(folders) - best, is_changed)

    def _find_path(self, name: str) -> list[Path]:
        """Return the file of an absolute path, or of a path that begins with ".."; none if it does not exist."""
        path = expand_home(name)
        if name.startswith("..") and has_image_suffix(name):
            path = (self.base or self.folder) / name.replace("\\", "/")
        elif not path.is_absolute():
            return []
        with suppress(OSError):  # raised for names that are too long
            return [path] if path.is_file() else []
        return []


def index_near(table: Path) -> ImageIndex:
    """Return the files in the folder of a table and in its subfolders, three levels deep, without hidden files."""
    folder = table.parent
    files: list[Path] = []
    for parent, subfolders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        subfolders[:] = [name for name in subfolders if not is_hidden(name)] if depth < _MAX_DEPTH else []
        files.extend(Path(parent, name) for name in names if has_image_suffix(name) and not is_hidden(name))
    return ImageIndex(folder, sorted(files))


def match_images(table: str, names: Sequence[str], index: ImageIndex) -> dict[str, Path]:
    """Return the file of each name that matches a file; no file is used for two names.

    Warn about guesses: names that match only in the last parts of the path, or differ in suffix, prefix or the form of
    a number. Raise `DataError` if a name matches two files equally well.
    """
    matches = {name: index.find(name) for name in names}
    for name, match in matches.items():
        if len(match.files) > 1:
            first, second = (_shorten(file, index.folder) for file in match.files[:2])
            raise DataError(
                f"The name '{name}' fits both {first} and {second} in {index.folder}; expected one file. Add the "
                "folder to the name, pass the folder with the right one as --images, or remove one of the files."
            )
    found = {name: match for name, match in matches.items() if match.files}
    if any(match.n_folders for match in found.values()):
        # If folders agree for some names, a file in another folder is another image.
        found = {name: match for name, match in found.items() if match.n_folders or not match.n_other}
    found = _drop_doubtful(found)
    partly = [name for name, match in found.items() if match.n_other]
    if partly:
        file = _shorten(found[partly[0]].files[0], index.folder)
        warnings.warn(
            f"{table}: {len(partly):,} of {len(names):,} paths matched images in {index.folder} by their last parts "
            f"only; the first is '{partly[0]}' → {file}.",
            stacklevel=2,
        )
    changed = [name for name, match in found.items() if match.is_changed]
    if changed:
        warnings.warn(
            f"{table}: {len(changed):,} of {len(names):,} names matched files with another suffix, prefix or "
            f"number format (such as 7 for 007); the first is '{changed[0]}' → {found[changed[0]].files[0].name}.",
            stacklevel=2,
        )
    return {name: match.files[0] for name, match in found.items()}


def _drop_doubtful(found: dict[str, Match]) -> dict[str, Match]:
    """Remove names that share their file with a name that fits it better, or equally by its last part only."""
    best: dict[Path, tuple[bool, int]] = {}
    for match in found.values():
        best[match.files[0]] = max(best.get(match.files[0], (False, -1)), _rank(match))
    kept = {name: match for name, match in found.items() if _rank(match) == best[match.files[0]]}
    shared = Counter(match.files[0] for match in kept.values())
    return {name: match for name, match in kept.items() if shared[match.files[0]] == 1 or not match.n_other}


def _rank(match: Match) -> tuple[bool, int]:
    return not match.is_changed, match.n_folders


def check_found(
    table: str, names: Iterable[str], found: dict[str, Path], folder: Path, *, skip_missing: bool | None = None
) -> None:
    """Raise a `DataError` with the number of names without an image and the first of them.

    Warn instead if `skip_missing` is true; None means that missing images cannot be skipped.
    """
    names = list(dict.fromkeys(names))
    missing = [name for name in names if name not in found]
    if not missing:
        return
    counted = f"{folder} lacks {len(missing):,} of the {len(names):,} images listed in {table}"
    listed = f"missing: {list_some(missing, _MAX_NAMES)}"
    if skip_missing and found:
        warnings.warn(f"{counted}, and rows without image are left out; {listed}.", stacklevel=2)
        return
    if not found:
        remedy = "Pass their folder as --images."
    elif skip_missing is None:
        remedy = "Add the images, or correct the names."
    else:
        remedy = "Add the images, or pass --skip-unreadable to leave out these rows."
    raise DataError(f"{counted}; {listed}. {remedy}")


def note_unlisted(table: str, found: dict[str, Path], index: ImageIndex) -> None:
    """Warn about image files of the folder that the table does not list."""
    used = set(found.values())
    unlisted = [file for file in index.files if file not in used and has_image_suffix(file.name)]
    if unlisted:
        warnings.warn(
            f"Ignored {format_count(len(unlisted), 'image')} of {index.folder}, not listed in {table}; the first is "
            f"{_shorten(unlisted[0], index.folder)}.",
            stacklevel=2,
        )


def _compose(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _fold(text: str) -> str:
    return _compose(text).casefold()


def _split_path(name: str) -> tuple[list[str], str]:
    r"""Return the folders of a path, with either separator, and its last part; "C:", "~", "." and ".." are dropped."""
    parts = [part for part in _compose(name.strip()).replace("\\", "/").split("/") if part not in _NO_FOLDERS]
    if parts and len(parts[0]) == 2 and parts[0][1] == ":":
        del parts[0]
    return parts[:-1], parts[-1] if parts else ""


def _count_agreeing(folders: list[str], file: Path, normalize: Callable[[str], str]) -> int:
    """Return how many of the last folders of a name are those of a file, after normalisation."""
    n = 0
    for folder, parent in zip(reversed(folders), _list_parents(file.parent), strict=False):
        if normalize(folder) != normalize(parent):
            break
        n += 1
    return n


def _list_parents(folder: Path) -> list[str]:
    return list(reversed(folder.absolute().parts))


def _shorten(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)
