"""The one door to every data set."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.sources import load_dataset
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError


def test_load_dataset_every_form_of_path_gives_a_dataset(tmp_path, samples):
    images, labels = samples.images(6), np.arange(6) % 3
    np.savez(tmp_path / "arrays.npz", X=images, y=labels)
    (tmp_path / "labels.csv").write_text("id,label\n0,a\n1,b\n")
    forms = {
        "idx": (samples.idx_folder(tmp_path / "idx"), {}),
        "classes": (samples.class_folders(tmp_path / "classes", "a", "b"), {}),
        "pixels": (samples.csv(tmp_path / "pixels.csv"), {}),
        "arrays": (tmp_path / "arrays.npz", {}),
        "labels": (tmp_path / "labels.csv", {"images": tmp_path / "classes" / "a"}),
    }
    for name, (path, options) in forms.items():
        for source in (path, str(path)):
            dataset = load_dataset(source, **options)
            assert dataset.name == name and dataset.source == str(path)
            assert dataset.image_shape == (8, 8) and dataset.train_images.dtype == np.uint8
            assert dataset.train_labels.dtype == np.int64 and dataset.licence == "unknown"


def test_load_dataset_image_size_resizes_every_form(tmp_path, samples):
    folder = samples.idx_folder(tmp_path / "idx")
    dataset = load_dataset(folder, image_size=(12, 10))
    assert dataset.train_images.shape == (20, 12, 10) and dataset.test_images.shape == (10, 12, 10)
    assert load_dataset(samples.csv(tmp_path / "a.csv"), image_size=(16, 16)).image_shape == (16, 16)


@pytest.mark.parametrize("name", ["kaggle-digits", "identify-the-apparels"])
def test_load_dataset_competition_brings_the_form_of_its_submission(make_competition, name):
    folder = make_competition(name)
    dataset = load_dataset(folder)
    assert dataset.class_names == dataset.submission.class_labels == tuple("0123456789")
    assert dataset.test_images is dataset.submission.images
    assert [str(label) for label in dataset.test_labels] == [
        line.split(",")[1] for line in (folder / "answers.csv").read_text().splitlines()[1:]
    ]
    (folder / "answers.csv").unlink()
    unanswered = load_dataset(folder)
    assert unanswered.test_images is None and unanswered.submission.ids == dataset.submission.ids


def test_load_dataset_image_size_resizes_what_is_to_be_submitted_too(make_competition):
    folder = make_competition("kaggle-digits")
    dataset = load_dataset(folder, image_size=(12, 10))
    assert dataset.train_images.shape == (60, 12, 10) and dataset.test_images.shape == (40, 12, 10)
    assert dataset.submission.images is dataset.test_images
    (folder / "answers.csv").unlink()
    assert load_dataset(folder, image_size=(12, 10)).submission.images.shape == (40, 12, 10)


def test_load_dataset_competition_of_two_sizes_is_told(make_competition, samples):
    folder = make_competition("kaggle-digits")
    (folder / "answers.csv").unlink()
    (folder / "sample_submission.csv").unlink()
    samples.csv(folder / "test.csv", n_pixels=49, label=False)
    with pytest.raises(DataError, match=r"train images have shape \(8, 8\), test images \(7, 7\)"):
        load_dataset(folder)


def test_load_dataset_image_size_is_the_shape_of_rows_that_are_not_square(tmp_path, samples):
    path = samples.csv(tmp_path / "a.csv", n_pixels=50)
    with pytest.raises(DataError, match="50 pixel columns"):
        load_dataset(path)
    assert load_dataset(path, image_size=(5, 10)).image_shape == (5, 10)


def test_load_dataset_colour_stays_colour(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "x", "y")
    Image.new("RGB", (8, 8), "blue").save(folder / "x" / "blue.png")
    assert load_dataset(folder, image_size=(4, 6)).image_shape == (4, 6, 3)


def test_load_dataset_numbered_folders_are_in_order(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "10", "9", "1", n=1)
    dataset = load_dataset(folder)
    assert dataset.class_names == ("1", "9", "10")
    assert dataset.train_labels.tolist() == [0, 1, 2]


def test_load_dataset_a_path_object_is_a_path_never_a_name(tmp_path, samples, monkeypatch):
    samples.class_folders(tmp_path / "digits", "a", "b")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("./digits").class_names == ("a", "b")
    assert load_dataset((tmp_path / "digits").relative_to(tmp_path)).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("source", "message"),
    [("mnits", "Did you mean 'mnist'"), ("nothing.csv", "no file, folder or data set 'nothing.csv'")],
)
def test_load_dataset_unknown_source_is_told(source, message):
    with pytest.raises(SourceNotFoundError, match=message):
        load_dataset(source)


@pytest.mark.parametrize("name", ["model.pt", "data.pkl", "data.joblib"])
def test_load_dataset_files_that_could_run_code_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="could run code when loaded; it is refused"):
        load_dataset(tmp_path / name)


def test_load_dataset_other_kinds_of_files_are_told(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="of no kind that can be read"):
        load_dataset(tmp_path / "data.zip")
    with pytest.raises(DataError, match="only one class, '0'"):
        rows = "".join("0," * 64 + "0\n" for _ in range(3))
        (tmp_path / "one.csv").write_text(rows)
        load_dataset(tmp_path / "one.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "folder"}, "images is for a CSV"),
        ({"label_column": "label"}, "label_column is for a CSV"),
        ({"image_size": (0, 5)}, "each 1 or more"),
        ({"image_size": (5,)}, "each 1 or more"),
    ],
)
def test_load_dataset_options_without_a_use_are_told(options, message):
    with pytest.raises(ParameterError, match=message):
        load_dataset("mnist", **options)


def test_load_dataset_data_home_that_does_not_exist_is_told():
    with pytest.raises(SourceNotFoundError, match="no folder /nowhere"):
        load_dataset("mnist", data_home="/nowhere")


@pytest.mark.data
def test_load_dataset_colour_folder_of_many_sizes(data_home):
    with pytest.raises(DataError, match="different sizes"):
        load_dataset(data_home / "church-records-dev")
    dataset = load_dataset(data_home / "church-records-dev", image_size=(28, 28))
    assert dataset.train_images.shape == (1000, 28, 28, 3)
    assert dataset.class_names == tuple("0123456789")
