"""`DataSpec`: which data set to load, in which form, and how to split it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from skconv.exceptions import ParameterError

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset


class DataOptions(TypedDict, total=False):
    """Keyword arguments of a command that are fields of `DataSpec`, for ``**data: Unpack[DataOptions]``."""

    images: str | os.PathLike[str] | None
    label_column: str | None
    image_size: tuple[int, int] | None
    data_home: str | os.PathLike[str] | None


@dataclass(frozen=True)
class DataSpec:
    """A request for data: the source, the form of its images and the split.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `load_dataset`. None, as in a recipe for any data, can be replaced but not loaded.
    images : path-like, optional
        Folder of the images that a CSV of ``id,label`` lists.
    label_column : str, optional
        Header of the label column in a CSV.
    image_size : (height, width), optional
        Size in pixels that every image is resized to.
    normalize : str, optional
        Registered preprocessing step, such as ``"digit"``.
    test_fraction : float, optional
        Pool all images and hold out this fraction, in (0, 1), for testing. By default the test split of the data is
        used, or 15 % of the training images where there is none.
    split_seed : int, optional
        Seed of that split; by default the seed passed to `split`.
    data_home : path-like, optional
        Folder searched first for named data sets; by default the environment variable ``SKCONV_DATA``.

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

    def check(self) -> None:
        """Raise `SourceNotFoundError` if the source is neither a known name nor an existing path; load nothing.

        Raises
        ------
        ParameterError
            `source` is None.
        SourceNotFoundError
            No such data set, file or folder.
        """
        from skconv.data.sources import check_source

        check_source(self._require_source())

    def load(self, *, download: bool = True, progress: bool = False) -> Dataset:
        """Load the data, unsplit; parameters and errors as in `load_dataset`."""
        from skconv.data.sources import load_dataset

        return load_dataset(
            self._require_source(),
            data_home=self.data_home,
            images=self.images,
            label_column=self.label_column,
            image_size=self.image_size,
            normalize=self.normalize,
            download=download,
            progress=progress,
        )

    def split(self, dataset: Dataset, seed: int) -> Dataset:
        """Return the data set with a test split.

        Parameters
        ----------
        dataset : Dataset
            With or without a test split.
        seed : int
            Seed of the split, unless `split_seed` is set.

        Raises
        ------
        DataError
            Too few images.
        """
        from skconv.data.splitting import hold_out_test, split_anew

        if self.split_seed is not None:
            seed = self.split_seed
        if self.test_fraction is not None:
            return split_anew(dataset, fraction=self.test_fraction, seed=seed)
        return hold_out_test(dataset, seed=seed)

    def _require_source(self) -> str | os.PathLike[str]:
        if self.source is None:
            raise ParameterError("No data given. Pass the name of a data set, a file or a folder.")
        return self.source
