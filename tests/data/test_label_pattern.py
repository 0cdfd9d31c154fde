"""Classes in the names of image files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv import load_dataset
from skconv.data.label_pattern import suggest_pattern
from skconv.exceptions import DataError, ParameterError


def write(folder, *names):
    rng = np.random.default_rng(len(names))
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)


def number(name, n, suffix=".png"):
    return [f"{name}{k}{suffix}" for k in range(n)]


@pytest.mark.parametrize(
    ("form", "pattern"),
    [("{}_", "^(.+)_"), ("{}.", r"^(.+?)\."), ("{}-", "^(.+)-"), ("{} ", "^(.+) "), ("{}", r"^(\D+)\d")],
)
def test_error_suggests_a_pattern_that_finds_the_classes(tmp_path, form, pattern):
    write(tmp_path, *number(form.format("rolled in scale"), 4), *number(form.format("crazing"), 5))
    with pytest.raises(DataError, match="--label-pattern") as error:
        load_dataset(tmp_path)
    assert f"'{pattern}'" in str(error.value)
    data = load_dataset(tmp_path, label_pattern=pattern)
    assert data.class_names == ("crazing", "rolled in scale")
    assert np.bincount(data.train_labels).tolist() == [5, 4]


def test_names_without_classes_suggest_nothing(tmp_path):
    write(tmp_path, *number("IMG_", 9))
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path)
    assert "label-pattern" not in str(error.value)


def test_splits_are_folders_and_other_names_are_counted(tmp_path):
    write(tmp_path, *number("train/cat.", 6), *number("train/dog.", 6), "train/readme.png")
    write(tmp_path, *number("test/", 3), *number("val/a/cat.", 2))
    with pytest.warns(UserWarning) as notes:
        data = load_dataset(tmp_path, label_pattern=r"^([a-z]+)\.\d")
    texts = [str(note.message) for note in notes]
    assert any("'cat' (6), 'dog' (6)" in text for text in texts)
    assert any("1 image whose" in text and "readme.png" in text for text in texts)
    assert any("3 test images whose" in text for text in texts)
    assert len(data.train_labels) == 12 and len(data.valid_labels) == 2 and data.test_images is None


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        ("(", ParameterError, "no regular expression"),
        ("^cat", ParameterError, "0 parts in parentheses; expected a regular"),
        ("(c)(a)", ParameterError, "2 parts"),
        ("(cat)", DataError, "one class, 'cat'.*the first image is 'cat_0.png'"),
        ("^(x+)", DataError, "finds no class"),
    ],
)
def test_patterns_that_find_no_classes_are_errors(tmp_path, pattern, error, message):
    write(tmp_path, *number("cat_", 3), *number("dog_", 3))
    with pytest.raises(error, match=message):
        load_dataset(tmp_path, label_pattern=pattern)


def test_pattern_is_for_a_folder_and_excludes_a_level(tmp_path):
    write(tmp_path, *number("cat_", 3), *number("dog_", 3))
    with pytest.raises(ParameterError, match="'label_pattern' parameter is for a folder"):
        load_dataset("mnist", label_pattern="^(.+)_")
    with pytest.raises(ParameterError, match="Omit one"):
        load_dataset(tmp_path, label_pattern="^(.+)_", class_level=1)


@pytest.mark.parametrize(
    ("form", "pattern"),
    [("id_{0}_label_{1}.png", r"[Ll]abel[_-]?([^\W_]+)"), ("scan-{0}-{1}.png", r"[ _-]([^\W_]+)\.[^.]+$")],
)
@pytest.mark.parametrize("folders", [("train", "test1"), ("Train Images 9x8x8/train", "Test Images 2x8x8/test")])
def test_pattern_of_the_training_images_is_suggested(tmp_path, form, pattern, folders):
    write(tmp_path, *(f"{folders[0]}/{form.format(k, ('bad', 'good')[k % 2])}" for k in range(9)))
    write(tmp_path, *(f"{folders[1]}/{form.format(k, 'good')}" for k in range(2)))
    with pytest.raises(DataError, match=r"contain the class.*--label-pattern") as error:
        load_dataset(tmp_path)
    assert f"'{pattern}'" in str(error.value)
    data = load_dataset(tmp_path, label_pattern=pattern)
    assert data.class_names == ("bad", "good")
    assert (len(data.train_labels), data.test_labels.tolist()) == (9, [1, 1])


def test_test_images_without_classes_are_left_out(tmp_path):
    write(tmp_path, *number("train/cat.", 4), *number("train/dog.", 4), *number("test1/", 3))
    with pytest.warns(UserWarning, match="Left out 3 test images, because their names contain no class"):
        data = load_dataset(tmp_path, label_pattern=r"^(.+?)\.")
    assert data.class_names == ("cat", "dog") and data.test_labels is None


def test_numbered_folders_without_training_split_are_no_splits(tmp_path):
    write(tmp_path, *number("test1/cat.", 4), *number("test2/dog.", 4))
    with pytest.warns(UserWarning, match=r"'cat' \(4\), 'dog' \(4\)"):
        data = load_dataset(tmp_path, label_pattern=r"^(.+?)\.")
    assert len(data.train_labels) == 8 and data.test_labels is None


def test_suggest_pattern_ends_the_class_before_two_underscores():
    images = [Path(f"obj{number}__{angle}.png") for number in (1, 2) for angle in (0, 5, 10)]
    assert suggest_pattern(images) == "^(.+)__"
