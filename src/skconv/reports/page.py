"""`render_page`: everything about a model as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from skconv.reports.style import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).with_name("templates")
_MOST_SVG = 400_000  # bytes; a figure of very many parts is smaller as pixels


@dataclass(frozen=True)
class PageFigure:
    """A figure on the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    told : str
        What it shows, for those who do not see it.
    """

    figure: Figure
    told: str


@dataclass(frozen=True)
class PageTable:
    """A table on the page: its column names and rows of texts; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Parameters
    ----------
    title : str
    text : str, default=""
        A paragraph that says how to read what follows.
    facts : mapping of str to str
        Drawn as a list of names and values.
    figures : sequence of PageFigure
    table : PageTable or None
    commands : str, default=""
        Lines to paste into a shell.
    """

    title: str
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[PageFigure] = ()
    table: PageTable | None = None
    commands: str = ""


def render_page(title: str, headline: str, summary: str, sections: Sequence[Section]) -> str:
    """Return a page as HTML, with its style and figures inside.

    Parameters
    ----------
    title, headline, summary : str
        What it is about; the one figure that matters most; what that figure is.
    sections : sequence of Section

    Returns
    -------
    str
        Texts are escaped: a class called ``<b>`` is shown as that.

    Examples
    --------
    >>> "&lt;b&gt;" in render_page("digits", "99.0 %", "right", [Section("Classes", text="<b>")])
    True
    """
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("report.html")
    return template.render(title=title, headline=headline, summary=summary, sections=sections, embed=embed_figure)


def embed_figure(figure: Figure) -> str:
    """Return a figure as an address that holds it: SVG, or PNG where that is much smaller.

    Each is an image of its own, so that the identifiers inside do not meet those of another.
    """
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "skconv"}):  # the same figure gives the same bytes
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    kind = "image/svg+xml"
    if stream.tell() > _MOST_SVG:
        stream, kind = io.BytesIO(), "image/png"
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return f"data:{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
