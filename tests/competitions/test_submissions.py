"""Submissions to competitions: writing, and loading the images to predict."""

import numpy as np
import pytest

from skconv.competitions.folder import read_form, read_submission
from skconv.competitions.submissions import load_submission_form, write_submission
from skconv.data.dataset import SubmissionForm
from skconv.data.inputs import load_inputs
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, OutputError
from skconv.images.spec import ImageSpec

DIGITS = tuple("0123456789")


@pytest.fixture
def form():
    return SubmissionForm(("ImageId", "Label"), ("1", "2", "3", "4"), np.zeros((4, 8, 8), np.uint8), DIGITS)


@pytest.mark.parametrize("labels", [[7, 0, 3, 9], np.array([7, 0, 3, 9]), iter("7039")], ids=["list", "array", "text"])
def test_write_submission_writes_what_read_submission_reads(tmp_path, form, labels):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    write_submission(path, form, labels)
    assert path.read_bytes() == b"ImageId,Label\n1,7\n2,0\n3,3\n4,9\n"
    assert read_submission(path, form) == ["7", "0", "3", "9"]


def test_write_submission_quotes_commas(tmp_path):
    form = SubmissionForm(("id", "label"), ("a,b", "c"), np.zeros((2, 8, 8), np.uint8), ("x", "y, z"))
    write_submission(tmp_path / "s.csv", form, ["y, z", "x"])
    assert read_submission(tmp_path / "s.csv", form) == ["y, z", "x"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1, 2, 3], "3 labels for 4 ids"), ([1, 2, 3, "Trouser"], "The label 'Trouser' is unknown")],
)
def test_write_submission_wrong_labels_leave_existing_file(tmp_path, form, labels, message):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_submission(path, form, labels)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_submission_rejects_missing_folder(tmp_path, form):
    with pytest.raises(OutputError, match="missing"):
        write_submission(tmp_path / "missing" / "submission.csv", form, [0] * 4)


def test_submission_form_rejects_different_numbers():
    with pytest.raises(DataError, match="3 ids and 4 images"):
        SubmissionForm(("id", "label"), ("1", "2", "3"), np.zeros((4, 8, 8), np.uint8))


@pytest.mark.parametrize("name", ["kaggle-digits", "identify-the-apparels"])
@pytest.mark.parametrize("file", ["", "test.csv"])
def test_load_submission_form_converts_to_size_of_model(make_competition, name, file):
    folder = make_competition(name)
    form, notes = load_submission_form(folder / file, ImageSpec(12, 10, 3))
    assert (form.header, form.ids) == (read_form(DataSpec(folder)).header, read_form(DataSpec(folder)).ids)
    assert form.images.shape == (len(form.ids), 12, 10, 3)
    assert f"{len(form.ids)} images were resized to 10×12" in notes[0]
    assert "colour" in notes[1] and len(notes) == 2


def test_load_submission_form_numbers_rows_from_1(tmp_path, samples):
    path = samples.csv(tmp_path / "pixels.csv", label=False)
    form, _ = load_submission_form(path, ImageSpec(8, 8, 1))
    assert (form.header, form.ids, form.class_labels) == (("ImageId", "Label"), tuple("123456"), ())
    np.testing.assert_array_equal(form.images, load_inputs(path, ImageSpec(8, 8, 1))[1])


def test_load_submission_form_is_none_for_other_paths(tmp_path, samples):
    for path in (
        samples.csv(tmp_path / "train.csv"),
        samples.class_folders(tmp_path / "in", "a"),
        tmp_path / "nothing.csv",
        tmp_path / "nothing",
    ):
        assert load_submission_form(path, ImageSpec(8, 8, 1)) is None
