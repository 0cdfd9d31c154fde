"""From labels as people write them to positions in a list of class names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skconv.exceptions import DataError


def sort_names(names: Sequence[str]) -> list[str]:
    """Sort distinct class names: by value if all are whole numbers, by letter otherwise.

    Examples
    --------
    >>> sort_names(["10", "9", "9"]), sort_names(["b", "10", "a"])
    (['9', '10'], ['10', 'a', 'b'])
    """
    distinct = set(names)
    if all(name.removeprefix("-").isdecimal() for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def encode_labels(
    where: str, train: Sequence[str], test: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Turn label names into positions.

    Parameters
    ----------
    where : str
        Where the labels came from, for the error.
    train, test : sequence of str
        The labels of both splits; `test` may be None.

    Returns
    -------
    train_labels : ndarray of int64
    test_labels : ndarray of int64 or None
    class_names : tuple of str
        The distinct labels of the training split, sorted.

    Raises
    ------
    DataError
        Fewer than two classes, or a test label that the training split does not have.

    Examples
    --------
    >>> encode_labels("animals.csv", ["dog", "cat", "dog"])
    (array([1, 0, 1]), None, ('cat', 'dog'))
    """
    class_names = sort_names(train)
    if not class_names:
        raise DataError(f"{where} holds no labels; expected one an image.")
    if len(class_names) == 1:
        raise DataError(
            f"{where} has only one class, '{class_names[0]}'; a classifier needs at least two. "
            "Is this the right label column or folder?"
        )
    unknown = sorted(set(test or ()) - set(class_names))
    if unknown:
        raise DataError(
            f"{where}: the test split has the class '{unknown[0]}', the training split has not. "
            "Both need the same classes."
        )
    position = {name: index for index, name in enumerate(class_names)}
    return _look_up(position, train), None if test is None else _look_up(position, test), tuple(class_names)


def _look_up(position: dict[str, int], names: Sequence[str]) -> np.ndarray:
    return np.fromiter((position[name] for name in names), np.int64, len(names))


def name_labels(where: str, labels: np.ndarray) -> list[str]:
    """Return an array of labels (integers, whole floats, or text) as names.

    Raises
    ------
    DataError
        The array is not one label an image, or holds something that names no class.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
        raise DataError(
            f"{where}: the labels are {labels.dtype} of shape {labels.shape}; expected one integer or word an image."
        )
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels == np.rint(labels))
        if not whole.all():
            wrong = int(np.flatnonzero(~whole)[0])
            raise DataError(f"{where}: label {wrong} is {labels[wrong]}; expected a whole number or a word.")
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return [str(label) for label in labels.tolist()]
