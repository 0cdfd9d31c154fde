"""Notes on class names that may be missing values, spellings of one name, or several labels of one image."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from skconv.data.dataset import Dataset
from skconv.data.labels import is_number, to_number
from skconv.exceptions import list_some
from skconv.text import format_count

# Texts of missing values that programs write, in lower case.
_MISSING = frozenset({"nan", "null", "na", "n/a", "#n/a", "<na>", "none", "\\n", "nil"})
_SEPARATORS = "|;,+ "
_N_WORDS_PER_NAME = 2  # names of n words, as "red apple", are rarely more than this multiple of n


def note_class_names(dataset: Dataset) -> None:
    """Warn about classes that are probably a missing value, one class in two spellings, or combinations of classes."""
    sizes = np.bincount(dataset.train_labels, minlength=len(dataset.class_names)).tolist()
    counts = Counter(dict(zip(dataset.class_names, sizes, strict=True)))
    notes = [
        *(_describe_missing(name, counts[name]) for name in counts if name.lower() in _MISSING),
        *_describe_spellings(counts),
        *_describe_combinations(list(counts)),
    ]
    for note in notes:
        warnings.warn(f"{dataset.source}: {note}", stacklevel=2)


def _describe_missing(name: str, count: int) -> str:
    return (
        f"The label '{name}' of {format_count(count, 'image')} is used as a class. If it stands for missing labels, "
        f"pass --drop-class '{name}'."
    )


def _describe_spellings(counts: Counter[str]) -> list[str]:
    """Return a note if names are the same number, or differ only in case, or in spaces, hyphens and underscores."""
    groups: dict[str | float, list[str]] = {}
    for name in counts:
        words = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", name.casefold())
        groups.setdefault(to_number(name) if is_number(name) else words, []).append(name)
    # Single letters are usually different characters.
    similar = [" and ".join(f"'{name}' ({counts[name]:,})" for name in names) for key, names in groups.items()
               if len(names) > 1 and (isinstance(key, float) or len(key) > 1)]  # fmt: skip
    if not similar:
        return []
    return [
        f"similar names are different classes (numbers of labels in parentheses): {list_some(similar, 5)}. Use one "
        "spelling if they mean the same class."
    ]


def _describe_combinations(names: Sequence[str]) -> list[str]:
    """Return a note if most names with a separator consist of the same few parts."""
    names = [name for name in names if not is_number(name)]
    for separator in _SEPARATORS:
        split = {name: [part.strip() for part in name.split(separator)] for name in names}
        combined = [name for name, parts in split.items() if len(parts) > 1 and all(parts)]
        atoms = {part for name in combined for part in split[name]}
        n_single = len(atoms.intersection(names))
        is_likely = max(3, len(atoms)) <= len(combined) + n_single
        if separator == " ":
            is_likely = _N_WORDS_PER_NAME * len(atoms) <= len(combined)
        if combined and is_likely:
            return [
                f"{len(combined):,} of {len(names):,} classes may combine several labels, such as "
                f"'{combined[0]}'; each combination is a separate class. For one label per image, pass another column "
                "as --label-column."
            ]
    return []
