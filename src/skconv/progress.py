"""Progress bars on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

_Item = TypeVar("_Item")


def show_progress(items: Iterable[_Item], name: str, total: int, *, progress: bool) -> Iterable[_Item]:
    """Return an iterable over the items that draws a progress bar with the label `name`.

    Nothing is drawn unless `progress` is true and standard error is a terminal.

    Examples
    --------
    >>> list(show_progress("abc", "letters", 3, progress=False))
    ['a', 'b', 'c']
    """
    if not (progress and sys.stderr.isatty()):
        return items
    from tqdm import tqdm  # the import takes longer than a prediction

    return tqdm(items, name, total, leave=False, unit="")
