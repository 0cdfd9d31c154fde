"""Splits of a competition's training images, and files of its test images."""

import pytest

from skconv.competitions.folder import read_competition
from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError


def add_column(table, header, values):
    first, *rows = table.read_text().splitlines()
    cells = [f"{row},{values[number % len(values)]}" for number, row in enumerate(rows)]
    table.write_text("\n".join([f"{first},{header}", *cells]) + "\n")


def test_files_of_test_images_are_in_the_order_of_the_sample(make_competition):
    folder = make_competition("identify-the-apparels")
    for name in ("sample_submission.csv", "answers.csv"):
        first, *rows = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join([first, *rows[::-1]]) + "\n")
    splits, form = read_competition(DataSpec(folder))
    assert [file.stem for file in splits.files[70:]] == list(form.ids)


@pytest.mark.parametrize("name", ["kaggle-digits", "identify-the-apparels"])
def test_splits_of_the_training_images_are_used(make_competition, name):
    folder = make_competition(name)
    add_column(folder / "train.csv", "split", ["train"] * 6 + ["val"])
    data = load_dataset(folder)
    n = len(data.train_labels) + len(data.valid_labels)
    assert len(data.valid_labels) == n // 7 and len(data.test_labels) == len(data.submission.ids)
    (folder / "train.csv").write_text((folder / "train.csv").read_text().replace(",val\n", ",test\n"))
    with pytest.raises(DataError, match=r"rows of the test split.*answers\.csv"):
        load_dataset(folder)
    (folder / "answers.csv").unlink()
    assert len(load_dataset(folder).test_labels) == n // 7
