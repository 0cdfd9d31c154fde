"""Recognition of pages, in lines or cell by cell, with the bundled model."""

import json

import numpy as np
import pytest

from skconv.digits.ocr.pages import read_page
from skconv.digits.ocr.recognition import read_image
from skconv.exceptions import DataError, ParameterError
from skconv.inference import OnnxClassifier

from .conftest import draw_rulings, fill_grid, rotate, write_digit


@pytest.fixture(scope="module")
def model():
    return OnnxClassifier("digits")


def make_expected(labels, rows, columns, positions):
    texts = [[None] * columns for _ in range(rows)]
    for (row, column), label in zip(positions, labels, strict=False):
        texts[row][column] = str(label)
    return texts


def count_wrong(texts, expected):
    return sum(a != b for row, other in zip(texts, expected, strict=True) for a, b in zip(row, other, strict=True))


@pytest.mark.parametrize("change", [lambda image: image, lambda image: 255 - image, lambda image: rotate(image, 4)])
def test_read_page_keeps_layout_of_sudoku(model, mnist_digits, change):
    images, labels = mnist_digits
    positions = [(row, column) for row, column in np.ndindex(9, 9) if (row + 2 * column) % 3]
    reading = read_page(model, change(fill_grid(images, 9, 9, positions=positions)))
    (grid,) = reading.grids
    expected = make_expected(labels, 9, 9, positions)
    assert (grid.rows, grid.columns, grid.n_filled) == (9, 9, len(positions))
    assert count_wrong(grid.texts, expected) <= 1
    assert reading.text == "\n".join("".join(text or "." for text in row) for row in grid.texts)
    assert "".join(digit.label for digit in reading.digits) == reading.text.replace("\n", "").replace(".", "")
    assert 0 <= reading.confidence <= 1


def test_read_page_reads_numbers_in_cells(model, mnist_digits):
    images, labels = mnist_digits
    image = np.full((230, 420), 235, np.uint8)
    for x in (20, 150, 280, 400):
        image[20:212, x : x + 2] = 120
    for y in (20, 84, 148, 210):
        image[y : y + 2, 20:402] = 120
    expected, k = [], 0
    for row in range(3):
        texts = []
        for column, n in enumerate((3, 1, 2)):
            for place in range(n):
                write_digit(image, images[k + place], 45 + 130 * column + 34 * place, 52 + 64 * row)
            texts.append("".join(str(label) for label in labels[k : k + n]))
            k += n
        expected.append(texts)
    reading = read_page(model, image)
    assert count_wrong(reading.grids[0].texts, expected) <= 1
    assert reading.text.split("\n")[0].count(" ") == 2


def test_read_page_boxes_are_in_cells_and_json_is_plain(model, mnist_digits):
    reading = read_page(model, fill_grid(mnist_digits[0], 2, 3, positions=[(0, 0), (0, 2), (1, 1)]), "form.png")
    record = json.loads(json.dumps(reading.to_json()))
    (grid,) = record["grids"]
    assert (grid["rows"], grid["columns"], record["n_outside"]) == (2, 3, 0)
    assert [(cell["row"], cell["column"]) for cell in grid["cells"]] == list(np.ndindex(2, 3))
    assert [cell["text"] is None for cell in grid["cells"]] == [False, True, False, True, False, True]
    filled = [cell for cell in grid["cells"] if cell["text"]]
    for digit, cell in zip(record["digits"], filled, strict=True):
        left, top, right, bottom = digit["box"]
        assert cell["box"][0] <= (left + right) / 2 <= cell["box"][2]
        assert cell["box"][1] <= (top + bottom) / 2 <= cell["box"][3]
        assert 24 <= bottom - top <= 36
    assert "grid of 2 × 3 cells" in str(reading)


def test_read_page_empty_grid_has_empty_cells(model):
    reading = read_page(model, draw_rulings(3, 4))
    assert reading.text == "....\n....\n...."
    assert reading.confidence == 1
    assert reading.digits == ()


def test_read_page_counts_marks_outside(model, mnist_digits):
    image = np.pad(fill_grid(mnist_digits[0], 2, 4), ((0, 80), (0, 0)), constant_values=235)
    write_digit(image, mnist_digits[0][0], 60, len(image) - 40)
    assert read_page(model, image).n_outside == 1


def test_read_page_masks_cells_below_min_confidence(model, mnist_digits):
    reading = read_page(model, fill_grid(mnist_digits[0], 2, 3, positions=[(0, 1), (1, 2)])).mask_below(1.0)
    assert reading.text == ".?.\n..?"
    assert reading.grids[0].texts == [[None, "?", None], [None, None, "?"]]
    assert str(reading).count("? at (") == 2


def test_read_page_layout_lines_ignores_grid(model, mnist_digits):
    image = fill_grid(mnist_digits[0], 1, 6)
    assert read_page(model, image).grids
    assert not read_page(model, image, layout="lines").grids


def test_read_page_reads_number_on_paper_in_lines(model, mnist_digits):
    images, labels = mnist_digits
    expected = "".join(str(label) for label in labels[:5])
    squared = np.full((260, 460), 240, np.uint8)
    squared[10::25] = squared[:, 7::25] = 190
    lined = np.full((260, 460), 240, np.uint8)
    lined[40::60] = 170
    lined[:, 40:42] = 150
    boxed = np.full((260, 460), 240, np.uint8)
    boxed[60:64, 30:430] = boxed[200:204, 30:430] = boxed[60:204, 30:34] = boxed[60:204, 426:430] = 80
    for image in (squared, lined, boxed):
        for k in range(5):
            write_digit(image, images[k], 90 + 70 * k, 130, height=60)
        reading = read_page(model, image)
        assert reading.grids == ()
        assert reading.text == read_image(model, image).text
        assert expected in reading.text


def test_read_page_refuses_invalid_layout_and_image_without_grid(model):
    blank = np.full((80, 200), 240, np.uint8)
    with pytest.raises(ParameterError, match="auto, lines, grid"):
        read_page(model, blank, layout="table")
    with pytest.raises(DataError, match="no ruled grid"):
        read_page(model, blank, layout="grid")
    with pytest.raises(DataError, match="uint8"):
        read_page(model, np.zeros((20, 20)))


def test_score_is_that_of_the_model_input_of_each_digit(model, mnist_digits, write_rows):
    images, _ = mnist_digits
    for image in (fill_grid(images, 3, 3), write_rows([images[:5]], scale=3)):
        digits = read_page(model, image).digits
        assert len(digits) > 3
        expected = model.predict_with_ood(np.stack([digit.image for digit in digits]))[1]
        np.testing.assert_allclose([digit.ood_score for digit in digits], expected, rtol=1e-4)
        assert all(digit.to_json()["ood_score"] == digit.ood_score for digit in digits)
