"""Summary of the data of a run."""

import numpy as np

from skconv.commands.data_summary import print_data
from skconv.data.dataset import Dataset


def test_print_data_prints_shapes_to_standard_error(capsys):
    images, labels = np.full((20, 8, 6, 3), 7, np.uint8), np.arange(20) % 2
    dataset = Dataset("two", images, labels, ("no", "yes"), images[:5], labels[:5])
    print_data(dataset, batch_size=100, validation_fraction=0.1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training images (20, 8, 6, 3)" in captured.err and "test images (5, 8, 6, 3)" in captured.err
    assert "one batch: images (18, 3, 8, 6)" in captured.err  # the training set without the validation split
    assert "first labels: no, yes, no" in captured.err
