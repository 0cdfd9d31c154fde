"""`load_dataset` and `DataSpec`: every source, options, errors."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.dataset import Splits
from skconv.data.loading import load_dataset
from skconv.data.spec import FORMATS, DataSpec, Format
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.images.spec import PREPROCESSING, PreprocessingStep


def test_load_dataset_reads_every_format(tmp_path, samples):
    images, labels = samples.images(6), np.arange(6) % 3
    np.savez(tmp_path / "arrays.npz", X=images, y=labels)
    (tmp_path / "labels.csv").write_text("id,label\n0,a\n1,b\n")
    sources = {
        "idx": (samples.idx_folder(tmp_path / "idx"), {}),
        "classes": (samples.class_folders(tmp_path / "classes", "a", "b"), {}),
        "pixels": (samples.csv(tmp_path / "pixels.csv"), {}),
        "arrays": (tmp_path / "arrays.npz", {}),
        "labels": (tmp_path / "labels.csv", {"images": tmp_path / "classes" / "a"}),
    }
    for name, (path, options) in sources.items():
        for source in (path, str(path)):
            dataset = load_dataset(source, **options)
            assert dataset.name == name and dataset.source == str(path)
            assert dataset.image_shape == (8, 8) and dataset.train_images.dtype == np.uint8
            assert dataset.train_labels.dtype == np.int64 and dataset.licence == "unknown"


def test_load_dataset_resizes_to_image_size(tmp_path, samples):
    folder = samples.idx_folder(tmp_path / "idx")
    dataset = load_dataset(folder, image_size=(12, 10))
    assert dataset.train_images.shape == (20, 12, 10) and dataset.test_images.shape == (10, 12, 10)
    assert load_dataset(samples.csv(tmp_path / "a.csv"), image_size=(16, 16)).image_shape == (16, 16)


@pytest.mark.parametrize("name", ["kaggle-digits", "identify-the-apparels"])
def test_load_dataset_competition_has_submission(make_competition, name):
    folder = make_competition(name)
    dataset = load_dataset(folder)
    assert dataset.class_names == dataset.submission.class_labels == tuple("0123456789")
    assert dataset.test_images is dataset.submission.images
    assert [str(label) for label in dataset.test_labels] == [
        line.split(",")[1] for line in (folder / "answers.csv").read_text().splitlines()[1:]
    ]
    (folder / "answers.csv").unlink()
    without_answers = load_dataset(folder)
    assert without_answers.test_images is None and without_answers.submission.ids == dataset.submission.ids


def test_load_dataset_resizes_submission_images(make_competition):
    folder = make_competition("kaggle-digits")
    dataset = load_dataset(folder, image_size=(12, 10))
    assert dataset.train_images.shape == (60, 12, 10) and dataset.test_images.shape == (40, 12, 10)
    assert dataset.submission.images is dataset.test_images
    (folder / "answers.csv").unlink()
    assert load_dataset(folder, image_size=(12, 10)).submission.images.shape == (40, 12, 10)


def test_load_dataset_rejects_competition_of_two_sizes(make_competition, samples):
    folder = make_competition("kaggle-digits")
    (folder / "answers.csv").unlink()
    (folder / "sample_submission.csv").unlink()
    samples.csv(folder / "test.csv", n_pixels=49, label=False)
    with pytest.raises(DataError, match=r"train images have shape \(8, 8\), test images \(7, 7\)"):
        load_dataset(folder)


def test_load_dataset_image_size_is_shape_of_rows(tmp_path, samples):
    path = samples.csv(tmp_path / "a.csv", n_pixels=50)
    with pytest.raises(DataError, match="50 pixel columns"):
        load_dataset(path)
    assert load_dataset(path, image_size=(5, 10)).image_shape == (5, 10)


def test_load_dataset_resizes_colour_to_colour(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "x", "y")
    Image.new("RGB", (8, 8), "blue").save(folder / "x" / "blue.png")
    assert load_dataset(folder, image_size=(4, 6)).image_shape == (4, 6, 3)


def test_load_dataset_sorts_numbered_folders_by_value(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "10", "9", "1", n=1)
    dataset = load_dataset(folder)
    assert dataset.class_names == ("1", "9", "10")
    assert dataset.train_labels.tolist() == [0, 1, 2]


def test_load_dataset_path_object_is_never_a_name(tmp_path, samples, monkeypatch):
    samples.class_folders(tmp_path / "digits", "a", "b")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("./digits").class_names == ("a", "b")
    assert load_dataset((tmp_path / "digits").relative_to(tmp_path)).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("source", "message"),
    [("mnits", "Did you mean 'mnist'"), ("nothing.csv", "nothing.csv")],
)
def test_load_dataset_rejects_unknown_source(source, message):
    with pytest.raises(SourceNotFoundError, match=message):
        load_dataset(source)


def test_load_dataset_suggests_a_similar_path(tmp_path):
    (tmp_path / "flowers").mkdir()
    with pytest.raises(SourceNotFoundError, match=r"Did you mean '.*flowers/'"):
        load_dataset(tmp_path / "flowrs")


@pytest.mark.parametrize("name", ["model.pt", "data.pkl", "data.joblib"])
def test_load_dataset_rejects_pickles(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="refused"):
        load_dataset(tmp_path / name)


def test_load_dataset_rejects_other_files_and_single_class(tmp_path):
    (tmp_path / "data.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"data\.zip is an archive\. Unpack it"):
        load_dataset(tmp_path / "data.zip")
    (tmp_path / "data.xyz").write_bytes(b"PC")
    with pytest.raises(DataError, match="not in a supported format"):
        load_dataset(tmp_path / "data.xyz")
    with pytest.raises(DataError, match="only one class, '0'"):
        rows = "".join("0," * 64 + "0\n" for _ in range(3))
        (tmp_path / "one.csv").write_text(rows)
        load_dataset(tmp_path / "one.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "folder"}, "'images' requires a CSV"),
        ({"label_column": "label"}, "'label_column' requires a CSV"),
        ({"image_size": (0, 5)}, "each at least 1"),
        ({"image_size": (5,)}, "each at least 1"),
        ({"image_size": (28, 28, 2)}, "1 or 3 channels"),
        ({"resize": "zoom"}, "must be None or 'pad'"),
        ({"resize": "pad", "normalize": "digit"}, "no effect"),
        ({"min_class_size": 0}, "at least 1"),
        ({"exclude": "*.png"}, "'exclude' parameter is for a folder"),
        ({"class_level": 2}, "'class_level' parameter is for a folder"),
        ({"image_size": "32x32"}, "each at least 1"),
        ({"groups": "patient"}, "'groups' parameter is a column of a CSV file, or a pattern"),
    ],
)
def test_load_dataset_rejects_invalid_options(options, message):
    with pytest.raises(ParameterError, match=message):
        load_dataset("mnist", **options)


def test_options_of_a_missing_folder_do_not_hide_that_it_is_missing(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no file, folder or data set"):
        load_dataset(tmp_path / "missing", class_level=1)


def test_options_of_a_data_frame_are_checked():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"file": ["a.png"], "label": ["a"], "patient": ["p1"]})
    with pytest.raises(ParameterError, match="'class_level' parameter is for a folder; the source is a data frame"):
        load_dataset(frame, class_level=1)
    with pytest.raises(ParameterError, match=r"'groups' parameter must be the name .* Got a Series"):
        load_dataset(frame, groups=frame["patient"])


def test_groups_of_a_folder_are_a_pattern(tmp_path):
    with pytest.raises(ParameterError, match="'groups' 'patient' has 0 parts in parentheses"):
        load_dataset(tmp_path, groups="patient")


def test_class_level_selects_the_classes_of_a_folder(tmp_path, samples):
    for fold in ("fold1", "fold2"):
        samples.class_folders(tmp_path / fold, "cat", "dog")
    with pytest.warns(UserWarning, match="level 2"):
        dataset = load_dataset(tmp_path, class_level=2)
    assert dataset.class_names == ("cat", "dog") and dataset.train_labels.tolist() == [0] * 4 + [1] * 4
    for level in (0, True, "2"):
        with pytest.raises(ParameterError, match="integer other than 0"):
            load_dataset(tmp_path, class_level=level)


def test_load_dataset_rejects_missing_data_home():
    with pytest.raises(SourceNotFoundError, match="/nowhere does not exist"):
        load_dataset("mnist", data_home="/nowhere")


def test_load_dataset_preprocesses_each_image_of_a_folder_once(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "x", "y")
    (tmp_path / "labels.csv").write_text("id,label\n0,a\n1,b\n")
    PREPROCESSING.register("invert", PreprocessingStep(lambda image: 255 - image, (8, 8)))
    try:
        for source, options in ((folder, {}), (tmp_path / "labels.csv", {"images": folder / "x"})):
            dataset = load_dataset(source, normalize="invert", **options)
            np.testing.assert_array_equal(dataset.train_images[:2], 255 - samples.images(2))
            assert dataset.preprocessing == "invert"
    finally:
        PREPROCESSING.unregister("invert")


@pytest.mark.data
def test_load_dataset_resizes_colour_folder_of_many_sizes(data_home):
    with pytest.warns(UserWarning, match="differ in size"):
        assert load_dataset(data_home / "church-records-dev").train_images.shape == (1000, 50, 42, 3)
    dataset = load_dataset(data_home / "church-records-dev", image_size=(28, 28))
    assert dataset.train_images.shape == (1000, 28, 28, 3)
    assert dataset.class_names == tuple("0123456789")


@pytest.mark.parametrize("seed", [0, 1])
def test_data_spec_split_uses_own_seed_and_fraction(seed):
    dataset = load_dataset("digits")
    default = DataSpec("digits").split(dataset, seed)
    assert len(default.test_images) == 270 and DataSpec("digits").split(default, seed) is default
    pooled = DataSpec("digits", test_fraction=0.5, split_seed=3).split(default, seed)
    assert len(pooled.test_images) == 899
    again = DataSpec("digits", test_fraction=0.5).split(default, 3)
    np.testing.assert_array_equal(pooled.test_images, again.test_images)


def test_data_spec_check_raises_without_loading(tmp_path):
    DataSpec("mnist").check()
    DataSpec(tmp_path).check()
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        DataSpec(tmp_path / "nowhere").check()
    for method in (DataSpec().check, DataSpec().load):
        with pytest.raises(ParameterError, match="No data"):
            method()


def test_load_dataset_uses_registered_formats(tmp_path, samples):
    path = tmp_path / "data.own"
    path.touch()
    splits = Splits(samples.images(2), ["a", "b"])
    FORMATS.register("own", Format(lambda path: path.suffix == ".own", lambda spec, _: splits.to_dataset("own", "")))
    try:
        assert load_dataset(path).name == "own"
    finally:
        FORMATS.unregister("own")


@pytest.mark.parametrize("source", [{"a": 1}, ["a.png", "b.png"], np.zeros((3, 8, 8), np.uint8)])
def test_load_dataset_rejects_other_types(source):
    with pytest.raises(ParameterError, match=r"expected a name, a path or a data frame.*load_images"):
        load_dataset(source)


def test_load_dataset_rejects_address():
    with pytest.raises(SourceNotFoundError, match=r"is a URL\. Download"):
        load_dataset("https://example.org/images.zip")


def test_load_dataset_reports_equal_images(tmp_path, samples, recwarn):
    images, labels = np.full((4, 8, 8), 255, np.uint8), [0, 1, 0, 1]
    np.savez(tmp_path / "equal.npz", images=images, labels=labels)
    with pytest.warns(UserWarning, match="all 4 training images are equal"):
        load_dataset(tmp_path / "equal.npz")
    images[2, 0] = 7
    np.savez(tmp_path / "equal.npz", images=images, labels=labels)
    recwarn.clear()
    load_dataset(tmp_path / "equal.npz")
    assert not recwarn.list
