"""What all figures share: colours, texts that fit, saving."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from skconv.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any kind of colour vision, and in grey.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#6E6E6E"
INK = "#1A1A1A"  # of a text on a light colour, also where all else is drawn light on dark

DPI = 150
_CHARACTER_WIDTH = 0.62  # of the font size: DejaVu Sans on average, a little generous
_SMALLEST, _LARGEST = 5.5, 9.0  # font sizes in points


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches that keeps its texts from overlapping."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def fit_text(texts: list[str], inches: float) -> tuple[list[str], float]:
    """Return the texts, shortened where they must be, and the font size at which the longest fits `inches`.

    Examples
    --------
    >>> fit_text(["Ankle boot"], 1.0)
    (['Ankle boot'], 9.0)
    >>> fit_text(["a class with a name that nobody reads to its end"], 1.0)[0]
    ['a class with a…ts end']
    """
    texts = [" ".join(text.split()) for text in texts]
    longest = max(map(len, texts), default=1) or 1
    size = min(_LARGEST, 72 * inches / (_CHARACTER_WIDTH * longest))
    if size >= _SMALLEST:
        return texts, size
    most = max(4, int(72 * inches / (_CHARACTER_WIDTH * _SMALLEST)))
    tail = (most - 1) // 3  # names often differ at their end only
    short = [text if len(text) <= most else f"{text[: most - 1 - tail]}…{text[-tail:]}" for text in texts]
    return short, _SMALLEST


def put_text(axes: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Write `text` as it is: a class called ``$5$`` is no formula."""
    axes.text(x, y, text, **style).set_parse_math(False)


def label_ticks(axis: Any, names: list[str], step: int, **style: Any) -> None:
    """Put a tick with its name at every `step`-th of the positions 0, 1, 2, …"""
    for tick in axis.set_ticks(range(0, len(names), step), labels=names[::step], **style):
        tick.label1.set_parse_math(False)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG, or as SVG by that name, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What a ``draw_…`` function returned.
    path : path-like
        The file to write; an existing one is replaced.

    Raises
    ------
    OutputError
        The folder does not exist or cannot be written.
    """
    with atomic_write(path) as beside:
        beside.write_bytes(encode_figure(figure, "svg" if os.fspath(path).lower().endswith(".svg") else "png"))


def encode_figure(figure: Figure, kind: str, *, transparent: bool = False) -> bytes:
    """Return a figure as ``"png"`` or ``"svg"``, without version and date: the bytes must not change with these."""
    import matplotlib as mpl

    stream = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with mpl.rc_context({"svg.hashsalt": "skconv"}):
        figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata, transparent=transparent)
    return stream.getvalue()
