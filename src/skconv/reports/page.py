"""HTML page of a report: sections, figures and tables in one self-contained file."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from skconv.reports.style import BLUE, GREY, VERMILION, encode_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).with_name("templates")
_MAX_SVG = 1_000_000  # bytes; PNG is smaller for figures with many elements
_WIDE = 7  # inches; wider figures scroll on a phone instead of shrinking
# Colours in dark mode, by colour of the figure.
_ON_DARK = {"#000000": "#f2f1ee", GREY: "#b4b3b8", BLUE: "#56b4e9", VERMILION: "#ff8a3d"}


@dataclass(frozen=True)
class PageFigure:
    """Figure of a report page."""

    figure: Figure
    name: str  # file name without suffix
    description: str  # alternative text

    @property
    def is_wide(self) -> bool:
        """Whether the figure is so wide that it scrolls on a phone."""
        return float(self.figure.get_figwidth()) > _WIDE

    @property
    def is_tall(self) -> bool:
        """Whether the figure is so tall that it is printed on a separate page."""
        return float(self.figure.get_figheight()) > 1.1 * float(self.figure.get_figwidth())


@dataclass(frozen=True)
class PageTable:
    """Table of a report page; the first column contains the row headers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    file: str = ""  # name of a CSV file with all rows, to download from the page; empty for none
    max_rows: int | None = None  # number of rows that the page shows


@dataclass(frozen=True)
class Section:
    """Section of a report page."""

    title: str
    text: str = ""  # a paragraph of explanation
    facts: Mapping[str, str] = field(default_factory=dict)  # values by name, shown as a list
    figures: Sequence[PageFigure] = ()
    table: PageTable | None = None
    listings: Sequence[tuple[str, str]] = ()  # commands or files to copy, each with a heading


def render_page(title: str, headline: str, summary: str, sections: Sequence[Section]) -> str:
    """Return a self-contained HTML page with embedded style and figures; all text is escaped.

    `headline` is the main score, `summary` its description.

    Examples
    --------
    >>> "&lt;b&gt;" in render_page("digits", "99.0 %", "accuracy", [Section("Classes", text="<b>")])
    True
    """
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("report.html")
    return template.render(
        title=title, headline=headline, summary=summary, sections=sections, embed=embed_figure, embed_table=embed_table
    )


def embed_figure(figure: Figure) -> str:
    """Return a figure as a data URL: SVG, or PNG if the SVG is larger than 1 MB.

    A data URL per figure, rather than inline SVG, avoids duplicate identifiers. An SVG has a transparent background,
    and light lines and text in dark mode.
    """
    kind, content = "image/svg+xml", encode_figure(figure, "svg", transparent=True)
    if len(content) > _MAX_SVG:
        kind, content = "image/png", encode_figure(figure, "png")
    else:
        content = content.replace(b"</svg>", _style_for_dark() + b"</svg>")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def embed_table(table: PageTable) -> str:
    """Return all rows of a table as the data URL of a CSV file."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([table.columns, *table.rows])
    content = stream.getvalue().encode("utf-8", "backslashreplace")
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(content).decode()}"


def _style_for_dark() -> bytes:
    # Set the default colour too, because black text has no colour attribute in the SVG file.
    rules = [f"svg {{ fill: {_ON_DARK['#000000']}; }}"]
    for light, dark in _ON_DARK.items():
        for what in ("fill", "stroke"):
            rules.append(f'[style*="{what}: {light.lower()}"] {{ {what}: {dark} !important; }}')
    return f"<style>@media (prefers-color-scheme: dark) {{ {' '.join(rules)} }}</style>".encode()
