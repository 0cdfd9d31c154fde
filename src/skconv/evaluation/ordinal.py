"""Detection of ordered classes, such as grades, sizes or ages, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skconv.data.labels import is_number, to_number

_MIN_CLASSES = 3  # two classes have no order that differs from their distinction
_MIN_INDICES = 10  # as many consecutive numbers from 0 are digits or numbered classes rather than a scale
_MAX_SHOWN = 6
_MAX_VALUE = 1e100  # differences of larger numbers may overflow

# Names of levels in ascending order; the names of one level are separated by slashes.
_SCALES = (
    "none/no/non/not/absent/normal/healthy/negative < minimal/doubtful/questionable/very mild < mild/slight/minor < "
    "moderate < severe/serious/major < very severe/extreme/critical/proliferative/proliferate",
    "very low < low < medium/middle/moderate/average/normal < high < very high",
    "xxs < xs/extra small/very small/tiny < s/small < m/medium/middle < l/large/big < xl/extra large/very large/huge < "
    "xxl",
    "very bad/very poor < bad/poor < fair/average/medium/acceptable < good < very good < excellent/perfect",
    "unripe/immature < half ripe/semi ripe/partially ripe/early ripe < ripe/mature < overripe/over ripe/overmature",
    "baby/infant < child < teen/teenager/young < adult/middle/middle aged < old/senior/elderly",
    "light < medium < dark",
    "beginner < intermediate < advanced < expert",
    "first < second < third < fourth < fifth",
)
_ROMAN = {name: value for value, name in enumerate(["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"], 1)}
# Words beside a number that is a position on a scale or a quantity, unlike in "class 3".
_UNIT = re.compile(
    r"[ -]*(?<![a-z])(?:age|ages|day|days|degree|grade|level|month|months|rank|rating|score|severity|stage|star|stars|"
    r"week|weeks|year|years|yrs)(?![a-z])[ :-]*|[ -]*(?<![a-z])(?:mm|cm|m|km|g|kg|ml|percent)(?![a-z])|[ -]*%"
)
_NUMBER = r"\d+(?:[.,]\d+)?"
_RANGE = re.compile(rf"({_NUMBER}) *(?:-|–|to) *({_NUMBER})")
_UPWARD = re.compile(rf"(?:more than|over|above|from|>=?|≥) *({_NUMBER})|({_NUMBER}) *(?:\+|plus|and more|and older)")
_DOWNWARD = re.compile(rf"(?:less than|under|below|up to|<=?|≤) *({_NUMBER})")


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """Order of classes that seem to be levels of one scale."""

    names: tuple[str, ...]  # ascending
    values: np.ndarray  # float64 (k,): number, or rank from 0, of each class, in the order of the classes
    ranks: np.ndarray  # int64 (k,): rank of each class, from 0

    def __str__(self) -> str:
        names = self.names
        if len(names) > _MAX_SHOWN:
            names = (*names[: _MAX_SHOWN - 2], "…", names[-1])
        return " < ".join(names)


def find_order(class_names: Sequence[str]) -> ClassOrder | None:
    """Return the order of at least three classes whose names are numbers, ranges or levels of a common scale.

    Names with leading zeros, and ten or more consecutive numbers from 0, are codes or digits and have no order.

    Examples
    --------
    >>> print(find_order(["high", "low", "medium"]))
    low < medium < high
    >>> print(find_order(["stage 1", "stage 10", "stage 2"]))
    stage 1 < stage 2 < stage 10
    >>> find_order(["cat", "dog", "fish"]) is None
    True
    """
    values = _read_values(class_names) if len(class_names) >= _MIN_CLASSES else None
    if values is None or len(set(values)) < len(values):
        return None
    order = np.argsort(values)
    ranks = np.argsort(order)
    is_numeric = all(map(_reads_as_number, class_names)) and max(map(abs, values)) < _MAX_VALUE
    return ClassOrder(
        names=tuple(" ".join(class_names[position].split()) for position in order),
        values=np.array(values if is_numeric else ranks, np.float64),
        ranks=ranks,
    )


def _read_values(names: Sequence[str]) -> list[float] | None:
    """Return a number per name by which the names can be sorted, or None if they are not ordered."""
    if all(map(is_number, names)):
        return None if _are_codes(names) else [to_number(name) for name in names]
    for values in ([_read_quantity(name) for name in names], *(_find_levels(names, scale) for scale in _SCALES)):
        found = [value for value in values if value is not None]
        if len(found) == len(names):
            return found
    return None


def _are_codes(numbers: Sequence[str]) -> bool:
    is_padded = any(re.match(r"0\d", number) for number in numbers)
    is_index = {to_number(number) for number in numbers} == set(range(len(numbers)))
    return is_padded or (is_index and len(numbers) >= _MIN_INDICES)


def _reads_as_number(name: str) -> bool:
    return is_number(name) or is_number(_split_unit(name)[0])


def _split_unit(name: str) -> tuple[str, bool]:
    """Return a name without the words of `_UNIT`, and whether it has one."""
    text, n_units = _UNIT.subn(" ", name.casefold().replace("_", " "))
    return text.strip(), n_units > 0


def _read_quantity(name: str) -> float | None:
    """Return the number or the lower limit of the range that a name contains, or None."""
    text, has_unit = _split_unit(name)
    if has_unit and text in _ROMAN:
        return float(_ROMAN[text])
    if is_number(text):
        return to_number(text) if has_unit else None
    if match := _RANGE.fullmatch(text):
        low, high = map(to_number, match.groups())
        return low if low < high else None
    if match := _UPWARD.fullmatch(text):
        return to_number(match[1] or match[2])
    return -np.inf if _DOWNWARD.fullmatch(text) else None


def _find_levels(names: Sequence[str], scale: str) -> list[float | None]:
    """Return the level of each name on a scale, or None; all names must have the same words after the level, or none.

    "No_DR", "Mild" and "Severe_DR" are such names.
    """
    levels = {phrase: float(rank) for rank, level in enumerate(scale.split(" < ")) for phrase in level.split("/")}
    found: list[float | None] = []
    nouns = set()
    for name in names:
        text = re.sub(r"^\d+[\s._-]+|(?<=[a-z])(?=[A-Z])", " ", name)  # "0_Normal", "VeryMild"
        words = re.sub(r"[\s_-]+", " ", text).strip().casefold().split(" ")
        n_words = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in levels), 0)
        found.append(levels.get(" ".join(words[:n_words])))
        nouns.add(" ".join(words[n_words:]))
    return found if len(nouns - {""}) <= 1 else [None]
