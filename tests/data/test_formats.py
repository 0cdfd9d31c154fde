"""Choice of the format of a folder that has arrays, tables and class folders."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skconv import load_dataset
from skconv.data.inputs import load_inputs
from skconv.exceptions import ParameterError, SkconvError
from skconv.images.spec import PREPROCESSING, ImageSpec, PreprocessingStep

LABELS = np.arange(6) % 3


def write_npy(folder, samples):
    np.save(folder / "X.npy", samples.images(6))
    np.save(folder / "y.npy", LABELS)


def write_csv_pair(folder, samples):
    samples.csv(folder / "X_train.csv", label=False)
    (folder / "y_train.csv").write_text("\n".join(map(str, LABELS)))


def write_competition(folder, samples):
    samples.csv(folder / "train.csv")
    samples.csv(folder / "test.csv", label=False)


def write_idx(folder, samples):
    samples.idx_folder(folder / "arrays")


@pytest.mark.parametrize(
    ("write", "pattern"),
    [
        (write_npy, "*.npy"),
        (write_npy, "X.npy"),
        (write_csv_pair, "y_train.csv"),
        (write_competition, "t*.csv"),
        (write_idx, "arrays"),
        (write_idx, "arrays/*"),
    ],
)
def test_excluded_arrays_do_not_hide_class_folders(tmp_path, samples, write, pattern):
    samples.class_folders(tmp_path, "ant", "bee")
    write(tmp_path, samples)
    assert load_dataset(tmp_path).class_names != ("ant", "bee")
    with pytest.warns(UserWarning, match="because of --exclude"):
        assert load_dataset(tmp_path, exclude=pattern).class_names == ("ant", "bee")


@pytest.mark.parametrize("write", [write_npy, write_csv_pair, write_idx])
def test_files_of_macos_are_hidden(tmp_path, samples, write):
    write(tmp_path, samples)
    expected = load_dataset(tmp_path).train_images
    for file in [each for each in tmp_path.rglob("*") if each.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")
    np.testing.assert_array_equal(load_dataset(tmp_path).train_images, expected)


@pytest.mark.parametrize("pattern", ["ant", "*.png", "bee/*.png"])
def test_excluded_class_folders_do_not_hide_arrays(tmp_path, samples, pattern):
    samples.class_folders(tmp_path, "ant", "bee")
    np.savez(tmp_path / "embedded-train-imgs.npz", samples.images(6))
    np.savez(tmp_path / "embedded-train-labels.npz", LABELS)
    assert load_dataset(tmp_path).class_names == ("ant", "bee")
    with pytest.warns(UserWarning, match="left out 2 files|left out 4 files"):
        assert load_dataset(tmp_path, exclude=pattern).class_names == ("0", "1", "2")


def test_excluded_arrays_are_not_read(tmp_path, samples):
    for name, values in {"X_train": samples.images(6), "y_train": LABELS, "X_test": samples.images(6)}.items():
        np.save(tmp_path / f"{name}.npy", values)
    np.save(tmp_path / "y_test.npy", LABELS)
    assert load_dataset(tmp_path).test_images is not None
    with pytest.warns(UserWarning, match="left out 2 files, because of --exclude"):
        assert load_dataset(tmp_path, exclude="*_test.npy").test_images is None


@pytest.mark.parametrize(
    ("options", "classes"),
    [
        ({"class_level": 1}, ("ant", "bee")),
        ({"label_pattern": r"(\d)\.png"}, ("0", "1")),
        ({"groups": r"(\d)\.png"}, ("ant", "bee")),
    ],
)
def test_options_for_images_choose_the_images(tmp_path, samples, options, classes):
    samples.class_folders(tmp_path, "ant", "bee")
    write_npy(tmp_path, samples)
    assert load_dataset(tmp_path, **options).class_names == classes


def test_first_folder_of_a_process_may_have_arrays(tmp_path, samples):
    write_npy(tmp_path, samples)
    code = "import sys, skconv; assert len(skconv.load_dataset(sys.argv[1]).train_images) == 6"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, tmp_path], check=True)


def test_listed_files_are_preprocessed_once(tmp_path, samples):
    samples.class_folders(tmp_path, "ant")
    (tmp_path / "list.csv").write_text("file,label\nant/0.png,a\nant/1.png,b\n")
    PREPROCESSING.register("inverted", PreprocessingStep(lambda image: 255 - image, (8, 8)))
    try:
        spec = ImageSpec(8, 8, 1, "inverted")
        images = load_inputs(tmp_path / "list.csv", spec)[1]
    finally:
        PREPROCESSING.unregister("inverted")
    np.testing.assert_array_equal(images, 255 - samples.images(2))


def test_errors_of_listed_files_are_collected(tmp_path, samples):
    samples.class_folders(tmp_path, "ant")
    (tmp_path / "ant" / "0.png").write_text("no image")
    (tmp_path / "list.csv").write_text("file,label\nant/0.png,a\nant/1.png,b\n")
    Image.fromarray(samples.images(1)[0]).save(tmp_path / "first.png")
    errors = {}
    names, images, _ = load_inputs([tmp_path / "first.png", tmp_path / "list.csv"], ImageSpec(8, 8, 1), errors=errors)
    assert list(errors) == [1] and len(names) == 3 and len(images) == 2


def test_rows_of_pixels_have_no_groups(tmp_path, samples):
    table = samples.csv(tmp_path / "X_train.csv")
    with pytest.raises(ParameterError, match="'groups' is a column of a table that lists images"):
        load_dataset(table, groups="label")
    samples.csv(table, label=False)
    (tmp_path / "y_train.csv").write_text("0\n1\n2\n0\n1\n2\n")
    with pytest.raises(ParameterError, match="'groups' is a column of a table that lists images"):
        load_dataset(table, groups="patient")


@pytest.mark.parametrize("options", [{"groups": "^(p)"}, {"groups": "patient"}, {"class_level": 1}])
def test_error_names_options_because_of_which_arrays_are_not_read(tmp_path, samples, options):
    folder = samples.idx_folder(tmp_path / "idx")
    with pytest.raises(SkconvError, match=f"because of '{next(iter(options))}': omit it to read the arrays"):
        load_dataset(folder, **options)
    with pytest.raises(SkconvError) as error:
        load_dataset(samples.class_folders(tmp_path / "images", "ant"), **options)
    assert "omit it" not in str(error.value)
