import base64
import re

from skconv.reports.page import PageFigure, PageTable, Section, embed_figure, render_page
from skconv.reports.style import BLUE, new_figure


def _draw_line():
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2, 3], color=BLUE)
    return figure


def test_page_escapes_all_texts():
    text = '<script>alert("1")</script>'
    figures, table = [PageFigure(_draw_line(), text, text)], PageTable([text], [[text]])
    section = Section(text, text, {text: text}, figures, table, [(text, text)])
    page = render_page(text, text, text, [section])
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 15  # title and section occur more than once


def test_embed_figure_is_reproducible():
    assert embed_figure(_draw_line()) == embed_figure(_draw_line())


def test_embed_figure_is_png_for_a_figure_of_many_parts(monkeypatch):
    monkeypatch.setattr("skconv.reports.page._MAX_SVG", 50_000)
    assert embed_figure(_draw_line()).startswith("data:image/svg+xml;base64,")
    figure = new_figure(3, 2)
    axes = figure.subplots()
    for k in range(300):
        axes.plot([0, k], [k, 0], color=(k / 300, 0.5, 0.5))
    address = embed_figure(figure)
    assert address.startswith("data:image/png;base64,")
    assert base64.b64decode(address.partition(",")[2]).startswith(b"\x89PNG")


def test_page_links_to_every_section():
    page = render_page("t", "h", "s", [Section("One"), Section("Two")])
    assert re.findall(r'href="#([^"]+)"', page) == re.findall(r'<h2 id="([^"]+)"', page)


def test_embedded_svg_has_colours_for_a_dark_page():
    drawn = base64.b64decode(embed_figure(_draw_line()).partition(",")[2]).decode()
    assert drawn.count("<style>@media (prefers-color-scheme: dark)") == 1
    assert "fill: #ffffff" not in drawn  # transparent background
    for colour in re.findall(r"stroke: (#[0-9a-f]{6})", drawn.partition("<style>@media")[0]):
        assert f'[style*="stroke: {colour}"]' in drawn


def test_wide_figure_can_be_scrolled_by_keyboard():
    page = render_page("t", "h", "s", [Section("One", figures=[PageFigure(new_figure(9, 2), "wide", "x")])])
    assert '<figure class="broad " tabindex="0">' in page
    assert "broad" not in render_page("t", "h", "s", []).partition("<main>")[2]
