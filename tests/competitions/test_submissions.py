"""What is handed in to a competition: written, and checked line by line."""

import numpy as np
import pytest

from skconv.competitions.submissions import SubmissionForm, check_submission, write_submission
from skconv.exceptions import DataError, OutputError

DIGITS = tuple("0123456789")


@pytest.fixture
def form():
    return SubmissionForm(("ImageId", "Label"), ("1", "2", "3", "4"), np.zeros((4, 8, 8), np.uint8), DIGITS)


@pytest.mark.parametrize("labels", [[7, 0, 3, 9], np.array([7, 0, 3, 9]), iter("7039")], ids=["list", "array", "text"])
def test_write_submission_writes_what_check_submission_reads(tmp_path, form, labels):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    write_submission(path, form, labels)
    assert path.read_bytes() == b"ImageId,Label\n1,7\n2,0\n3,3\n4,9\n"
    assert check_submission(path, form, DIGITS) == ["7", "0", "3", "9"]


def test_write_submission_labels_may_hold_commas(tmp_path):
    form = SubmissionForm(("id", "label"), ("a,b", "c"), np.zeros((2, 8, 8), np.uint8), ("x", "y, z"))
    write_submission(tmp_path / "s.csv", form, ["y, z", "x"])
    assert check_submission(tmp_path / "s.csv", form, form.class_labels) == ["y, z", "x"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1, 2, 3], "3 labels for 4 ids"), ([1, 2, 3, "Trouser"], "'Trouser' is none of the competition's labels")],
)
def test_write_submission_wrong_labels_leave_the_old_file(tmp_path, form, labels, message):
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(DataError, match=message):
        write_submission(path, form, labels)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_submission_into_no_folder_is_told(tmp_path, form):
    with pytest.raises(OutputError, match="Cannot write"):
        write_submission(tmp_path / "missing" / "submission.csv", form, [0] * 4)


def test_submission_form_needs_an_image_an_id():
    with pytest.raises(DataError, match="3 ids came with 4 images"):
        SubmissionForm(("id", "label"), ("1", "2", "3"), np.zeros((4, 8, 8), np.uint8))


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("1,7", '"1","7"'),
    ],
    ids=["windows", "no-last-newline", "byte-order-mark", "quotes"],
)
def test_check_submission_other_ways_of_writing_read_the_same(tmp_path, form, rewrite):
    path = tmp_path / "submission.csv"
    path.write_bytes(rewrite("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n").encode())
    assert check_submission(path, form, DIGITS) == ["7", "0", "3", "9"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header is missing; expected 'ImageId,Label'"),
        ("id,label\n1,7\n2,0\n3,3\n4,9\n", "line 1: the header is 'id,label'; expected 'ImageId,Label'"),
        ("1,7\n2,0\n3,3\n4,9\n", "line 1: the header is '1,7'"),
        ("ImageId,Label\n1,7\n3,3\n4,9\n", "line 3: id '3' came and '2' was expected. A row is missing"),
        ("ImageId,Label\n1,7\n3,3\n2,0\n4,9\n", "line 3: id '3' came and '2' was expected.*another order"),
        ("ImageId,Label\n1,7\n2,0\n2,0\n4,9\n", "line 4: id '2' came before, in row 2; expected '3'"),
        ("ImageId,Label\n0,7\n1,0\n2,3\n3,9\n", "line 2: '0' is no id of the competition; expected '1'"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n", "ends after line 4: 3 of 4 rows; the next id is '4'"),
        ("ImageId,Label\n", "ends after line 1: 0 of 4 rows"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n5,1\n", "line 6: something follows the last of 4 rows"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n\n", "line 6: something follows"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\nmean of 5 models", "line 6: something follows"),
        ("ImageId,Label\n1,7\n\n2,0\n3,3\n4,9\n", "line 3: an empty line; expected id '2'"),
        ("ImageId,Label\n1,7\n2,0,0.9\n3,3\n4,9\n", "line 3: 3 values; expected id '2' and its label"),
        ("ImageId,Label\n1,7\n2\n3,3\n4,9\n", "line 3: 1 values"),
        ("ImageId,Label\n1,7\n2,10\n3,3\n4,9\n", "line 3: the label is '10'; expected one of 0, 1, 2"),
        ("ImageId,Label\n1,7\n2,-1\n3,3\n4,9\n", "line 3: the label is '-1'"),
        ("ImageId,Label\n1,7\n2,0.0\n3,3\n4,9\n", "line 3: the label is '0.0'"),
        ("ImageId,Label\n1,7\n2,\n3,3\n4,9\n", "line 3: the label is missing"),
        ("ImageId,Label\n1,7\n2, 0\n3,3\n4,9\n", "line 3: the label is ' 0'"),
        (b"\x89PNG\r\n\xff", "not a table in text form"),
    ],
)
def test_check_submission_what_a_judge_would_refuse_is_told_with_its_line(tmp_path, form, content, message):
    path = tmp_path / "submission.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        check_submission(path, form, DIGITS)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_check_submission_missing_file_is_told(tmp_path, form):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        check_submission(tmp_path / "none.csv", form, DIGITS)
