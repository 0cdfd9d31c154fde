"""Figure style: colours, text fitting, and saving as PNG and SVG."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import missing_package
from skconv.files import atomic_write, escape_undecodable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours of the palette of Okabe and Ito, which are distinguishable with any colour vision and in greyscale.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#6E6E6E"
INK = "#1A1A1A"  # text on a light colour, which does not change in dark mode

_PROCESS_SETTINGS = {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "datapath"}
DPI = 150
_CHARACTER_WIDTH = 0.62  # mean of DejaVu Sans plus a margin, as a fraction of the font size
_MIN_SIZE, _MAX_SIZE = 5.5, 9.0  # font sizes in points


def check_matplotlib() -> None:
    """Raise `MissingPackageError` if matplotlib is not installed; call it before long work."""
    if find_spec("matplotlib") is None:
        raise missing_package("figures", "matplotlib")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` × `height` inches with constrained layout."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def fit_text(texts: list[str], inches: float) -> tuple[list[str], float]:
    """Return the texts, shortened if necessary, and the font size that fits the longest into `inches`.

    Examples
    --------
    >>> fit_text(["Ankle boot"], 1.0)
    (['Ankle boot'], 9.0)
    >>> fit_text(["a class with a name that nobody reads to its end"], 1.0)[0]
    ['a class with a…ts end']
    """
    texts = [" ".join(escape_undecodable(text).split()) for text in texts]
    longest = max(map(len, texts), default=1) or 1
    size = min(_MAX_SIZE, 72 * inches / (_CHARACTER_WIDTH * longest))
    if size >= _MIN_SIZE:
        return texts, size
    max_length = max(4, int(72 * inches / (_CHARACTER_WIDTH * _MIN_SIZE)))
    tail = (max_length - 1) // 3  # names often differ only at the end
    return [_shorten(text, max_length, tail) for text in texts], _MIN_SIZE


def put_text(axes: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Draw `text` without parsing math, because a class may be named ``$5$``."""
    axes.text(x, y, escape_undecodable(text), **style).set_parse_math(False)


def label_ticks(axis: Any, names: list[str], step: int, **style: Any) -> None:
    """Label every `step`-th of the positions 0, 1, 2, …."""
    for tick in axis.set_ticks(range(0, len(names), step), labels=names[::step], **style):
        tick.label1.set_parse_math(False)


def _import_matplotlib() -> Any:
    """Import matplotlib, without the environment variable MPLBACKEND if it names a backend that is not installed."""
    try:
        import matplotlib as mpl
    except ValueError:
        backend = os.environ.pop("MPLBACKEND", None)
        if backend is None:
            raise
        for name in [each for each in sys.modules if each.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # partly imported
        try:
            import matplotlib as mpl
        finally:
            os.environ["MPLBACKEND"] = backend
    return mpl


@contextmanager
def standard_style() -> Iterator[None]:
    """Use matplotlib's own settings inside the block or decorated function, instead of those of a matplotlibrc file.

    A user's settings may require LaTeX or a font that is not installed, and would change the layout.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(max(level, logging.ERROR))  # no warning that the user's folder for settings is not writable
    try:
        mpl = _import_matplotlib()
        kept = {name: value for name, value in mpl.rcParamsDefault.items() if name not in _PROCESS_SETTINGS}
        with mpl.rc_context(kept), warnings.catch_warnings():
            # The names of classes may have characters, such as emoji, that the font lacks and that are drawn as boxes.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def save_figures(folder: Path, figures: Mapping[str, Callable[[], Figure]]) -> None:
    """Draw figures and write them as ``NAME.png``; a figure that fails is omitted with a warning.

    Use it where results of long work are saved, which a figure must not prevent.
    """
    for name, draw in figures.items():
        try:
            save_figure(draw(), folder / f"{name}.png")
        except Exception as error:  # of matplotlib or its settings
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            warnings.warn(f"The figure {name}.png is missing, because it cannot be drawn: {reason}.", stacklevel=2)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure atomically as PNG, or as SVG if the name ends in .svg; the file is reproducible."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(encode_figure(figure, "svg" if os.fspath(path).lower().endswith(".svg") else "png"))


def encode_figure(figure: Figure, kind: str, *, transparent: bool = False) -> bytes:
    """Return a figure as the bytes of a ``"png"`` or ``"svg"`` file, without version and date, to be reproducible."""
    import matplotlib as mpl

    stream = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with standard_style(), mpl.rc_context({"svg.hashsalt": "skconv"}):
        figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata, transparent=transparent)
    return stream.getvalue()


def _shorten(text: str, max_length: int, tail: int) -> str:
    return text if len(text) <= max_length else f"{text[: max_length - 1 - tail]}…{text[-tail:]}"
