"""What reaches standard output and standard error."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any


@contextmanager
def library_messages() -> Iterator[None]:
    """Keep standard output for the result: whatever the libraries print goes to standard error.

    Warnings that skconv raises for the user become lines that begin with ``Note:``; those of other packages
    speak to developers and are left out unless Python was asked for them with ``-W``.
    """
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", module=r"skconv\.")
            warnings.showwarning = _show_note
        yield


def show_result(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print `result` as one JSON object, or `text`, on standard output."""
    print(json.dumps(result) if as_json else text)


def is_interactive() -> bool:
    """Whether someone watches standard error, so that a progress bar makes sense."""
    return sys.stderr.isatty()


def one_line(message: str) -> str:
    r"""Return `message` without line breaks or characters that would steer the terminal.

    Examples
    --------
    >>> one_line("no such file:\n  a\x1b[31m.png")
    'no such file: a\\x1b[31m.png'
    """
    joined = " ".join(message.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)


def _show_note(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Note: {one_line(str(message))}", file=sys.stderr)
