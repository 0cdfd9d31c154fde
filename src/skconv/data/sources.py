"""`load_dataset`, the one door to every data set: by name, from OpenML, or from a file or folder of your own."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path

from skconv.competitions.folder import holds_competition, read_competition
from skconv.competitions.making import open_competition, recognise_competition
from skconv.data.catalog import CatalogEntry, get_entry, list_datasets
from skconv.data.dataset import Dataset
from skconv.data.folders import read_class_folders, read_labelled_files
from skconv.data.idx import holds_idx, read_idx_folder
from skconv.data.labels import encode_labels
from skconv.data.locations import cache_folder
from skconv.data.named import read_named
from skconv.data.npz import read_npz
from skconv.data.openml import fetch_openml_images
from skconv.data.pixel_csv import TABLE_SUFFIXES, read_pixel_csv
from skconv.data.pixels import shape_rows
from skconv.data.splits import Splits
from skconv.digits.synthetic.dataset import read_digits_with_background
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.images.spec import DIGIT_SIZE, NORMALIZATIONS, ImageSpec

_CODE_SUFFIXES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npy"})
_FORMS = "a folder with a folder per class, a folder of IDX files, a competition's folder, a .csv or an .npz"


def load_dataset(
    source: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    normalize: str | None = None,
    download: bool = True,
    progress: bool = False,
) -> Dataset:
    """Load images and labels from wherever they are.

    Parameters
    ----------
    source : str or path-like
        One of

        - the name of a known data set (see `list_datasets`); write ``./digits`` for a folder of that name;
        - ``"openml:NAME"`` or ``"openml:NUMBER"``;
        - a folder with a folder per class, or with ``train`` and ``test`` folders of that kind;
        - a folder with MNIST's four IDX files, raw or ``.gz``;
        - a competition's folder: ``train.csv`` and ``test.csv`` with the pixels, or with the ids of images in
          the folders ``train`` and ``test``;
        - a CSV of pixels, the label first or in the column "label", with or without a header;
        - a CSV of ``id,label``, with `images`;
        - an .npz with ``train_x, train_y, test_x, test_y``, Keras's names, ``images, labels`` or ``X, y``.
    data_home : path-like, optional
        Where named data sets are looked for first, each in a folder of its name; by default the folder that
        the environment variable ``SKCONV_DATA`` names.
    images : path-like, optional
        The folder of the images that a CSV of ``id,label`` names.
    label_column : str, optional
        The label's column in a CSV, by its name in the header.
    image_size : (height, width), optional
        Bring every image to this size, in pixels; for rows of pixels that are not square, their shape.
    normalize : {"digit"}, optional
        Bring every image of a digit into the form of MNIST, as `skconv.normalize_digit` does, whatever its size.
    download : bool, default=True
        Whether a named data set that is nowhere on this machine may be fetched from the network.
    progress : bool, default=False
        Show a bar on standard error for what takes long, if that is a terminal.

    Returns
    -------
    Dataset
        Images uint8; labels as positions in `class_names`, which are sorted, by value if they are numbers.
        Large uncompressed files are mapped into memory, not read. A competition brings the form of its submission,
        and its test split where ``answers.csv`` is beside ``test.csv``.

    Raises
    ------
    SourceNotFoundError
        There is no such data set, file or folder; every place tried is named.
    DataError
        What is there cannot be used; the message names the file, where it can the line, and the remedy.
    DownloadError
        OpenML cannot be reached.
    ParameterError
        `images` or `label_column` for a source that has no use for them, or a size below 1.

    Examples
    --------
    >>> dataset = load_dataset("mnist")
    >>> dataset.train_images.shape, dataset.test_labels.shape
    ((60000, 28, 28), (10000,))
    """
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ParameterError(f"image_size is {image_size}; expected (height, width), each 1 or more.")
    if normalize not in (None, *NORMALIZATIONS):
        raise ParameterError(f"normalize is {normalize!r}; expected None or {', '.join(map(repr, NORMALIZATIONS))}.")
    name = source if isinstance(source, str) else ""
    is_table = not name.startswith("openml:") and Path(source).suffix.lower() in TABLE_SUFFIXES
    for parameter, value in (("images", images), ("label_column", label_column)):
        if value is not None and not is_table:
            raise ParameterError(f"{parameter} is for a CSV file, and the source is '{source}'. Leave it out.")
    if name in list_datasets():
        entry = get_entry(name)
        dataset = load_entry(entry, data_home=data_home, download=download, progress=progress)
    elif name.startswith("openml:"):
        identifier = name.removeprefix("openml:").strip()
        splits = fetch_openml_images(identifier, cache_folder() / "openml", image_size)
        dataset = _build(f"openml-{identifier}", splits, name)
    else:
        path = _find_path(source)
        if path.is_dir() and holds_competition(path):
            dataset = _load_competition(path, image_size, progress)
        else:
            splits = _read_path(path, images, label_column, image_size, normalize, progress)
            dataset = _build(_short_name(path), splits, str(path))
    if normalize is not None and not (name in list_datasets() and get_entry(name).form == "made"):
        dataset = _fit(dataset, ImageSpec(*(image_size or DIGIT_SIZE), 1, normalize))
    elif image_size is not None:
        dataset = _fit(dataset, ImageSpec(*image_size, 1 if len(dataset.image_shape) == 2 else 3))
    return replace(dataset, normalization=normalize)


def check_source(source: str | os.PathLike[str]) -> None:
    """Raise `SourceNotFoundError` for a source that is neither a known name nor there; it costs nothing."""
    name = source if isinstance(source, str) else ""
    if name not in list_datasets() and not name.startswith("openml:"):
        _find_path(source)


def load_entry(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> Dataset:
    """Load a data set that a catalog entry describes, be it skconv's own catalog's or yours.

    Parameters and errors are those of `load_dataset`.
    """
    if entry.form == "competition":
        folder = open_competition(entry, data_home=data_home, download=download, progress=progress)
        source = str(folder)
        try:
            dataset = _load_competition(folder, None, progress)
        except DataError as error:
            raise DataError(f"{error} Or take the folder {folder} away: the competition is then made again.") from error
    else:
        read = read_digits_with_background if entry.form == "made" else read_named
        splits, source = read(entry, data_home=data_home, download=download, progress=progress)
        dataset = _build(entry.name, splits, source)
    if len(dataset.class_names) != len(entry.class_names):
        raise DataError(
            f"{source} has {len(dataset.class_names)} classes; '{entry.name}' has {len(entry.class_names)}. "
            "Check its files."
        )
    return replace(dataset, name=entry.name, class_names=entry.class_names, licence=entry.licence)


def _load_competition(folder: Path, image_size: tuple[int, int] | None, progress: bool) -> Dataset:
    splits, form = read_competition(folder, image_size, progress=progress)
    dataset = replace(_build(_short_name(folder), splits, str(folder)), submission=form)
    entry = recognise_competition(form)
    return dataset if entry is None else replace(dataset, class_names=entry.class_names, licence=entry.licence)


def _build(name: str, splits: Splits, source: str) -> Dataset:
    train_labels, test_labels, class_names = encode_labels(source, splits.train_labels, splits.test_labels)
    return Dataset(
        name=name,
        train_images=splits.train_images,
        train_labels=train_labels,
        class_names=class_names,
        test_images=splits.test_images,
        test_labels=test_labels,
        source=source,
    )


def _find_path(source: str | os.PathLike[str]) -> Path:
    path = Path(source)
    if not path.exists():
        nearest = difflib.get_close_matches(str(source), list_datasets(), n=1)
        suggestion = f" Did you mean '{nearest[0]}'?" if nearest else ""
        raise SourceNotFoundError(
            f"There is no file, folder or data set '{source}'.{suggestion} "
            f"Known data sets: {', '.join(list_datasets())}; or pass {_FORMS}."
        )
    return path


def _short_name(path: Path) -> str:
    absolute = path.absolute()
    return (absolute.name if path.is_dir() else absolute.stem) or "data"


def _read_path(
    path: Path,
    images: str | os.PathLike[str] | None,
    label_column: str | None,
    image_size: tuple[int, int] | None,
    normalize: str | None,
    progress: bool,
) -> Splits:
    suffix = path.suffix.lower()
    if path.is_dir():
        if holds_idx(path):
            return read_idx_folder(path)
        return read_class_folders(path, image_size, normalization=normalize, progress=progress)
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder; expected {_FORMS}.")
    if suffix in _CODE_SUFFIXES:
        raise DataError(
            f"{path} may hold pickled objects, which could run code when loaded; it is refused. Save it as .npz."
        )
    if suffix == ".npz":
        return read_npz(path, image_size)
    if suffix in TABLE_SUFFIXES and images is not None:
        return read_labelled_files(
            path, Path(images), label_column, image_size, normalization=normalize, progress=progress
        )
    if suffix in TABLE_SUFFIXES:
        table = read_pixel_csv(path, label_column)
        return Splits(shape_rows(str(path), table.pixels, image_size), table.labels or [])
    raise DataError(f"{path} is of no kind that can be read; expected {_FORMS}. Unpack or convert it first.")


def _fit(dataset: Dataset, image_form: ImageSpec) -> Dataset:
    """Bring all images of a data set into a form."""
    fit = image_form.preprocess_all
    test = None if dataset.test_images is None else fit(dataset.test_images)
    form = dataset.submission
    if form is not None:
        # Not twice where the answers are known, and the images to be named are the test split.
        known = test if form.images is dataset.test_images else None
        form = replace(form, images=fit(form.images) if known is None else known)
    return replace(dataset, train_images=fit(dataset.train_images), test_images=test, submission=form)
