"""Ruled grids drawn with MNIST digits."""

import numpy as np
import pytest
from PIL import Image

from skconv import load_dataset


@pytest.fixture(scope="session")
def mnist_digits():
    """Images and labels of MNIST's test split."""
    mnist = load_dataset("mnist")
    return mnist.test_images.reshape(-1, 28, 28), mnist.test_labels


def draw_rulings(rows, columns, side=48, margin=20, thickness=2, rule=120, paper=235):
    """Return a grey image of an empty grid."""
    image = np.full((rows * side + 2 * margin, columns * side + 2 * margin), paper, np.uint8)
    for row in range(rows + 1):
        y = margin + row * side
        image[y : y + thickness, margin : margin + columns * side + thickness] = rule
    for column in range(columns + 1):
        x = margin + column * side
        image[margin : margin + rows * side + thickness, x : x + thickness] = rule
    return image


def write_digit(image, digit, x, y, height=30, ink=40):
    """Draw a digit, uint8 (28, 28), with its centre at x and y."""
    digit = digit[np.ix_(digit.any(axis=1), digit.any(axis=0))]
    size = max(4, round(digit.shape[1] * height / digit.shape[0])), height
    cover = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)) / 255
    top, left = y - height // 2, x - size[0] // 2
    part = image[top : top + height, left : left + size[0]]
    part[:] = (part + (ink - part.astype(float)) * cover).clip(0, 255)


def fill_grid(images, rows, columns, *, positions=None, side=48, margin=20, **options):
    """Return a grid with one of the images in each cell, or in the cells at `positions`."""
    image = draw_rulings(rows, columns, side, margin, **options)
    positions = list(np.ndindex(rows, columns)) if positions is None else positions
    for (row, column), digit in zip(positions, images, strict=False):
        write_digit(image, digit, margin + column * side + side // 2, margin + row * side + side // 2)
    return image


def rotate(image, degrees):
    """Return an image rotated about its centre, on paper of the colour of its first pixel."""
    return np.asarray(
        Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=int(image[0, 0]))
    )
