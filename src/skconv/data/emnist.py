"""Form of EMNIST's files: transposed images, and numbers of characters as labels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Container
from pathlib import Path

import numpy as np

from skconv.data.content import open_table
from skconv.data.split_names import SPLIT_WORDS, TEST
from skconv.exceptions import DataError

IDX_SPLITS = SPLIT_WORDS | {"t10k": TEST}  # words for splits in the names of MNIST's and EMNIST's files


def correct_emnist(file: Path, name: str, images: np.ndarray, labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return images and labels of a file of EMNIST upright, and with characters as labels; others unchanged.

    `name` is that of the data set, such as "emnist-letters". EMNIST stores columns first, in its IDX files and in its
    tables, so that rows and columns are exchanged, with a warning. The characters are those of the file
    ``NAME-mapping.txt`` beside `file`, with any separators and case; without it, the labels remain numbers.
    """
    if "emnist" not in name.split("-"):
        return images, labels
    warnings.warn(
        f"{file}: EMNIST stores images transposed; rows and columns were exchanged. Rename the file "
        "if its images are upright.",
        stacklevel=2,
    )
    mappings = [each for each in file.parent.glob("*.txt") if "-".join(split_words(each.stem)) == f"{name}-mapping"]
    characters = _read_mapping(mappings[0]) if mappings else {}
    return images.swapaxes(1, 2), [characters.get(label, label) for label in labels]


def parse_table_name(path: Path) -> str:
    """Return the name of the data set of a table, without split and suffix.

    Examples
    --------
    >>> parse_table_name(Path("EMNIST_letters_train.csv"))
    'emnist-letters'
    """
    return name_set(split_words(path.name.partition(".")[0]))


def split_words(name: str) -> list[str]:
    """Return the words of a file name in lower case, without separators."""
    return [word for word in re.split(r"[-_. ]+", name.lower()) if word]


def name_set(words: list[str], others: Container[str] = ()) -> str:
    """Return the name of a data set, with hyphens, from words without those of splits and without `others`."""
    return "-".join(word for word in words if word not in IDX_SPLITS and word not in others)


def _read_mapping(path: Path) -> dict[str, str]:
    """Return the character of each label from EMNIST's mapping file."""
    with open_table(path) as stream:
        rows = [line.split() for line in stream if line.strip()]
    try:
        return {label: chr(int(code)) for label, code, *_ in rows}
    except ValueError as error:
        raise DataError(f"{path} is not a mapping of labels to character codes: {error}. Remove it.") from error
