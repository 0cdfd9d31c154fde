"""The page that holds its figures."""

import base64
import re

from skconv.reports.page import PageFigure, PageTable, Section, embed_figure, render_page
from skconv.reports.style import new_figure


def _draw_line():
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2, 3])
    return figure


def test_texts_are_escaped_everywhere():
    evil = '<script>alert("1")</script>'
    section = Section(evil, evil, {evil: evil}, [PageFigure(_draw_line(), evil)], PageTable([evil], [[evil]]), evil)
    page = render_page(evil, evil, evil, [section])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 14  # title and section are named more than once


def test_same_figure_gives_the_same_bytes():
    assert embed_figure(_draw_line()) == embed_figure(_draw_line())


def test_figure_is_svg_until_it_has_too_many_parts():
    assert embed_figure(_draw_line()).startswith("data:image/svg+xml;base64,")
    figure = new_figure(3, 2)
    axes = figure.subplots()
    for k in range(3000):
        axes.plot([0, k], [k, 0], color=(k / 3000, 0.5, 0.5))
    address = embed_figure(figure)
    assert address.startswith("data:image/png;base64,")
    assert base64.b64decode(address.partition(",")[2]).startswith(b"\x89PNG")


def test_page_links_to_every_section():
    page = render_page("t", "h", "s", [Section("One"), Section("Two")])
    assert re.findall(r'href="#([^"]+)"', page) == re.findall(r'<h2 id="([^"]+)"', page)
