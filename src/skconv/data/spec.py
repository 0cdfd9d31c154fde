"""Specification and loading of data sets: `DataSpec`, the registry of formats, and `load_dataset`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from skconv.data.catalog import get_entry, list_datasets
from skconv.data.content import TABLE_SUFFIXES, cache_folder
from skconv.data.dataset import Dataset, hold_out_test, resplit
from skconv.data.named import load_entry
from skconv.data.openml import fetch_openml_images
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.images.spec import PREPROCESSING, ImageSpec
from skconv.registry import Registry
from skconv.signature import expand_options

_CODE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy"})
_FORMATS = "a folder with one folder per class, a folder of IDX files, a competition's folder, a .csv or an .npz"


class DataOptions(TypedDict, total=False):
    """Fields of `DataSpec` that functions accept as keyword options."""

    images: str | os.PathLike[str] | None
    label_column: str | None
    image_size: tuple[int, int] | None
    data_home: str | os.PathLike[str] | None


@dataclass(frozen=True)
class DataSpec:
    """Specification of a data set: source, image size, preprocessing and split.

    `source`, `images`, `label_column`, `image_size`, `normalize` and `data_home` are as in `load_dataset`; a recipe for
    any data has the source None, which must be replaced before loading. `test_fraction`, in (0, 1), of all images
    pooled is held out for testing; by default the test split of the data is used, or 15 % of the training images if
    there is none. `split_seed` is the seed of that split, by default the one passed to `split`.

    Examples
    --------
    >>> spec = DataSpec("digits")
    >>> dataset = spec.split(spec.load(), seed=0)
    >>> len(dataset.train_images), len(dataset.test_images)
    (1527, 270)
    """

    source: str | os.PathLike[str] | None = None
    images: str | os.PathLike[str] | None = None
    label_column: str | None = None
    image_size: tuple[int, int] | None = None
    normalize: str | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    data_home: str | os.PathLike[str] | None = None

    @property
    def path(self) -> Path:
        """The source as a path."""
        if self.source is None:
            raise ParameterError("No data source was passed. Pass the name of a data set, a file or a folder.")
        return Path(self.source)

    @property
    def short_name(self) -> str:
        """Name of the file, without suffix, or of the folder."""
        absolute = self.path.absolute()
        return (absolute.name if absolute.is_dir() else absolute.stem) or "data"

    def check(self) -> None:
        """Raise `SourceNotFoundError` if the source does not exist, `ParameterError` if it is None."""
        if self._name in list_datasets() or self._name.startswith("openml:") or self.path.exists():
            return
        nearest = difflib.get_close_matches(str(self.source), list_datasets(), n=1)
        suggestion = f" Did you mean '{nearest[0]}'?" if nearest else ""
        raise SourceNotFoundError(
            f"There is no file, folder or data set '{self.source}'.{suggestion} "
            f"Known data sets: {', '.join(list_datasets())}; or pass {_FORMATS}."
        )

    def load(self, *, download: bool = True, progress: bool = False) -> Dataset:
        """Load the data without splitting it; parameters and errors as in `load_dataset`."""
        self._check_options()
        self.check()
        if self._name in list_datasets():
            entry = get_entry(self._name)
            dataset = load_entry(entry, data_home=self.data_home, download=download, progress=progress)
        elif self._name.startswith("openml:"):
            identifier = self._name.removeprefix("openml:").strip()
            splits = fetch_openml_images(identifier, cache_folder() / "openml", self.image_size)
            dataset = splits.to_dataset(f"openml-{identifier}", self._name)
        else:
            dataset = self._find_format().read(self, progress)
        if self.normalize is not None and self.normalize != dataset.preprocessing:
            dataset = dataset.preprocess(ImageSpec.for_step(self.normalize, self.image_size))
        elif self.image_size is not None:
            dataset = dataset.preprocess(ImageSpec(*self.image_size, 1 if len(dataset.image_shape) == 2 else 3))
        return replace(dataset, preprocessing=self.normalize)

    def split(self, dataset: Dataset, seed: int) -> Dataset:
        """Return the data set with the requested test split; `seed` applies unless `split_seed` is set.

        Raise `DataError` for too few images.
        """
        seed = seed if self.split_seed is None else self.split_seed
        if self.test_fraction is not None:
            return resplit(dataset, fraction=self.test_fraction, seed=seed)
        return hold_out_test(dataset, seed=seed)

    @property
    def _name(self) -> str:
        # Only a str can be a name; a Path with the same text is a file or folder.
        return self.source if isinstance(self.source, str) else ""

    def _check_options(self) -> None:
        size = self.image_size
        if size is not None and not _is_size(size):
            raise ParameterError(
                "The 'image_size' parameter must be two integers of at least 1, (height, width), such as (28, 28). "
                f"Got {size!r}."
            )
        if self.normalize is not None and self.normalize not in PREPROCESSING:
            known = ", ".join(map(repr, PREPROCESSING.names()))
            raise ParameterError(f"The 'normalize' parameter must be None or {known}. Got {self.normalize!r}.")
        if self._name.startswith("openml:") or self.path.suffix.lower() not in TABLE_SUFFIXES:
            for name in ("images", "label_column"):
                if getattr(self, name) is not None:
                    raise ParameterError(f"'{name}' requires a CSV file; the source is '{self.source}'. Omit '{name}'.")

    def _find_format(self) -> Format:
        path = self.path
        if not path.is_dir() and not path.is_file():
            raise DataError(f"{path} is neither a file nor a folder; expected {_FORMATS}.")
        for format_ in list_formats():
            if format_.accepts(path):
                return format_
        if path.suffix.lower() in _CODE_SUFFIXES:
            raise DataError(
                f"{path} may contain pickled objects and is refused, because loading them can run code. "
                "Save the data as .npz."
            )
        raise DataError(f"{path} is not in a supported format; expected {_FORMATS}. Unpack or convert it first.")


def _is_size(size: Any) -> bool:
    is_pair = isinstance(size, tuple | list) and len(size) == 2
    return is_pair and all(isinstance(side, int | np.integer) and side >= 1 for side in size)


@dataclass(frozen=True)
class Format:
    """Reader of a file format; formats of higher priority are tried first.

    `accepts` returns whether a path can be read; it should check names, not the content. `read` accepts the
    `DataSpec` and whether to show a progress bar; if it applies ``spec.normalize``, it sets `preprocessing` of the data
    set. `read_inputs` accepts a `DataSpec` and the `ImageSpec` of a model, and returns an id per image and the images
    to predict, of any size; if it is None, the path is searched for image files.
    """

    accepts: Callable[[Path], bool]
    read: Callable[[DataSpec, bool], Dataset]
    read_inputs: Callable[[DataSpec, ImageSpec], tuple[Sequence[str], np.ndarray]] | None = None
    priority: int = 0


FORMATS: Registry[Format] = Registry("formats", "format")


def list_formats() -> list[Format]:
    """Return the readers of all formats by descending priority."""
    return sorted((FORMATS.get(name) for name in FORMATS.names()), key=lambda format_: -format_.priority)


@expand_options(DataOptions)
def load_dataset(
    source: str | os.PathLike[str],
    *,
    normalize: str | None = None,
    download: bool = True,
    progress: bool = False,
    **options: Unpack[DataOptions],
) -> Dataset:
    """Load images and labels by name, from OpenML, or from a file or folder.

    Parameters
    ----------
    source : str or path-like
        One of

        - the name of a known data set (see `list_datasets`); write ``./digits`` for a folder of that name;
        - ``"openml:NAME"`` or ``"openml:NUMBER"``;
        - a folder with one folder per class, or with folders ``train`` and ``test`` that contain class folders;
        - a folder with the four IDX files of MNIST, raw or ``.gz``;
        - a competition's folder: ``train.csv`` and ``test.csv`` with the pixels, or with the ids of images in the
          folders ``train`` and ``test``;
        - a CSV of pixels with the label first or in the column "label", with or without a header;
        - a CSV of ``id,label``, with `images`;
        - an .npz with ``train_x, train_y, test_x, test_y``, the keys of Keras, ``images, labels`` or ``X, y``.
    data_home : path-like, optional
        Folder searched first for named data sets, each in a subfolder of its name; by default the environment
        variable ``SKCONV_DATA``.
    images : path-like, optional
        Folder of the images that a CSV of ``id,label`` lists.
    label_column : str, optional
        Header of the label column in a CSV.
    image_size : (height, width), optional
        Size in pixels to which every image is resized; the shape of non-square images that are stored as rows.
    normalize : str, optional
        Registered preprocessing step; ``"digit"`` converts images of digits to the form of MNIST, as
        `skconv.normalize_digit` does.
    download : bool, default=True
        Download a named data set if it is not on this machine.
    progress : bool, default=False
        Show progress bars on standard error, if that is a terminal.

    Returns
    -------
    Dataset
        Images uint8; labels as indices into `class_names`, which are sorted, by value if they are integers. Large
        uncompressed files are memory-mapped. A competition has a `submission`, and a test split if its folder has
        ``answers.csv``.

    Raises
    ------
    SourceNotFoundError
        No such data set, file or folder; the message lists the places searched.
    DataError
        The source cannot be used; the message names the file, the line if possible, and the remedy.
    DownloadError
        OpenML cannot be reached.
    ParameterError
        `images` or `label_column` for a source that is not a CSV, or a size below 1.

    Examples
    --------
    >>> dataset = load_dataset("mnist")
    >>> dataset.train_images.shape, dataset.test_labels.shape
    ((60000, 28, 28), (10000,))
    """
    return DataSpec(source, normalize=normalize, **options).load(download=download, progress=progress)
