"""Tables and data frames that list image files."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec
from skconv.data.tables.image_tables import load_images, read_labelled_files
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError

from .listed_images import KINDS, NAMES, ROWS, N, check_labels, write_rows


@pytest.fixture
def images(tmp_path, samples):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(samples.images(3)):
        Image.fromarray(image).save(folder / f"{index}.png")
    return folder


def write_table(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("table", ["id,label\n2,cat\n0,dog\n", "file,label\n2.png,cat\n0.png,dog\n"])
def test_read_labelled_files_matches_ids_and_images(tmp_path, samples, images, table):
    splits = read_labelled_files(DataSpec(write_table(tmp_path, table), images=images))
    np.testing.assert_array_equal(splits.train_images, samples.images(3)[[2, 0]])
    assert splits.train_labels == ["cat", "dog"]


def test_read_labelled_files_uses_label_column(tmp_path, images):
    for text in (
        "animal,file,colour\ncat,1,red\ndog,2,blue\n",
        "colour,file,animal\nred,1,cat\nblue,2,dog\n",
        "animal,file,label\ncat,1,red\ndog,2,blue\n",
    ):
        with pytest.warns(UserWarning, match="not used"):
            splits = read_labelled_files(DataSpec(write_table(tmp_path, text), images=images, label_column="Animal"))
        assert splits.train_labels == ["cat", "dog"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "0 columns"),
        ("id,label\n", "no rows"),
        ("id,label\n0,cat\n1,\n", "line 3: the label is missing"),
        ("id,label\n0,cat\n,dog\n", "line 3: the id is missing"),
        ("id,label\n0,cat\n1\n", "line 3 has 1 value,"),
        ("id,label\n0,cat\n7,dog\n", "1 of the 2 images .* missing: 7"),
        ("id,label\n0,cat\n../labels.csv,dog\n", r"missing: \.\./labels.csv"),
        ("id,label\n0,cat\n0,dog\n", "line 3: the image '0' .*'cat'.*'dog'"),
    ],
)
def test_read_labelled_files_rejects_invalid_table(tmp_path, images, table, message):
    with pytest.raises(DataError, match=message):
        read_labelled_files(DataSpec(write_table(tmp_path, table), images=images))


def test_read_labelled_files_rejects_two_images_of_one_id(tmp_path, images):
    Image.new("L", (8, 8)).save(images / "0.bmp")
    with pytest.raises(DataError, match=r"The name '0' fits both 0\.bmp and 0\.png"):
        read_labelled_files(DataSpec(write_table(tmp_path, "id,label\n0,cat\n1,dog\n"), images=images))


def test_read_labelled_files_rejects_missing_folder(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        read_labelled_files(DataSpec(write_table(tmp_path, "id,label\n0,cat\n"), images=tmp_path / "nowhere"))


def test_missing_images_are_all_counted_and_can_be_skipped(tmp_path, flat):
    for name in NAMES[:3]:
        (flat / name).unlink()
    table = write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    message = r"3 of the 12 images .* im0\.png, im1\.png, im2\.png.*"
    with pytest.raises(DataError, match=message + "--skip-unreadable"):
        load_dataset(table, images=flat)
    with pytest.warns(UserWarning, match=message):
        assert len(load_dataset(table, images=flat, skip_unreadable=True).train_images) == N - 3


def test_unreadable_image_is_skipped_with_its_label(tmp_path, samples, flat):
    (flat / "im1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    with pytest.warns(UserWarning, match=r"im1\.png"):
        dataset = load_dataset(table, images=flat, skip_unreadable=True)
    assert [dataset.class_names[label] for label in dataset.train_labels] == [KINDS[0], *KINDS[2:]]


def test_images_that_are_not_listed_and_rows_that_repeat_are_counted(tmp_path, flat):
    table = write_rows(tmp_path / "a.csv", [*ROWS[:-2], ROWS[0]], ["id", "label"])
    with pytest.warns(UserWarning) as notes:
        assert len(load_dataset(table, images=flat).train_images) == N - 2
    text = " ".join(str(note.message) for note in notes)
    assert "2 images" in text and "not listed" in text and "1 repeated row," in text


def test_split_without_labels_is_left_out_with_a_count(tmp_path, flat):
    rows = [[*row, "train"] for row in ROWS[:9]] + [[name, "", "test"] for name in NAMES[9:]]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label", "split"])
    with pytest.warns(UserWarning, match="left out 3 rows of the test split, which has no labels"):
        assert load_dataset(table, images=flat).test_images is None


def test_home_folder_in_paths(tmp_path, samples, flat, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    check_labels(load_dataset("~/a.csv", images="~/flat"), samples)


def test_data_frame_of_names_and_paths(tmp_path, samples, flat, monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"file": NAMES, "label": KINDS}).sample(frac=1, random_state=0)
    check_labels(load_dataset(frame, images=flat), samples)
    frame["file"] = [str(flat / name) for name in frame["file"]]
    check_labels(load_dataset(frame), samples)
    frame["file"] = [flat / name for name in NAMES]
    frame["label"] = [float(kind == "cat") for kind in KINDS]
    dataset = load_dataset(frame, label_column="label")
    assert dataset.class_names == ("0", "1") and dataset.name == "data"
    frame.loc[frame.index[0], "label"] = None
    with pytest.raises(DataError, match="label is missing"):
        load_dataset(frame)


@pytest.mark.parametrize("dtype", ["string", "Int64"])
def test_data_frame_with_missing_values_of_pandas(flat, dtype):
    pandas = pytest.importorskip("pandas")
    labels = pandas.array([None, *("01" * N)[1:N]], dtype="string").astype(dtype)
    with pytest.raises(DataError, match="label is missing"):
        load_dataset(pandas.DataFrame({"file": NAMES, "label": labels}), images=flat)


def test_polars_data_frame(samples, flat):
    polars = pytest.importorskip("polars")
    check_labels(load_dataset(polars.DataFrame({"file": NAMES, "label": KINDS}), images=flat), samples)


def test_data_frame_has_a_sentence_for_other_content(flat):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"12 of the 12 images .*--images"):
        load_dataset(pandas.DataFrame({"file": NAMES, "label": KINDS}))
    with pytest.raises(DataError, match="no rows"):
        load_dataset(pandas.DataFrame({"file": [], "label": []}))


def test_load_images_returns_images_in_the_order_of_paths(samples, flat):
    X = load_images([str(flat / name) for name in reversed(NAMES)])
    np.testing.assert_array_equal(X, samples.images(N)[::-1])
    assert load_images([flat / "im0.png"], image_size=(4, 6, 3)).shape == (1, 4, 6, 3)


@pytest.mark.parametrize(
    ("paths", "error", "message"),
    [
        ("im0.png", ParameterError, r"list of files.*\[path\]"),
        ([], DataError, "no paths"),
        (["nowhere/im0.png"], SourceNotFoundError, "nowhere/im0"),
    ],
)
def test_load_images_rejects_other_arguments(paths, error, message):
    with pytest.raises(error, match=message):
        load_images(paths)
    with pytest.raises(ParameterError, match="image_size"):
        load_images(["a.png"], image_size=0)
