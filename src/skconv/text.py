"""Counts, percentages, durations and errors as text, and durations from text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(?P<d>[\d.]+)d)?(?:(?P<h>[\d.]+)h)?(?:(?P<m>[\d.]+)m(?:in)?)?(?:(?P<s>[\d.]+)s?)?")


def format_count(n: int, noun: str) -> str:
    """Return a number with a noun, in the plural unless the number is 1.

    Examples
    --------
    >>> format_count(1, "image"), format_count(2000, "image")
    ('1 image', '2,000 images')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def format_error(error: BaseException) -> str:
    """Return the start of an error's message in one line, or the name of its class if it has none.

    Examples
    --------
    >>> format_error(ValueError("no  value.")), format_error(MemoryError())
    ('no value', 'MemoryError')
    """
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def format_percent(fraction: float, digits: int = 2) -> str:
    """Return a fraction as a percentage.

    Examples
    --------
    >>> format_percent(0.98765), format_percent(0.5, 0)
    ('98.77 %', '50 %')
    """
    return f"{100 * fraction:.{digits}f} %"


def align_columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return the lines of a table: columns are aligned at the right, except those of the indices `left`.

    Examples
    --------
    >>> align_columns([["class", "images"], ["cat", "5"]])
    ['class  images', 'cat         5']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def format_duration(seconds: float) -> str:
    """Return a rounded duration in at most two units.

    Examples
    --------
    >>> [format_duration(each) for each in (0.26, 3.2, 47, 250, 1800, 5460)]
    ['0.3 s', '3 s', '47 s', '4 min 10 s', '30 min', '1 h 31 min']
    """
    if seconds < 0.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_estimate(seconds: float) -> str:
    """Return an estimated duration in one unit.

    Examples
    --------
    >>> [format_estimate(each) for each in (0.3, 17, 100, 250, 5600, 100_000)]
    ['about 1 s', 'about 17 s', 'about 2 min', 'about 4 min', 'about 1.6 h', 'about 28 h']
    """
    if seconds < 90:
        return f"about {max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    hours = seconds / 3600
    return f"about {hours:.1f} h" if hours < 9.95 else f"about {hours:.0f} h"


def parse_duration(value: float | str) -> float:
    """Return a duration in seconds from a number of seconds or a text; raise ValueError for other text.

    Examples
    --------
    >>> parse_duration(90), parse_duration("90s"), parse_duration("10m"), parse_duration("1h30m")
    (90.0, 90.0, 600.0, 5400.0)
    """
    if not isinstance(value, str):
        return float(value)
    match = _DURATION.fullmatch(re.sub(r"\s+", "", value).lower())
    parts = {unit: part for unit, part in match.groupdict().items() if part} if match else {}
    if not parts:
        raise ValueError(f"'{value}' is not a duration")
    return sum(_UNITS[unit] * float(part) for unit, part in parts.items())
