"""Detection of ruled grids."""

import numpy as np
import pytest

from skconv.digits.ocr.grids import find_grids

from .conftest import draw_rulings, fill_grid, rotate, write_digit


def find_shapes(image):
    return [(grid.rows, grid.columns) for grid in find_grids(image)]


@pytest.mark.parametrize(("rows", "columns"), [(9, 9), (1, 8), (8, 1), (2, 2), (3, 5)])
def test_find_grids_returns_rows_and_columns(mnist_digits, rows, columns):
    assert find_shapes(fill_grid(mnist_digits[0], rows, columns)) == [(rows, columns)]


@pytest.mark.parametrize("degrees", [-5, -2, 3, 5])
def test_find_grids_accepts_rotation(mnist_digits, degrees):
    assert find_shapes(rotate(fill_grid(mnist_digits[0], 4, 7), degrees)) == [(4, 7)]


def test_find_grids_returns_positions_of_cells(mnist_digits):
    (grid,) = find_grids(fill_grid(mnist_digits[0], 3, 5, side=60, margin=30))
    for row, column in np.ndindex(3, 5):
        expected = 30 + 60 * column, 30 + 60 * row, 90 + 60 * column, 90 + 60 * row
        np.testing.assert_allclose(grid.find_cell_box(row, column), expected, atol=4)


def test_find_grids_accepts_light_rulings_on_dark(mnist_digits):
    image = fill_grid(mnist_digits[0], 3, 4)
    (grid,) = find_grids(255 - image)
    assert (grid.rows, grid.columns, grid.is_light) == (3, 4, True)
    coloured = np.stack([image, image, np.full_like(image, 235)], axis=2)
    assert find_shapes(coloured) == [(3, 4)]


def test_find_grids_accepts_dotted_and_thick_rulings(mnist_digits):
    image = draw_rulings(9, 9, thickness=1)
    for start in (2, 3):  # rulings are at multiples of 4
        image[start::4] = image[:, start::4] = 235
    for k in (0, 3, 6, 9):
        position = 20 + 48 * k
        image[position - 2 : position + 3, 18:455] = image[18:455, position - 2 : position + 3] = 30
    assert find_shapes(image) == [(9, 9)]
    image[18:455, 96:102], image[80:88, 18:455] = 235, 235  # broken rulings
    assert find_shapes(image) == [(9, 9)]


def test_find_grids_accepts_columns_of_different_width():
    image = np.full((200, 500), 240, np.uint8)
    for x in (20, 100, 300, 350, 480):
        image[20:171, x : x + 2] = 100
    for y in (20, 70, 120, 170):
        image[y : y + 2, 20:482] = 100
    assert find_shapes(image) == [(3, 4)]


def test_find_grids_accepts_separate_boxes_and_several_grids():
    image = np.full((300, 420), 240, np.uint8)
    for top in (30, 200):
        for left in range(30, 380, 60):
            image[top : top + 44, left : left + 44] = 90
            image[top + 2 : top + 42, left + 2 : left + 42] = 240
    first, second = find_grids(image)
    assert (first.rows, first.columns, second.rows, second.columns) == (1, 6, 1, 6)
    assert first.box[1] < second.box[1]


def test_find_grids_is_open_on_squared_paper():
    image = np.full((330, 430), 240, np.uint8)
    image[15::50] = image[:, 22::50] = 150
    assert all(grid.is_open for grid in find_grids(image))
    assert not any(grid.is_open for grid in find_grids(draw_rulings(5, 6)))


def make_lined_paper(n_margins):
    image = np.full((400, 500), 235, np.uint8)
    image[40::60] = image[41::60] = 150
    for x in (60, 440)[:n_margins]:
        image[:, x : x + 2] = 120
    return image


def make_box():
    image = np.full((120, 400), 235, np.uint8)
    image[20:100, 20:380] = 60
    image[23:97, 23:377] = 235
    return image


@pytest.mark.parametrize(
    "image",
    [
        make_lined_paper(0),
        make_lined_paper(1),
        make_lined_paper(2),
        make_box(),
        np.full((1, 1), 255, np.uint8),
        np.full((40, 3), 0, np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
    ],
    ids=["lined", "margin", "two margins", "box", "pixel", "narrow", "noise"],
)
def test_find_grids_is_empty_without_closed_cells(image):
    assert all(grid.is_open for grid in find_grids(image))


def test_find_grids_is_empty_for_row_of_digits(write_rows, mnist_digits):
    assert find_grids(write_rows([mnist_digits[0][:8], mnist_digits[0][8:16]])) == ()


def test_write_digit_on_ruling_leaves_layout(mnist_digits):
    image = draw_rulings(3, 4)
    for k, (row, column) in enumerate(np.ndindex(3, 4)):
        write_digit(image, mnist_digits[0][k], 48 + 48 * column, 40 + 48 * row, height=40)
    assert find_shapes(image) == [(3, 4)]
