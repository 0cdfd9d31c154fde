"""Image data sets from OpenML, downloaded and cached by scikit-learn's client."""

from __future__ import annotations

import hashlib
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skconv.data.conversion import as_images, as_uint8
from skconv.data.dataset import Splits
from skconv.data.labels import is_missing, name_labels
from skconv.exceptions import DataError, DownloadError, SourceNotFoundError

_TIMEOUT = 60.0  # seconds without data
_USPS_TRAIN = 7291
# Sha256 of the 9,298 labels, concatenated; checked because another order of the rows would mix the official splits.
_USPS_LABELS_SHA256 = "99728c272e12b75dab47f175373acc033f4cb96db6377deda3e067885e26b4de"


def fetch_openml_images(name: str, cache: Path, image_size: tuple[int, ...] | None = None) -> Splits:
    """Fetch a data set with one image per row from OpenML, by name or number, without a test split.

    Downloads are cached in the folder `cache`. `image_size` is the (height, width) of non-square images.
    Raise `SourceNotFoundError` if there is no such data set, `DownloadError` if OpenML cannot be reached or the
    download is damaged, `DataError` if the table does not have one image and one label per row.
    """
    if not name:
        raise SourceNotFoundError("'openml:' lacks the name of a data set. Write openml:NAME or openml:NUMBER.")
    table = _fetch_table(name, cache)
    return convert_table(f"openml:{name}", table.data, table.target, image_size)


def fetch_usps(name: str, cache: Path) -> Splits:
    """Fetch USPS from OpenML and split it as published: 7,291 for training, 2,007 for testing.

    Raise `DataError` if the data is not in the published order; other errors as in `fetch_openml_images`.
    """
    images, names, *_ = fetch_openml_images(name, cache)
    try:
        labels = [str(int(label) - 1) for label in names]  # 1..10 on OpenML
    except ValueError:
        labels = []
    digest = hashlib.sha256("".join(labels).encode()).hexdigest()
    if images.shape[1:] != (16, 16) or digest != _USPS_LABELS_SHA256:
        raise DataError(
            f"OpenML's data set '{name}' no longer contains USPS in the published order. "
            f"Pass openml:{name} as the source to use it unchanged, or use usps-esl."
        )
    return Splits(images[:_USPS_TRAIN], labels[:_USPS_TRAIN], images[_USPS_TRAIN:], labels[_USPS_TRAIN:])


def convert_table(where: str, data: Any, target: Any, image_size: tuple[int, ...] | None = None) -> Splits:
    """Convert a table of scikit-learn's ``fetch_openml`` to images and label names.

    `data` is a dense or sparse array (n, n_pixels) of values 0..255, 0..1 or -1..1; values v in -1..1 become
    ``round((v+1)*127.5)``. `target` has one label per row. Raise `DataError` for other values, or a number of columns
    that fits no image. `where` names the origin of the table in error messages.
    """
    if target is None or np.ndim(target) != 1:
        raise DataError(f"{where} does not have exactly one target column; expected one label per image.")
    values = data.toarray() if hasattr(data, "toarray") else np.asarray(data)
    if values.dtype == object:
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where} has features that are not numeric; expected numbers in all columns.") from error
    labels = np.asarray(target)
    if labels.dtype == object:
        if any(map(is_missing, labels)):
            raise DataError(f"{where} has rows without a label; expected one label per image.")
        labels = labels.astype(str)
    if values.dtype.kind == "f" and values.size and -1 <= values.min() < 0 and values.max() <= 1:
        values = np.rint((values + 1) * 127.5)
    return Splits(as_uint8(where, as_images(where, values, image_size)), name_labels(where, labels))


def _fetch_table(name: str, cache: Path) -> Any:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    from sklearn.datasets import fetch_openml

    wanted: dict[str, Any] = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    try:
        # The default parser needs pandas, and fails with pandas 3.1 for numeric labels.
        options = {"parser": "liac-arff", "as_frame": False, "data_home": str(cache), "n_retries": 1, "delay": 0.2}
        with warnings.catch_warnings(), _time_limit():
            warnings.simplefilter("ignore")  # scikit-learn warns about retries and about several versions
            return fetch_openml(**wanted, **options)
    except (HTTPError, URLError, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"OpenML cannot be reached, or rejected '{name}' ({error}). Try again later.") from error
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        if "not found" in reason or reason.startswith("No active"):
            raise SourceNotFoundError(
                f"OpenML has no active data set '{name}'. Search openml.org for the name or id of an active data set."
            ) from error
        raise DataError(f"OpenML's data set '{name}' cannot be used: {reason}") from error
    except (OSError, EOFError, HTTPException, LookupError) as error:
        raise DownloadError(
            f"OpenML's data set '{name}' is damaged or cannot be saved in {cache}: {error}. Try again."
        ) from error


@contextmanager
def _time_limit() -> Iterator[None]:
    # scikit-learn opens URLs without a timeout.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
