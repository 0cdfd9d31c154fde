"""Pairs of tables: pixels in one file, labels in another."""

import gzip

import numpy as np
import pandas as pd
import pytest

from skconv import load_dataset, predict
from skconv.estimators import CNNClassifier
from skconv.exceptions import DataError

LABELS = np.arange(40) % 4
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 64))


def write(folder, name, values, **options):
    pd.DataFrame(values).to_csv(folder / name, **{"header": False, "index": False, **options})


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("csvTrainImages 40x64.csv", "csvTrainLabel 40x1.csv"),
        ("X_train.csv", "y_train.csv"),
        ("train-images.txt", "train-labels.txt"),
        ("X.csv", "y.csv"),
    ],
)
def test_names_determine_images_and_labels(tmp_path, images, labels):
    write(tmp_path, images, PIXELS)
    write(tmp_path, labels, LABELS)
    with pytest.warns(UserWarning, match=f"train images in '{images}', labels in '{labels}'"):
        data = load_dataset(tmp_path)
    np.testing.assert_array_equal(data.train_images.reshape(40, -1), PIXELS)
    np.testing.assert_array_equal(data.train_labels, LABELS)


@pytest.mark.parametrize("options", [{"header": True}, {"header": True, "index": True}, {"index": True}])
def test_headers_and_row_numbers_are_no_labels(tmp_path, options):
    write(tmp_path, "X_train.csv", PIXELS, **options)
    write(tmp_path, "y_train.csv", LABELS + 5, **options)
    data = load_dataset(tmp_path / "X_train.csv")
    assert data.image_shape == (8, 8) and data.class_names == ("5", "6", "7", "8")
    np.testing.assert_array_equal(data.train_labels, LABELS)


def test_numbers_in_any_notation_are_one_class(tmp_path):
    np.savetxt(tmp_path / "X_train.csv", PIXELS, delimiter=",")
    np.savetxt(tmp_path / "y_train.csv", LABELS)
    write(tmp_path, "X_test.csv", PIXELS)
    write(tmp_path, "y_test.csv", LABELS)
    data = load_dataset(tmp_path)
    assert data.class_names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(data.test_labels, LABELS)


def test_dark_pixels_are_noted(tmp_path):
    write(tmp_path, "X_train.csv", PIXELS % 17)
    write(tmp_path, "y_train.csv", LABELS)
    with pytest.warns(UserWarning, match=r"X_train\.csv: the maximum pixel is 16"):
        load_dataset(tmp_path)


def test_one_hot_labels(tmp_path):
    write(tmp_path, "X_train.csv", PIXELS)
    pd.get_dummies(pd.Series(np.array(["ant", "bee", "cat", "dog"])[LABELS])).to_csv(tmp_path / "y_train.csv")
    data = load_dataset(tmp_path)
    assert data.class_names == ("ant", "bee", "cat", "dog")
    np.testing.assert_array_equal(data.train_labels, LABELS)


def test_other_splits_and_other_files(tmp_path):
    for name, n in (("train", 40), ("val", 8), ("test", 4)):
        write(tmp_path, f"x_{name}.csv", PIXELS[:n])
        write(tmp_path, f"y_{name}.csv", LABELS[:n])
    (tmp_path / "classes.csv").write_text("0,a\n1,b\n")
    with gzip.open(tmp_path / "notes.csv.gz", "wt") as stream:
        stream.write("note\n")
    with pytest.warns(UserWarning, match=r"test images in 'x_test.csv'.* not used: classes.csv, notes.csv.gz"):
        data = load_dataset(tmp_path)
    assert [len(each) for each in (data.train_labels, data.valid_labels, data.test_labels)] == [40, 8, 4]


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (PIXELS, LABELS[:30], r"40 images, but y_train.csv has 30 rows"),
        (PIXELS, np.stack([LABELS, LABELS], axis=1), r"y_train.csv has 2 columns; expected one label per row"),
        (PIXELS[:, :61], LABELS, r"seems to have a label column.*--image-size"),
    ],
)
def test_errors_name_both_files(tmp_path, pixels, labels, message):
    write(tmp_path, "X_train.csv", pixels)
    write(tmp_path, "y_train.csv", labels)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path)


def test_a_table_with_its_own_labels_is_no_pair(tmp_path):
    write(tmp_path, "train.csv", np.c_[LABELS, PIXELS], header=["label", *(f"pixel{k}" for k in range(64))])
    write(tmp_path, "labels.csv", LABELS)
    write(tmp_path, "images.csv", np.c_[LABELS, PIXELS], header=["label", *(f"pixel{k}" for k in range(64))])
    assert load_dataset(tmp_path / "images.csv").train_images.shape == (40, 8, 8)


def test_predict_reads_the_test_images_of_a_folder(tmp_path):
    CNNClassifier("fast", max_epochs=1, random_state=0).fit(PIXELS, LABELS).save(tmp_path / "model")
    write(tmp_path, "X_train.csv", PIXELS)
    write(tmp_path, "y_train.csv", LABELS)
    write(tmp_path, "X_test.csv", PIXELS[:3])
    write(tmp_path, "y_test.csv", LABELS[:3])
    assert len(predict(tmp_path / "model", tmp_path).predictions) == 3
    assert len(predict(tmp_path / "model", tmp_path / "X_train.csv").predictions) == 40
