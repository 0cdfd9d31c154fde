"""The page that holds its figures."""

import base64
import re

from skconv.reports.page import PageFigure, PageTable, Section, embed_figure, render_page
from skconv.reports.style import BLUE, new_figure


def _draw_line():
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2, 3], color=BLUE)
    return figure


def test_texts_are_escaped_everywhere():
    evil = '<script>alert("1")</script>'
    figures, table = [PageFigure(_draw_line(), evil, evil)], PageTable([evil], [[evil]])
    section = Section(evil, evil, {evil: evil}, figures, table, [(evil, evil)])
    page = render_page(evil, evil, evil, [section])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 15  # title and section are named more than once


def test_same_figure_gives_the_same_bytes():
    assert embed_figure(_draw_line()) == embed_figure(_draw_line())


def test_figure_is_svg_until_it_has_too_many_parts():
    assert embed_figure(_draw_line()).startswith("data:image/svg+xml;base64,")
    figure = new_figure(3, 2)
    axes = figure.subplots()
    for k in range(6000):
        axes.plot([0, k], [k, 0], color=(k / 6000, 0.5, 0.5))
    address = embed_figure(figure)
    assert address.startswith("data:image/png;base64,")
    assert base64.b64decode(address.partition(",")[2]).startswith(b"\x89PNG")


def test_page_links_to_every_section():
    page = render_page("t", "h", "s", [Section("One"), Section("Two")])
    assert re.findall(r'href="#([^"]+)"', page) == re.findall(r'<h2 id="([^"]+)"', page)


def test_figure_turns_light_where_the_page_is_dark():
    drawn = base64.b64decode(embed_figure(_draw_line()).partition(",")[2]).decode()
    assert drawn.count("<style>@media (prefers-color-scheme: dark)") == 1
    assert "fill: #ffffff" not in drawn  # no ground of its own
    for colour in re.findall(r"stroke: (#[0-9a-f]{6})", drawn.partition("<style>@media")[0]):
        assert f'[style*="stroke: {colour}"]' in drawn


def test_wide_figure_can_be_moved_by_keyboard():
    page = render_page("t", "h", "s", [Section("One", figures=[PageFigure(new_figure(9, 2), "wide", "x")])])
    assert '<figure class="broad " tabindex="0">' in page
    assert "broad" not in render_page("t", "h", "s", []).partition("<main>")[2]
