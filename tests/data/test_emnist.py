"""Tables of EMNIST."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.data.formats import read_pixel_rows
from skconv.data.spec import DataSpec
from skconv.images.spec import ImageSpec


def write(path, images):
    rows = [[index % 3 + 1, *image.T.ravel()] for index, image in enumerate(images)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["emnist-letters-train.csv", "EMNIST_Letters_Train.csv"])
def test_tables_of_emnist_are_transposed_with_a_note(tmp_path, samples, name):
    table = write(tmp_path / name, samples.images(30))
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    with pytest.warns(UserWarning, match="EMNIST stores images transposed"):
        dataset = load_dataset(table)
    np.testing.assert_array_equal(dataset.train_images, samples.images(30))
    assert dataset.class_names == ("A", "B", "C")
    with pytest.warns(UserWarning, match="transposed"):
        images, is_labelled = read_pixel_rows(DataSpec(table), ImageSpec(8, 8, 1))
    np.testing.assert_array_equal(images, samples.images(30))
    assert is_labelled


def test_other_tables_are_unchanged(tmp_path, samples):
    dataset = load_dataset(write(tmp_path / "letters-train.csv", samples.images(30)))
    np.testing.assert_array_equal(dataset.train_images, samples.images(30).transpose(0, 2, 1))
    assert dataset.class_names == ("1", "2", "3")
