"""Specification of data sets (`DataSpec`), and the registry of file formats."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from skconv.data.catalog.lookup import explain_name, get_entry, list_datasets, summarize_names
from skconv.data.class_names import note_class_names
from skconv.data.content import cache_folder, is_table_name
from skconv.data.conversion import is_size, split_size, warn_if_equal
from skconv.data.dataset import Dataset
from skconv.data.groups import NO_GROUPS
from skconv.data.label_pattern import compile_pattern
from skconv.data.other_files import describe_other
from skconv.data.published.named import load_entry
from skconv.data.published.openml import fetch_openml_images
from skconv.data.splitting import drop_classes, hold_out_test, resplit
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.files import escape_undecodable, expand_home, find_similar_path
from skconv.images.resizing import choose_size, describe_choice
from skconv.images.spec import PREPROCESSING, RESIZE_RULES, ImageSpec
from skconv.registry import Registry

# Options for a folder of images.
FOLDER_OPTIONS = ("exclude", "class_level", "label_pattern")
_FORMATS = "a folder with one folder per class, a folder of IDX files, a competition's folder, a .csv or an .npz"


class DataOptions(TypedDict, total=False):
    """Fields of `DataSpec` that functions accept as keyword options."""

    images: str | os.PathLike[str] | None
    image_column: str | None
    label_column: str | None
    image_size: int | tuple[int, ...] | None
    resize: str | None
    skip_unreadable: bool | None
    exclude: Sequence[str] | None
    class_level: int | None
    label_pattern: str | None
    groups: str | None
    min_class_size: int | None
    drop_class: Sequence[str] | None
    data_home: str | os.PathLike[str] | None


@dataclass(frozen=True)
class DataSpec:
    """Specification of a data set: source, image size, preprocessing and split.

    `source`, `normalize` and the options of `DataOptions` are as in `load_dataset`; an `image_size` n becomes (n, n).
    The source of a recipe for any data is None, and must be replaced before loading. If `test_fraction`, in (0, 1), is
    set, all images are pooled, and this fraction is held out for testing. By default, the test split of the data is
    used, or 15 % of the training images if there is none. `split_seed` is the seed of the split, by default the seed
    passed to `split`. `short_side` is the length of the shorter side to which larger images are resized if neither
    `image_size` nor `form`, the format of a model's images, sets a size.

    Examples
    --------
    >>> spec = DataSpec("digits")
    >>> dataset = spec.split(spec.load(), seed=0)
    >>> len(dataset.train_images), len(dataset.test_images)
    (1527, 270)
    """

    source: str | os.PathLike[str] | None = None
    images: str | os.PathLike[str] | None = None
    image_column: str | None = None
    label_column: str | None = None
    image_size: int | tuple[int, ...] | None = None
    normalize: str | None = None
    resize: str | None = None
    skip_unreadable: bool | None = None
    exclude: Sequence[str] | None = None
    class_level: int | None = None
    label_pattern: str | None = None
    groups: str | None = None
    min_class_size: int | None = None
    drop_class: Sequence[str] | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    data_home: str | os.PathLike[str] | None = None
    short_side: int | None = None
    form: ImageSpec | None = None

    def __post_init__(self) -> None:
        size = self.image_size
        if isinstance(size, int | np.integer) and not isinstance(size, bool):
            object.__setattr__(self, "image_size", (int(size), int(size)))
        elif isinstance(size, list):
            object.__setattr__(self, "image_size", tuple(size))
        if size is not None and not is_size(self.image_size):
            raise ParameterError(
                "The 'image_size' parameter must be an integer, (height, width), (height, width, channels) or "
                f"(channels, height, width), each at least 1 and with 1 or 3 channels, such as (28, 28). Got {size!r}."
            )
        for name in ("exclude", "drop_class"):
            value = getattr(self, name)
            if value is not None:  # an empty list, as from the command line, is treated as None
                object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value) or None)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels, from `image_size`."""
        return split_size(self.row_shape)[0]

    @property
    def channels(self) -> int | None:
        """Number of channels, from `image_size`; None unless `image_size` has three numbers."""
        return split_size(self.row_shape)[1]

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """`image_size` as the shape of images that are stored as rows of pixels; see `shape_rows`."""
        return self.image_size if isinstance(self.image_size, tuple) else None

    @property
    def resize_rule(self) -> str:
        """Rule for images of another aspect ratio: `resize`, else the rule of `form`, else "pad"."""
        if self.resize is None and self.form is not None:
            return self.form.resize or "stretch"
        return self.resize or "pad"

    @property
    def path(self) -> Path:
        """The source as a path."""
        if self.source is None:
            raise ParameterError("No data source was passed. Pass the name of a data set, a file or a folder.")
        return expand_home(self.source)

    @property
    def given_groups(self) -> str | None:
        """The column or pattern of `groups`; None if there are no groups, or groups are found by default."""
        return None if self.groups == NO_GROUPS else self.groups

    @property
    def images_path(self) -> Path | None:
        """The folder of the images as a path."""
        return None if self.images is None else expand_home(self.images)

    @property
    def short_name(self) -> str:
        """Name of the file, without suffix, or of the folder."""
        absolute = self.path.absolute()
        return escape_undecodable(absolute.name if absolute.is_dir() else absolute.stem) or "data"

    def check(self) -> None:
        """Raise `SourceNotFoundError` if the source does not exist, `ParameterError` if it is None."""
        if self.is_named or self.path.exists():
            return
        if "://" in self._name:
            raise SourceNotFoundError(
                f"The source '{self.source}' is a URL. Download the file, unpack it, and pass its path."
            )
        if reason := explain_name(self._name):
            raise SourceNotFoundError(f"There is no file, folder or data set '{self.source}'. {reason}")
        nearest = difflib.get_close_matches(str(self.source), list_datasets(), n=1)
        similar = nearest[0] if nearest else find_similar_path(self.path)
        suggestion = f" Did you mean '{similar}'?" if similar else ""
        raise SourceNotFoundError(
            f"There is no file, folder or data set '{self.source}'.{suggestion} "
            f"Known data sets: {', '.join(summarize_names(list_datasets()))}; or pass {_FORMATS}."
        )

    def load(self, *, download: bool = True, progress: bool = False) -> Dataset:
        """Load the data without splitting it; parameters and errors as in `load_dataset`."""
        self.check()
        self.check_options()
        if self._name in list_datasets():
            if self.path.exists():
                kind = "folder" if self.path.is_dir() else "file"
                warnings.warn(
                    f"'{self._name}' is the known data set, not the {kind} of this name. To use the {kind}, pass "
                    f"'./{self._name}'.",
                    stacklevel=3,
                )
            entry = get_entry(self._name)
            dataset = load_entry(entry, data_home=self.data_home, download=download, progress=progress)
        elif self._name.startswith("openml:"):
            identifier = self._name.removeprefix("openml:").strip()
            splits = fetch_openml_images(identifier, cache_folder() / "openml", self.row_shape)
            dataset = splits.to_dataset(f"openml-{identifier}", self._name)
        else:
            format_ = self._find_format()
            dataset = format_.read(self, progress)
            return self.finish(dataset, has_chosen_classes=format_.chooses_classes)
        return self.finish(dataset)

    def finish(self, dataset: Dataset, *, has_chosen_classes: bool = False) -> Dataset:
        """Leave out classes and convert the images, as requested.

        `has_chosen_classes` is true if the classes have already been left out.
        """
        if not has_chosen_classes and (self.drop_class or self.min_class_size is not None):
            dataset = drop_classes(dataset, self.drop_class or (), self.min_class_size)
        note_class_names(dataset)
        warn_if_equal(dataset.source, dataset.train_images)
        return self._convert(dataset)

    def split(self, dataset: Dataset, seed: int) -> Dataset:
        """Return the data set with the requested test split; `seed` applies unless `split_seed` is set.

        Raise `DataError` for too few images.
        """
        seed = seed if self.split_seed is None else self.split_seed
        if self.test_fraction is not None:
            return resplit(dataset, fraction=self.test_fraction, seed=seed)
        return hold_out_test(dataset, seed=seed)

    def _convert(self, dataset: Dataset) -> Dataset:
        """Return the data set with preprocessing, size and channels as requested; large images are resized."""
        if self.normalize is not None:
            if self.normalize == dataset.preprocessing:
                return dataset
            return dataset.preprocess(ImageSpec.for_step(self.normalize, self.size))
        own_size = (dataset.image_shape[0], dataset.image_shape[1])
        size = self.size
        if size is None and self.form is not None:
            # Models without a resize rule were trained on images that were not resized.
            size = own_size if self.form.resize is None else (self.form.height, self.form.width)
        elif size is None and dataset.resize is None:  # files are resized while they are read
            size = choose_size([own_size], len(dataset.train_images), self.short_side)
            if size is not None:
                warnings.warn(describe_choice([own_size], size, self.resize), stacklevel=2)
        channels = self.channels or (1 if len(dataset.image_shape) == 2 else 3)
        target = ImageSpec(*(size or own_size), channels, resize=self.resize_rule)
        if target.shape != dataset.image_shape:
            return dataset.preprocess(target)
        return replace(dataset, preprocessing=None, resize=self.resize or dataset.resize)

    @property
    def is_named(self) -> bool:
        """Whether the source is the name of a data set, not a path."""
        return self._name in list_datasets() or self._name.startswith("openml:")

    @property
    def _name(self) -> str:
        # Only a str can be a name; a Path with the same text is a file or folder.
        return self.source if isinstance(self.source, str) else ""

    def check_options(self) -> None:
        """Raise `ParameterError` for an invalid option, or an option that does not apply to the source."""
        if self.resize is not None and self.resize not in RESIZE_RULES:
            known = ", ".join(map(repr, RESIZE_RULES))
            raise ParameterError(f"The 'resize' parameter must be None or {known}. Got {self.resize!r}.")
        if self.resize is not None and self.normalize is not None:
            raise ParameterError(
                f"The 'resize' parameter has no effect with normalize={self.normalize!r}. Omit one of them."
            )
        if self.min_class_size is not None and self.min_class_size < 1:
            raise ParameterError(
                f"The 'min_class_size' parameter must be an integer of at least 1. Got {self.min_class_size!r}."
            )
        for name in FOLDER_OPTIONS:
            if getattr(self, name) is not None and (self.source is None or not self.path.is_dir()):
                source = "a data frame" if self.source is None else f"'{self.source}'"
                raise ParameterError(f"The '{name}' parameter is for a folder; the source is {source}. Omit it.")
        if self.label_pattern is not None:
            compile_pattern(self.label_pattern)
            if self.class_level is not None:
                raise ParameterError(
                    "'label_pattern' finds the classes in the names of files, 'class_level' in those of folders. Omit "
                    "one of them."
                )
        self._check_groups()
        level = self.class_level
        if level is not None and (isinstance(level, bool) or not isinstance(level, int | np.integer) or level == 0):
            raise ParameterError(
                "The 'class_level' parameter must be an integer other than 0: 1, 2, … from the source, or -1, -2, … "
                f"from the image files. Got {level!r}."
            )
        if self.normalize is not None and self.normalize not in PREPROCESSING:
            known = ", ".join(map(repr, PREPROCESSING.names()))
            raise ParameterError(f"The 'normalize' parameter must be None or {known}. Got {self.normalize!r}.")
        if self.source is not None and (self._name.startswith("openml:") or not is_table_name(self.path)):
            for name in ("images", "image_column", "label_column"):
                if getattr(self, name) is not None:
                    raise ParameterError(f"'{name}' requires a CSV file as the source. Got '{self.source}'.")

    def _check_groups(self) -> None:
        if not isinstance(self.groups, str | int | None):
            kind = type(self.groups).__name__
            raise ParameterError(f"The 'groups' parameter must be the name of a column, or a pattern. Got a {kind}.")
        if self.given_groups is None or self.source is None:
            return
        if self.is_named or not (self.path.is_dir() or is_table_name(self.path)):
            raise ParameterError(
                "The 'groups' parameter is a column of a CSV file, or a pattern for the names of the images in a "
                f"folder; the source is '{self.source}'. Omit it."
            )

    def list_folder_options(self) -> set[str]:
        """Return the names of the options for a folder that are set."""
        options = {name: getattr(self, name) for name in FOLDER_OPTIONS} | {"groups": self.given_groups}
        return {name for name, value in options.items() if value is not None}

    def _find_format(self) -> Format:
        path = self.path
        if not path.is_dir() and not path.is_file():
            raise DataError(f"{path} is neither a file nor a folder; expected {_FORMATS}.")
        excluded = [self.exclude] if self.exclude else []
        given = self.list_folder_options() if path.is_dir() else set()
        for format_ in list_formats():
            if given <= format_.folder_options and format_.accepts(path, *excluded):
                return format_
        other = describe_other(path)
        if other is not None:
            raise DataError(f"{path} {other[0]}. {other[1]}")
        raise DataError(
            f"{path} is not in a supported format; expected {_FORMATS}. Unpack or convert it first; a text table needs "
            "a name that ends in .csv."
        )


