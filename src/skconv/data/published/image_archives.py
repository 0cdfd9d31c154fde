"""Readers of image files in archives and folders of named data sets: class folders, and the layout of GTSRB."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from skconv.data.catalog.entry import CatalogEntry
from skconv.data.dataset import Splits
from skconv.data.decoded_cache import read_cached
from skconv.data.folder_tree import is_hidden
from skconv.data.memory import allocate_images
from skconv.data.published.archives import iterate_members, list_members
from skconv.data.split_names import SPLITS, TEST, TRAIN, VALID, split_name
from skconv.exceptions import DataError, list_some
from skconv.images.formats import has_image_suffix
from skconv.images.opening import decode_image
from skconv.images.spec import ImageSpec
from skconv.progress import show_progress

RESIZE = "pad"  # rule for the images of GTSRB, which differ in size
_MAX_PIXELS = 1_000_000  # per image; larger images do not belong to these data sets
_GTSRB_LABELS = frozenset({"GT-final_test.csv", "Test.csv"})
_GTSRB_CLASS = re.compile(r"\d{1,5}")
_GTSRB_TEST = re.compile(r"\d{5}")  # the archive of Kaggle also has drawings of the signs, named 0.png to 42.png


class _Member(NamedTuple):
    """An image file with its archive or folder, its name there, and its label."""

    source: Path
    name: str
    label: int


def read_class_members(
    path: Path, names: Iterable[str], entry: CatalogEntry, *, progress: bool = False
) -> Splits | None:
    """Read images in folders SPLIT/CLASS of an archive or a folder; return None if it has no such images.

    `names` are those that `list_members` returns for `path`. The classes are named as in the catalog, in any case and
    with "_" or "-" for spaces, or numbered from 0. Images are sorted by class and name. Raise `DataError` for other
    classes or images of another size.
    """
    labels = {_normalize(name): label for label, name in enumerate(entry.class_names)}
    splits: dict[str, list[_Member]] = {name: [] for name in SPLITS}
    for name in names:
        split = _find_split(name)
        if split is None:
            continue
        folder = name.split("/")[-2]
        text = _normalize(folder)
        label = labels.get(text, int(text) if _GTSRB_CLASS.fullmatch(text) else -1)
        if not 0 <= label < len(entry.class_names):
            raise DataError(
                f"{path} has the class '{folder}'; the classes of '{entry.name}' are "
                f"{list_some(entry.class_names, 5)}. Rename the folder, or move {path.name} to another folder."
            )
        splits[split].append(_Member(path, name, label))
    if not splits[TRAIN]:
        return None
    return _decode_splits({name: members for name, members in splits.items() if members}, entry, progress)


def has_class_members(names: Iterable[str]) -> bool:
    """Return whether files include images in folders SPLIT/CLASS."""
    return any(_find_split(name) is not None for name in names)


def _find_split(name: str) -> str | None:
    """Return the split of an image in a folder SPLIT/CLASS, or None for other files."""
    parts = name.split("/")
    found = split_name(parts[-3]) if len(parts) > 2 and _is_image(name) else None
    return None if found is None or found[1] else found[0]


def read_gtsrb(paths: Sequence[Path], entry: CatalogEntry, *, progress: bool = False) -> Splits:
    """Read GTSRB from its three archives, or from an archive or a folder with all of their files.

    Training images are in folders of the number of their class, and the labels of the test images in a table. Images
    are resized to the size of the catalog. Raise `DataError` for a test image without a label, or a missing image.
    """
    train: list[_Member] = []
    test: dict[str, _Member] = {}
    labels: dict[str, int] = {}
    for path in paths:
        names = list_members(path)
        labels |= _read_test_labels(path, [name for name in names if PurePosixPath(name).name in _GTSRB_LABELS])
        for name in filter(_is_image, names):
            *_, folder, file = ("", *name.split("/"))
            if _GTSRB_CLASS.fullmatch(folder):
                train.append(_Member(path, name, int(folder)))
            elif _GTSRB_TEST.fullmatch(PurePosixPath(file).stem):
                test[file] = _Member(path, name, -1)
    unknown = sorted(test.keys() ^ labels.keys())
    if unknown or not train:
        what = "no training images" if not train else f"no image or no label for the test image {unknown[0]}"
        raise DataError(f"{list_some([str(path) for path in paths], 3)}: {what}. Download the archives again.")
    members = [member._replace(label=labels[file]) for file, member in test.items()]
    wrong = [member.label for member in (*train, *members) if not 0 <= member.label < len(entry.class_names)]
    if wrong:
        raise DataError(
            f"{paths[0].parent} has an image of class {wrong[0]}; expected 0..{len(entry.class_names) - 1}. "
            "Download the archives again."
        )
    return _decode_splits({TRAIN: train, TEST: members}, entry, progress)


def has_gtsrb_labels(names: Sequence[str]) -> bool:
    """Return whether files include the labels of GTSRB's test images."""
    return any(PurePosixPath(name).name in _GTSRB_LABELS for name in names)


