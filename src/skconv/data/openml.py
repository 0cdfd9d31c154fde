"""Data sets of images on OpenML, through scikit-learn's client, which keeps what it fetched."""

from __future__ import annotations

import hashlib
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skconv.data.labels import name_labels
from skconv.data.pixels import arrange_axes, as_uint8
from skconv.data.splits import Splits
from skconv.exceptions import DataError, DownloadError, SourceNotFoundError

_TIMEOUT = 60.0  # seconds without a byte
_USPS_TRAIN = 7291
# Of all 9,298 labels as one word of digits: another order would mix the official splits.
_USPS_LABELS_SHA256 = "99728c272e12b75dab47f175373acc033f4cb96db6377deda3e067885e26b4de"


def fetch_openml_images(name: str, cache: Path, image_size: tuple[int, int] | None = None) -> Splits:
    """Fetch a data set of images, one a row, from OpenML; there is no test split.

    Parameters
    ----------
    name : str
        The data set's name, or its number.
    cache : pathlib.Path
        Where to keep it; a data set that is there is not fetched again.
    image_size : (height, width), optional
        The size of images that are not square.

    Raises
    ------
    SourceNotFoundError
        OpenML has no such data set.
    DownloadError
        OpenML cannot be reached, or what came is damaged.
    DataError
        What it holds is not one image a row with one label.
    """
    if not name:
        raise SourceNotFoundError("'openml:' names no data set. Write openml:NAME or openml:NUMBER.")
    table = _fetch_table(name, cache)
    return convert_table(f"openml:{name}", table.data, table.target, image_size)


def fetch_usps(name: str, cache: Path) -> Splits:
    """Fetch USPS from OpenML and divide it as published: 7,291 for training, 2,007 for testing.

    Raises
    ------
    DataError
        What came is not USPS in the published order.
    SourceNotFoundError, DownloadError
        As `fetch_openml_images`.
    """
    images, names, *_ = fetch_openml_images(name, cache)
    try:
        labels = [str(int(label) - 1) for label in names]  # 1..10 there
    except ValueError:
        labels = []
    digest = hashlib.sha256("".join(labels).encode()).hexdigest()
    if images.shape[1:] != (16, 16) or digest != _USPS_LABELS_SHA256:
        raise DataError(
            f"OpenML's data set '{name}' is not USPS in the published order any more. "
            f"Pass openml:{name} as the source to use it as it is, or take usps-esl."
        )
    return Splits(images[:_USPS_TRAIN], labels[:_USPS_TRAIN], images[_USPS_TRAIN:], labels[_USPS_TRAIN:])


def convert_table(where: str, data: Any, target: Any, image_size: tuple[int, int] | None = None) -> Splits:
    """Turn a table as scikit-learn's ``fetch_openml`` returns it into images and label names.

    Parameters
    ----------
    where : str
        Where the table came from, for errors.
    data : ndarray or sparse matrix, shape (n, n_pixels)
        Values 0..255, 0..1, or, as some publishers of digits have it, -1..1; these become
        ``round((value + 1) * 127.5)``.
    target : ndarray, shape (n,)
    image_size : (height, width), optional

    Raises
    ------
    DataError
        Values that are no pixels, a number of columns that is no image, or not one label a row.
    """
    if target is None or np.ndim(target) != 1:
        raise DataError(f"{where} has not exactly one target column; expected one label an image.")
    values = data.toarray() if hasattr(data, "toarray") else np.asarray(data)
    if values.dtype == object:
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where} holds words among its features; expected pixels, all of them numbers.") from error
    labels = np.asarray(target)
    if labels.dtype == object:
        if any(label is None or label != label for label in labels):
            raise DataError(f"{where} lacks labels in some rows; expected one an image.")
        labels = labels.astype(str)
    if values.dtype.kind == "f" and values.size and -1 <= values.min() < 0 and values.max() <= 1:
        values = np.rint((values + 1) * 127.5)
    return Splits(as_uint8(where, arrange_axes(where, values, image_size)), name_labels(where, labels))


def _fetch_table(name: str, cache: Path) -> Any:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    from sklearn.datasets import fetch_openml

    wanted: dict[str, Any] = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    try:
        # The other parser is faster, but needs pandas, which skconv does not, and fails with pandas 3.1 where
        # labels are numbers.
        options = {"parser": "liac-arff", "as_frame": False, "data_home": str(cache), "n_retries": 1, "delay": 0.2}
        with warnings.catch_warnings(), _time_limit():
            warnings.simplefilter("ignore")  # about retries and several versions
            return fetch_openml(**wanted, **options)
    except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"OpenML cannot be reached, or refuses '{name}' ({error}). Try again later.") from error
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        if "not found" in reason or reason.startswith("No active"):
            raise SourceNotFoundError(f"OpenML has no active data set '{name}'. Look it up on openml.org.") from error
        raise DataError(f"OpenML's data set '{name}' cannot be used: {reason}") from error
    except (OSError, EOFError, HTTPException, LookupError) as error:
        raise DownloadError(
            f"OpenML's data set '{name}' came damaged or cannot be kept in {cache}: {error}."
        ) from error


@contextmanager
def _time_limit() -> Iterator[None]:
    # scikit-learn opens addresses without a limit: a server that sends nothing would hold us for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
