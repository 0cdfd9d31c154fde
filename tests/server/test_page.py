"""The web page in headless Chromium."""

import math
from pathlib import Path

import numpy as np
import pytest

from skconv.web_page import PAGE

from .browser import find_browser, open_browser, wait_for
from .conftest import run_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="Chromium is not installed"),
]


def arc(x, y, width, height, start, end, n=14):
    """Return points on an ellipse; angles in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * k / n) for k in range(n + 1)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# Strokes of each digit: x and y as fractions of the pad's width and height; the pad is twice as wide as high.
STROKES = {
    "0": [arc(0.5, 0.5, 0.12, 0.32, -90, 270, 24)],
    "1": [[(0.5, 0.18), (0.5, 0.5), (0.5, 0.82)]],
    "2": [[*arc(0.5, 0.35, 0.1, 0.17, 190, 390), (0.5, 0.65), (0.4, 0.82), (0.5, 0.82), (0.62, 0.82)]],
    "3": [[*arc(0.48, 0.34, 0.1, 0.16, 200, 440), *arc(0.48, 0.66, 0.11, 0.17, 280, 510)]],
    "4": [[(0.47, 0.18), (0.4, 0.55), (0.62, 0.55)], [(0.56, 0.3), (0.56, 0.6), (0.56, 0.84)]],
    "5": [[(0.44, 0.18), (0.43, 0.46), *arc(0.49, 0.63, 0.1, 0.19, 230, 500)], [(0.44, 0.18), (0.6, 0.18)]],
    "6": [[(0.56, 0.16), (0.47, 0.36), *arc(0.5, 0.64, 0.085, 0.18, 180, 540, 22)]],
    "7": [[(0.4, 0.2), (0.5, 0.2), (0.61, 0.2), (0.55, 0.45), (0.48, 0.84)]],
    "8": [[*arc(0.5, 0.34, 0.075, 0.15, 90, -270, 20), *arc(0.5, 0.66, 0.09, 0.17, -90, 270, 20)]],
    "9": [[*arc(0.5, 0.35, 0.08, 0.16, 0, -360, 20), (0.575, 0.6), (0.555, 0.85)]],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with run_server(tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture(scope="module")
def open_browser_page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_page(served, open_browser_page):
    return lambda **view: open_browser_page(f"{served.url}/", **view)


@pytest.fixture(scope="module")
def page(open_page):
    return open_page()


@pytest.mark.parametrize("digit", STROKES)
def test_drawn_digit_is_read(page, digit):
    page.run("document.getElementById('clear').click()")
    page.draw("pad", STROKES[digit])
    page.wait_for_text("text", digit)
    assert page.run("document.querySelectorAll('#digits img').length") == 1


def test_undo_removes_a_stroke_and_clear_removes_all(page):
    page.run("document.getElementById('clear').click()")
    page.draw("pad", STROKES["1"])
    page.wait_for_text("text", "1")
    page.draw("pad", [[(x + 0.3, y) for x, y in stroke] for stroke in STROKES["7"]])
    page.wait_for_text("text", "17")
    page.run("document.getElementById('undo').click()")
    page.wait_for_text("text", "1")
    page.run("document.getElementById('clear').click()")
    page.wait_for_text("text", "…")
    assert page.run("document.getElementById('undo').disabled")


@pytest.mark.parametrize("kind", ["photo", "drawing"])
def test_dropped_image_is_read_with_boxes(page, digits, to_png, write_rows, kind):
    page.run("document.getElementById('clear').click()")
    if kind == "photo":
        page.drop((PAGE / "examples" / "amount.jpg").read_bytes(), "amount.jpg", "image/jpeg")
    else:
        page.drop(to_png(write_rows([digits[[1, 2, 8, 5, 0]]])), "amount.png", "image/png")
    page.wait_for_text("text", "12850")
    assert page.run("document.querySelectorAll('#image rect').length") == 5
    assert page.run("document.querySelector('#digits img').naturalWidth") == 28


def test_dropped_text_file_shows_the_error(page):
    page.drop(b"no image", "notes.png", "image/png")
    wait_for(lambda: "not an image" in page.text("confidence"))
    page.problems.clear()  # the browser logs the status 422


def test_examples_are_read(page):
    expected = {"seven.jpg": "7", "amount.jpg": "12850", "lines.jpg": "1984\n602\n75310"}
    for name, text in expected.items():
        page.run(f"document.querySelector('[data-example=\"{name}\"]').click()")
        page.wait_for_text("text", text)


def test_keyboard_draws_a_digit(page):
    page.run("document.getElementById('clear').click(); document.getElementById('pad').focus()")
    for _ in range(2):
        page.press("ArrowUp", code=38, modifiers=8)
    page.press(" ", code=32, text=" ")
    for _ in range(4):
        page.press("ArrowDown", code=40, modifiers=8)
    page.press(" ", code=32, text=" ")
    page.wait_for_text("text", "1")
    page.press("Delete", code=46)
    page.wait_for_text("text", "…")


def test_tab_reaches_every_control(page):
    page.run("document.activeElement.blur()")
    reached = set()
    for _ in range(14):
        page.press("Tab", code=9)
        reached.add(page.run("document.activeElement.id || document.activeElement.dataset.example || ''"))
    assert {"pad", "thickness", "file", "seven.jpg", "amount.jpg", "lines.jpg"} <= reached


def test_page_fits_a_phone_and_passes_axe(open_page):
    script = read_axe()
    for view in ({}, {"dark": True}, {"width": 390, "height": 844, "phone": True}):
        page = open_page(**view)
        page.run("document.querySelector('[data-example=\"amount.jpg\"]').click()")
        page.wait_for_text("text", "12850")
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
        page.run(script + "; true")
        violations = page.run("axe.run().then((result) => result.violations.map((each) => each.id + ': ' + each.help))")
        assert violations == []


def test_page_requests_only_its_server_and_logs_no_error(page, served):
    assert page.problems == []
    own = (served.url, "data:", "blob:" + served.url, "about:blank")
    assert [url for url in page.requests if not url.startswith(own)] == []


def test_page_of_a_model_of_other_classes_begins_with_photos(saved_model, open_browser_page, to_png, tmp_path):
    with run_server(tmp_path, str(saved_model)) as server:
        page = open_browser_page(f"{server.url}/")
        assert page.text("title") == "Classify an image"
        assert page.run("document.getElementById('examples').hidden && document.getElementById('drawing').hidden")
        page.drop(to_png(np.full((40, 30), 99, np.uint8)), "photo.png", "image/png")
        wait_for(lambda: page.text("text") in ("three", "five", "eight"))
        assert page.run("document.querySelector('#preview img').naturalWidth") == 30
        page.run("document.getElementById('draw').click()")
        page.draw("pad", [[(0.3, 0.3), (0.7, 0.7)]])
        wait_for(lambda: page.text("text") in ("three", "five", "eight"))
        assert page.problems == []


def test_regions_that_matter_are_marked_on_demand(saved_model, open_browser_page, to_png, tmp_path):
    with run_server(tmp_path, str(saved_model), "--max-images", "20") as server:
        page = open_browser_page(f"{server.url}/")
        assert page.run("document.getElementById('explain').hidden")
        page.drop(to_png(np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)), "photo.png", "image/png")
        wait_for(lambda: page.text("text") in ("three", "five", "eight"))
        page.run("document.getElementById('explain').click()")
        wait_for(lambda: page.text("falls-text").startswith("Covering"))
        assert page.text("text") in page.text("falls-text")
        sides = page.run("['width', 'height'].map((side) => document.getElementById('falls')[side])")
        assert max(sides) == 280
        page.drop(to_png(np.zeros((40, 30), np.uint8)), "other.png", "image/png")
        wait_for(lambda: page.run("document.getElementById('regions').hidden"))
        assert page.problems == []


def read_axe():
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
