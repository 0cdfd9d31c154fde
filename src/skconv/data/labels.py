"""Labels from any source: conversion to class names, sorting, encoding."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from skconv.exceptions import DataError, list_some
from skconv.text import format_count

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def normalize_text(text: str) -> str:
    """Return a name without surrounding whitespace and in Unicode's composed form (NFC).

    Examples
    --------
    >>> normalize_text(" Angstrom sign \N{ANGSTROM SIGN} ") == "Angstrom sign Å"
    True
    """
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN, or the NA or NaT of pandas.

    Examples
    --------
    >>> [is_missing(value) for value in (None, float("nan"), 0, "")]
    [True, True, False, False]
    """
    # Comparisons with NA return NA, which has no truth value.
    is_pandas_missing = type(value).__name__ in ("NAType", "NaTType")
    return value is None or is_pandas_missing or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def is_number(text: str) -> bool:
    """Return whether a text is a finite number, with a decimal point or a decimal comma.

    Examples
    --------
    >>> [is_number(text) for text in ("3", "-0,5", "1e-3", "nan", "1_000", "")]
    [True, True, True, False, False, False]
    """
    return _NUMBER.fullmatch(text) is not None


def to_number(text: str) -> float:
    """Convert a text that `is_number` accepts."""
    return float(text.replace(",", "."))


def clean_labels(where: str, labels: Sequence[str]) -> list[str]:
    """Return labels with one spelling per class.

    Surrounding whitespace is removed, Unicode is composed (NFC), and if all labels are numbers, ``3.0`` becomes ``3``.
    Warn about the number of changed labels, unless all labels were changed alike.
    Raise `DataError` if the labels are measurements: numbers with fractions, most of which occur once.

    Examples
    --------
    >>> clean_labels("X", ["10.0", "2.0"])
    ['10', '2']
    """
    counts = Counter(labels)
    names = {label: normalize_text(label) for label in counts}
    spaced = [label for label, name in names.items() if label != name]
    if spaced and len(spaced) < len(counts):
        warnings.warn(
            f"{where}: surrounding spaces or another Unicode form were removed from {_count(counts, spaced)}; the "
            f"first is '{spaced[0].strip()}'.",
            stacklevel=2,
        )
    if all(map(is_number, names.values())):
        values = {label: to_number(name) for label, name in names.items()}
        _check_classes(where, values, len(labels))
        names = _unify_numbers(where, names, values, counts)
    return [names[label] for label in labels]


def _check_classes(where: str, values: dict[str, float], n_labels: int) -> None:
    fractions = [label for label, value in values.items() if not value.is_integer()]
    if fractions and len(values) > n_labels / 2:
        raise DataError(
            f"{where}: the labels are {len(values):,} different numbers in {n_labels:,} rows, such as {fractions[0]}; "
            "expected classes. Pass the column of the classes as --label-column."
        )


def _unify_numbers(where: str, names: dict[str, str], values: dict[str, float], counts: Counter[str]) -> dict[str, str]:
    """Return one spelling per number: digits only if all are digits and differ in value, else the shortest."""
    plain = all(name.isdecimal() for name in names.values())
    n_values = len(set(values.values()))
    if plain and n_values == len(set(names.values())):
        return names  # leading zeros, as in "01", remain
    unified = {label: str(int(value)) if value.is_integer() else repr(value) for label, value in values.items()}
    if n_values < len(set(names.values())):
        changed = [label for label, name in unified.items() if name != names[label]]
        warnings.warn(
            f"{where}: unified {_count(counts, changed)}, other spellings of the same number; for example, "
            f"'{names[changed[0]]}' is read as '{unified[changed[0]]}'.",
            stacklevel=2,
        )
    return unified


def _count(counts: Counter[str], labels: Sequence[str]) -> str:
    return f"{sum(counts[label] for label in labels):,} of {counts.total():,} labels"