@dataclass(frozen=True)
class Format:
    """Reader of a file format; formats of higher priority are tried first.

    `accepts` returns whether a path can be read; it should check names, not the content. `read` accepts the
    `DataSpec` and whether to show a progress bar; if it applies ``spec.normalize``, it sets `preprocessing` of the data
    set. `read_inputs` accepts a `DataSpec` and the `ImageSpec` of a model, and returns an id per image and the images
    to predict, of any size, or their files; if it is None, the path is searched for image files. `chooses_classes` is
    true if `read` applies ``spec.drop_class`` and ``spec.min_class_size``. `folder_options` contains the options of
    folders that `read` applies, in `FOLDER_OPTIONS` or "groups"; a folder with another one is not read in this format.
    With "exclude", the second argument of `accepts` has the patterns, if there are any.
    """

    accepts: Callable[..., bool]
    read: Callable[[DataSpec, bool], Dataset]
    read_inputs: Callable[[DataSpec, ImageSpec], tuple[Sequence[str], np.ndarray | Sequence[Path]]] | None = None
    priority: int = 0
    chooses_classes: bool = False
    folder_options: frozenset[str] = frozenset()


FORMATS: Registry[Format] = Registry("formats", "format")


def list_formats() -> list[Format]:
    """Return the readers of all formats by descending priority."""
    return sorted((FORMATS.get(name) for name in FORMATS.names()), key=lambda format_: -format_.priority)