def _read_test_labels(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Return the class of each test image by file name, from tables with the columns ClassId and Filename or Path."""
    labels = {}
    for name, content in iterate_members(path, set(names).__contains__):
        text = content.decode("utf-8", "replace")
        rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.partition("\n")[0] else ",")
        try:
            for row in rows:
                labels[PurePosixPath(row.get("Filename") or row["Path"]).name] = int(row["ClassId"])
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise DataError(
                f"{path}: {name!r} is not a table with the columns Filename and ClassId ({error}). Download it again."
            ) from error
    return labels


def _decode_splits(splits: Mapping[str, Sequence[_Member]], entry: CatalogEntry, progress: bool) -> Splits:
    """Decode the images of all splits in the shape of the catalog, or read them from the cache."""
    parts = {split: sorted(part, key=lambda member: (member.label, member.name)) for split, part in splits.items()}
    members = [member for part in parts.values() for member in part]
    folders = {source for source in {member.source for member in members} if source.is_dir()}
    files = [member.source / member.name if member.source in folders else member.source for member in members]
    form = f"{RESIZE} {entry.image_shape} {[member.name for member in members]}"
    height, width, *_ = entry.image_shape
    images = read_cached(files, (height, width), partial(_decode, members, entry, progress), form)
    found, start = {}, 0
    for split, part in parts.items():
        found[split] = images[start : start + len(part)], [str(member.label) for member in part]
        start += len(part)
    return Splits(*found[TRAIN], *found.get(TEST, (None, None)), *found.get(VALID, (None, None)))


def _decode(members: Sequence[_Member], entry: CatalogEntry, progress: bool) -> np.ndarray:
    """Decode images in the shape of the catalog; raise `DataError` for images of another size, except in GTSRB."""
    height, width, *channels = entry.image_shape
    target = ImageSpec(height, width, 3 if channels else 1, resize=RESIZE)
    rows: dict[Path, dict[str, int]] = {}
    for row, member in enumerate(members):
        rows.setdefault(member.source, {})[member.name] = row
    images = allocate_images((len(members), *entry.image_shape))
    found = 0
    for source, rows_by_name in rows.items():
        contents = iterate_members(source, rows_by_name.__contains__)
        for name, content in show_progress(contents, source.name, len(rows_by_name), progress=progress):
            image = decode_image(content, f"{source}: {name!r}", max_pixels=_MAX_PIXELS)
            if image.shape[:2] != (height, width) and entry.form != "gtsrb":
                raise DataError(
                    f"{source}: {name!r} is {image.shape[1]}×{image.shape[0]} pixels; the images of '{entry.name}' are "
                    f"{width}×{height}. Move {source.name} to another folder, and pass its path as the source."
                )
            images[rows_by_name[name]] = target.preprocess(image)
            found += 1
    if found != len(members):  # two members of one name, or an archive that was changed while it was read
        raise DataError(f"{members[0].source} has {found:,} images; expected {len(members):,}. Download it again.")
    return images


def _is_image(name: str) -> bool:
    # Archives made on macOS have hidden files named like the images.
    return has_image_suffix(name) and not is_hidden(name)


def _normalize(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
