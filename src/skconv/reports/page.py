"""`render_page`: everything about a model as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from skconv.reports.style import BLUE, GREY, VERMILION, encode_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).with_name("templates")
_MOST_SVG = 1_000_000  # bytes; a figure of very many parts is smaller as pixels
_WIDE = 7  # inches; a wider figure is not shrunk to a phone's width, but moved sideways
# What is drawn on the page's own ground, by its colour there where that is dark.
_ON_DARK = {"#000000": "#f2f1ee", GREY: "#b4b3b8", BLUE: "#56b4e9", VERMILION: "#ff8a3d"}


@dataclass(frozen=True)
class PageFigure:
    """A figure on the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    name : str
        Of its file where it is written apart, without ending.
    told : str
        What it shows, for those who do not see it.
    """

    figure: Figure
    name: str
    told: str

    @property
    def is_wide(self) -> bool:
        """Whether it has too many parts to be shrunk to a phone's width."""
        return float(self.figure.get_figwidth()) > _WIDE

    @property
    def is_tall(self) -> bool:
        """Whether it needs a sheet of paper of its own to be read."""
        return float(self.figure.get_figheight()) > 1.1 * float(self.figure.get_figwidth())


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
    listings : sequence of (str, str)
        Lines to be copied, commands or a file, each after a line that says what they are.
    """

    title: str
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[PageFigure] = ()
    table: PageTable | None = None
    listings: Sequence[tuple[str, str]] = ()


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

    Each is an image of its own, so that the identifiers inside do not meet those of another. An SVG has no ground and
    turns light where the page is dark; images inside it stay as they are.
    """
    kind, content = "image/svg+xml", encode_figure(figure, "svg", transparent=True)
    if len(content) > _MOST_SVG:
        kind, content = "image/png", encode_figure(figure, "png")
    else:
        content = content.replace(b"</svg>", _style_for_dark() + b"</svg>")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _style_for_dark() -> bytes:
    # A black text has no colour of its own in the file; lines and other texts do.
    rules = [f"svg {{ fill: {_ON_DARK['#000000']}; }}"]
    for light, dark in _ON_DARK.items():
        for what in ("fill", "stroke"):
            rules.append(f'[style*="{what}: {light.lower()}"] {{ {what}: {dark} !important; }}')
    return f"<style>@media (prefers-color-scheme: dark) {{ {' '.join(rules)} }}</style>".encode()
