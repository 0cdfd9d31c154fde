"""Data sets of `small_images.py`: search, one split for all, and arrays of the sizes that the peers train on."""

from __future__ import annotations

import os
import shutil
import statistics
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from skconv.data.catalog.lookup import get_entry
from skconv.data.dataset import Dataset
from skconv.data.published.named import list_locations
from skconv.data.spec import DataSpec
from skconv.data.splitting import merge_validation

NAMED = ("mnist", "fashion-mnist", "usps")
FOLDERS = "small-images*"  # in SKCONV_DATA
EXCLUDED = frozenset({"traps"})  # several small folders, each with an error to find
DROPPED = {"meter-digits-raw": ("N",)}  # a class of one image
DIGITS = frozenset({"mnist", "usps", "meter-digits-raw"})  # a mirrored digit is not a digit
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_N_OPENED = 200  # image files whose size is read


@dataclass(frozen=True)
class ImageSet:
    """A data set with a test split, for `skconv train` and as arrays for the peers.

    `source` is the name or path for skconv. `arrays` contains the .npz file for each maximum size that was requested.
    `mirrored` is whether a mirror image belongs to the same class.
    """

    name: str
    source: str
    arrays: dict[int, Path]
    facts: dict
    mirrored: bool = True


def find_sets(folders: Iterable[Path] = ()) -> dict[str, str | Path]:
    """Return the sources of all data sets by name: named sets, those in ``SKCONV_DATA/small-images*``, `folders`.

    Raise ValueError for two sources of one name.
    """
    found: dict[str, str | Path] = {name: name for name in NAMED if _is_available(name)}
    home = os.environ.get("SKCONV_DATA")
    collections = sorted(Path(home).glob(FOLDERS)) if home else []
    entries = sorted(entry for folder in collections for entry in folder.iterdir())
    readable = [each for each in entries if each.is_dir() or each.name.endswith((".npz", *_ARCHIVES))]
    for path in chain(readable, folders):
        name = _strip_suffix(path.resolve().name)
        if name in EXCLUDED and path in readable:
            continue
        if name in found:
            raise ValueError(f"There are two data sets '{name}': {found[name]} and {path}. Rename one of them.")
        found[name] = path
    return found


def prepare_set(name: str, source: str | Path, folder: Path, sizes: Iterable[int]) -> ImageSet:
    """Write a data set to `folder`, with arrays of each of `sizes`, the maximum sides in pixels.

    Without a test split, the images that `skconv train --seed 0` would hold out are the test split of all seeds. A
    validation split is added to the peers' training images, because they select nothing by it. Images are resized
    without preserving the aspect ratio, as the peers' examples do; they are not enlarged. Errors as in `load_dataset`.
    """
    if isinstance(source, Path) and source.name.endswith(_ARCHIVES):
        source = _unpack(source, folder / f"{name}-unpacked")
    spec = DataSpec(source, drop_class=DROPPED.get(name))
    loaded = spec.load()
    side = _find_side(loaded)
    if loaded.test_images is None or name in DROPPED:
        source = _write_split(spec.split(loaded, seed=0), bool(loaded.files), folder / name)
    arrays: dict[int, Path] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same as of the first loading
        for size in sorted(set(sizes)):
            own = min(size, side)
            path = folder / f"{name}-{own}.npz"
            if path not in arrays.values():
                dataset = merge_validation(DataSpec(source, image_size=(own, own), resize="stretch").load())
                _write_arrays(dataset, path)
            arrays[size] = path
    facts = {
        "training images": len(dataset.train_labels),
        "test images": len(dataset.test_labels),
        "classes": len(dataset.class_names),
        "side in pixels": side,
        "channels": 1 if dataset.train_images.ndim == 3 else 3,
    }
    return ImageSet(name, str(source), arrays, facts, name not in DIGITS)


def _is_available(name: str) -> bool:
    entry = get_entry(name)
    return any(not location.find_missing(entry) for location in list_locations(entry))


def _strip_suffix(name: str) -> str:
    return next((name.removesuffix(each) for each in (".npz", *_ARCHIVES) if name.endswith(each)), name)


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive, and return the folder with its content."""
    options = {} if archive.suffix == ".zip" else {"filter": "data"}
    shutil.unpack_archive(archive, folder, **options)
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def _find_side(dataset: Dataset) -> int:
    """Return the longer side of the images in pixels, the median if they are files."""
    if not dataset.files:
        return max(dataset.image_shape[:2])
    sides = []
    for file in dataset.files[:: -(-len(dataset.files) // _N_OPENED)]:
        with Image.open(file) as image:
            sides.append(max(image.size))
    return round(statistics.median(sides))


def _write_split(dataset: Dataset, has_files: bool, target: Path) -> Path:
    """Copy image files to folders ``train``, ``valid`` and ``test``, or write arrays; return the path for skconv."""
    splits = {
        split: labels
        for split in ("train", "valid", "test")
        if (labels := getattr(dataset, f"{split}_labels")) is not None
    }
    if not has_files:
        path = target.with_suffix(".npz")
        names = np.array(dataset.class_names)
        arrays = {f"{split}_x": getattr(dataset, f"{split}_images") for split in splits}
        np.savez(path, **arrays, **{f"{split}_y": names[labels] for split, labels in splits.items()})
        return path
    files = iter(dataset.list_names())
    for split, labels in splits.items():
        for number, label in enumerate(labels.tolist()):
            file = Path(next(files))
            folder = target / split / dataset.class_names[label].replace("/", "-")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / f"{number:06}{file.suffix}")
    return target


def _write_arrays(dataset: Dataset, path: Path) -> None:
    names: Sequence[str] = ("train_images", "train_labels", "test_images", "test_labels")
    np.savez(path, **{name: np.asarray(getattr(dataset, name)) for name in names})