def sort_names(names: Sequence[str]) -> list[str]:
    """Return the distinct class names, sorted by value if all are numbers, else alphabetically.

    Examples
    --------
    >>> sort_names(["10", "9", "9"]), sort_names(["0.5", "-1"]), sort_names(["b", "10", "a"])
    (['9', '10'], ['-1', '0.5'], ['10', 'a', 'b'])
    """
    distinct = set(names)
    if all(map(is_number, distinct)):
        return sorted(distinct, key=lambda name: (to_number(name), name))
    return sorted(distinct)


def encode_labels(
    where: str, train: Sequence[str], test: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Encode label names as int64 indices into the class names, which are the sorted labels of the training split.

    Return the labels of both splits, and the class names. Raise `DataError` for fewer than two classes, or a test
    label that is not in the training split.

    Examples
    --------
    >>> encode_labels("animals.csv", ["dog", "cat", "dog"])
    (array([1, 0, 1]), None, ('cat', 'dog'))
    """
    train = _compose(train)
    class_names = sort_names(train)
    if not class_names:
        raise DataError(f"{where} has no labels; expected one per image.")
    if len(class_names) == 1:
        raise DataError(
            f"{where} has only one class, '{class_names[0]}'; a classifier needs at least two. "
            "Is this the right label column or folder?"
        )
    test_labels = None if test is None else encode_split(where, "test", test, class_names)
    return encode_split(where, "training", train, class_names), test_labels, tuple(class_names)


def encode_split(where: str, split: str, labels: Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """Return the index of each label in the class names, int64 (n,); raise `DataError` for other labels."""
    position = {name: index for index, name in enumerate(class_names)}
    labels = _compose(labels)
    unknown = sort_names(list(set(labels) - set(class_names)))
    if unknown:
        listed = list_some([f"'{name}'" for name in unknown])
        found, them = (f"classes {listed} are", "them") if len(unknown) > 1 else (f"class {listed} is", "it")
        raise DataError(
            f"{where}: the {found} in the {split} split, but not in the training split. Add training images "
            f"of {them}, or remove {them} from the {split} split."
        )
    return np.array([position[name] for name in labels], np.int64)


def _compose(names: Sequence[str]) -> Sequence[str]:
    # Two Unicode forms of one name, as of folders copied from macOS, are one class.
    if all(map(str.isascii, names)):
        return names
    return [unicodedata.normalize("NFC", name) for name in names]


def name_labels(where: str, labels: np.ndarray) -> list[str]:
    """Convert an array of labels, one per image, to class names.

    Labels are integers, whole floats, bool or text of shape (n,) or (n, 1), or one-hot rows of shape (n, n_classes),
    whose positions are the names; these cause a warning. Raise `DataError` for other labels and for missing ones.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if _is_one_hot(labels):
        warnings.warn(
            f"{where}: the labels are one-hot rows of {labels.shape[1]} columns; the classes are named "
            f"0 to {labels.shape[1] - 1}.",
            stacklevel=2,
        )
        labels = labels.argmax(axis=1)
    if labels.dtype == object:
        labels = _to_plain(where, labels)
    if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
        raise DataError(
            f"{where}: the labels are {labels.dtype} of shape {labels.shape}; expected one integer or word per image, "
            "or one-hot rows."
        )
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels == np.rint(labels))
        if not whole.all():
            wrong = int(np.flatnonzero(~whole)[0])
            raise DataError(f"{where}: label {wrong} is {labels[wrong]}; expected an integer or a word.")
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    names = [str(label) for label in labels.tolist()]
    return clean_labels(where, names) if labels.dtype.kind == "U" else names


def _is_one_hot(labels: np.ndarray) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _to_plain(where: str, labels: np.ndarray) -> np.ndarray:
    """Convert an array of Python objects to text or numbers; raise `DataError` for missing labels."""
    missing = [index for index, label in enumerate(labels.tolist()) if is_missing(label)]
    if missing:
        raise DataError(f"{where}: {format_count(len(missing), 'missing label')}; the first is label {missing[0]}.")
    return np.array(labels.tolist())
