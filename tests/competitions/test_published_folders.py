"""Competition folders in the layouts in which they are published."""

import numpy as np
import pytest

from skconv.competitions.folder import is_competition, read_competition
from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec


def test_read_competition_with_a_folder_in_the_folder_of_a_split(make_competition):
    folder = make_competition("identify-the-apparels")
    expected = read_competition(DataSpec(folder))[0].train_labels
    for split in ("train", "test"):
        (folder / split).rename(folder / "inner")
        (folder / split).mkdir()
        (folder / "inner").rename(folder / split / split)
    assert is_competition(folder)
    assert read_competition(DataSpec(folder))[0].train_labels == expected


def test_read_competition_with_pixels_in_one_cell(tmp_path, samples):
    rows = [" ".join(map(str, image.ravel())) for image in samples.images(6)]
    (tmp_path / "train.csv").write_text("emotion,pixels\n" + "".join(f"{i % 3},{row}\n" for i, row in enumerate(rows)))
    (tmp_path / "test.csv").write_text("\n".join(["pixels", *rows]))
    (tmp_path / "others.csv").write_text("emotion,pixels\n")
    with pytest.warns(UserWarning, match=r"not used: others\.csv\. To use a table with labels"):
        dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.submission.images, dataset.train_images)
