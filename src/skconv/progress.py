"""Progress output: a terminal, a notebook or a log file; progress bars and lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

_Item = TypeVar("_Item")


def is_notebook() -> bool:
    """Return whether the program runs in a Jupyter kernel, whose front end can display HTML."""
    if "IPython" not in sys.modules:  # a kernel has imported it
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def is_interactive() -> bool:
    """Return whether a person sees the output while it is written: in a terminal or a notebook."""
    return is_notebook() or is_terminal()


def print_progress(line: str) -> None:
    """Print a line about a running command to standard error, above a progress bar, or to the cell of a notebook."""
    if is_notebook():
        print(line)  # standard error would be shown as an error
        return
    from tqdm import tqdm  # the import takes longer than a prediction

    tqdm.write(line, file=sys.stderr)


def show_progress(items: Iterable[_Item], name: str, total: int, *, progress: bool | None) -> Iterable[_Item]:
    """Return an iterable over the items that draws a progress bar with the label `name`.

    Nothing is drawn unless `progress` is true and standard error is a terminal.

    Examples
    --------
    >>> list(show_progress("abc", "letters", 3, progress=False))
    ['a', 'b', 'c']
    """
    if not (progress and is_terminal()):
        return items
    from tqdm import tqdm

    return tqdm(items, name, total, leave=False, unit="")


def display_html(html: str, handle: Any = None) -> Any:
    """Show HTML below a notebook cell, or replace the output of `handle`; return the handle of the output."""
    from IPython.display import HTML, display

    if handle is None:
        return display(HTML(html), display_id=True)
    handle.update(HTML(html))
    return handle
