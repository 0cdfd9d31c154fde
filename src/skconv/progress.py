"""`show_progress`: how far long work has come, for whoever watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

_Item = TypeVar("_Item")


def show_progress(items: Iterable[_Item], name: str, total: int, *, progress: bool) -> Iterable[_Item]:
    """Return items that draw a bar on standard error as they are taken, if that is a terminal.

    Parameters
    ----------
    items : iterable
    name : str
        What stands before the bar.
    total : int
        How many items there are.
    progress : bool
        False draws nothing anywhere.

    Examples
    --------
    >>> list(show_progress("abc", "letters", 3, progress=False))
    ['a', 'b', 'c']
    """
    if not (progress and sys.stderr.isatty()):  # tqdm is not even loaded: it takes longer than a prediction
        return items
    from tqdm import tqdm

    return tqdm(items, name, total, leave=False, unit="")
