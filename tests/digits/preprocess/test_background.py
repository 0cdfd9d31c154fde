"""Background removal."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.digits.preprocess.background import find_printed_strokes, find_strokes
from skconv.exceptions import DataError


@pytest.mark.parametrize(
    "wrong", [np.zeros((28, 28)), np.zeros((0, 5), np.uint8), np.zeros((2, 28, 28), np.uint8), np.zeros(5, np.uint8)]
)
def test_find_strokes_rejects_invalid_arrays(wrong):
    with pytest.raises(DataError, match=r"The image .* expected"):
        find_strokes(wrong)


def test_find_printed_strokes_removes_printed_pattern(write_rows):
    digits = load_dataset("mnist").test_images[:4]
    image = write_rows([digits], paper=200).astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    waves = 35 * ((rows + 3 * np.sin(columns / 9)).astype(int) % 5 == 0)
    printed = np.clip(image - waves, 0, 255).astype(np.uint8)
    clean, found = find_printed_strokes(image.astype(np.uint8)) >= 0.4, find_printed_strokes(printed) >= 0.4
    assert (clean & found).sum() > 0.85 * clean.sum()
    assert (found & ~clean).sum() < 0.35 * clean.sum()
