"""Competition folders: reading, and checking of submissions line by line."""

import numpy as np
import pytest
from PIL import Image

from skconv.competitions.folder import is_competition, read_competition, read_form, read_submission
from skconv.competitions.submissions import load_submission_form
from skconv.data.dataset import SubmissionForm
from skconv.data.inputs import load_inputs
from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.spec import ImageSpec

NAMES = ["kaggle-digits", "identify-the-apparels"]


@pytest.fixture
def form():
    ids = ("1", "2", "3", "4")
    return SubmissionForm(("ImageId", "Label"), ids, np.zeros((4, 8, 8), np.uint8), tuple("0123456789"))


def change_line(path, number, change):
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", NAMES)
def test_read_competition_with_answers_has_a_test_split(make_competition, name):
    splits, form = read_competition(DataSpec(make_competition(name)))
    assert splits.test_images is form.images
    assert len(splits.test_labels) == len(form.ids) == {"kaggle-digits": 40, "identify-the-apparels": 30}[name]
    assert form.class_labels == tuple("0123456789")


@pytest.mark.parametrize("name", NAMES)
def test_read_competition_without_answers_has_none(make_competition, name):
    folder = make_competition(name)
    (folder / "answers.csv").unlink()
    splits, form = read_competition(DataSpec(folder))
    assert splits.test_images is None and splits.test_labels is None
    assert form.images.shape[1:] == (8, 8)


@pytest.mark.parametrize("name", NAMES)
def test_read_form_equals_form_of_read_competition(make_competition, name):
    folder = make_competition(name)
    _, whole = read_competition(DataSpec(folder))
    form = read_form(DataSpec(folder))
    assert (form.header, form.ids, form.class_labels) == (whole.header, whole.ids, whole.class_labels)
    np.testing.assert_array_equal(form.images, whole.images)


@pytest.mark.parametrize(
    ("name", "header", "first"),
    [("kaggle-digits", ("ImageId", "Label"), "1"), ("identify-the-apparels", ("id", "label"), "71")],
)
def test_read_form_without_a_sample_is_the_same(make_competition, name, header, first):
    folder = make_competition(name)
    with_sample = read_form(DataSpec(folder))
    (folder / "sample_submission.csv").unlink()
    form = read_form(DataSpec(folder))
    assert (form.header, form.ids) == (with_sample.header, with_sample.ids)
    assert form.header == header and form.ids[0] == first


def test_read_form_uses_order_of_sample_submission(make_competition):
    folder = make_competition("identify-the-apparels")
    before = read_form(DataSpec(folder))
    ids = ["Id,Class", *(f"{name}," for name in reversed(before.ids))]
    (folder / "sample_submission.csv").write_text("\n".join(ids))
    (folder / "answers.csv").unlink()
    form = read_form(DataSpec(folder))
    assert form.header == ("Id", "Class") and form.ids == before.ids[::-1]
    np.testing.assert_array_equal(form.images, before.images[::-1])


def test_read_form_accepts_numbers_from_0(make_competition):
    folder = make_competition("kaggle-digits")
    (folder / "sample_submission.csv").write_text("\n".join(["id,label", *(f"{row},0" for row in range(40))]))
    assert read_form(DataSpec(folder)).ids[:2] == ("0", "1")


def test_read_competition_converts_all_to_colour_if_one_is(make_competition):
    folder = make_competition("identify-the-apparels")
    Image.new("RGB", (8, 8), "navy").save(folder / "test" / "71.png")
    splits, form = read_competition(DataSpec(folder))
    assert splits.train_images.shape[1:] == form.images.shape[1:] == (8, 8, 3)


def test_read_competition_image_size_is_shape_of_rows(tmp_path, samples):
    samples.csv(tmp_path / "train.csv", n_pixels=50)
    samples.csv(tmp_path / "test.csv", n_pixels=50, label=False)
    splits, form = read_competition(DataSpec(tmp_path, image_size=(5, 10)))
    assert splits.train_images.shape == form.images.shape == (6, 5, 10)


@pytest.mark.parametrize(
    ("file", "number", "change", "message"),
    [
        ("train.csv", 4, lambda line: line[:20], r"train\.csv, line 4 has \d+ values"),
        ("train.csv", 4, lambda line: line[1:], r"train\.csv, line 4: the label is missing"),
        ("test.csv", 4, lambda line: line + ",0", r"test\.csv, line 4 has 65 values"),
        ("test.csv", 4, lambda _: ",".join(["999"] * 64), r"test\.csv, line 4, column 1: '999'"),
        (
            "sample_submission.csv",
            4,
            lambda _: "500,0",
            r"sample_submission\.csv, line 4: the id is '500'; expected '3'",
        ),
        ("sample_submission.csv", 4, lambda _: "", r"sample_submission\.csv has 39 rows, .*test\.csv has 40"),
        ("answers.csv", 4, lambda _: "3,x", r"answers\.csv, line 4: the label is 'x'"),
        ("answers.csv", 4, lambda _: "3", r"answers\.csv, line 4: 1 value"),
    ],
)
def test_read_competition_rejects_invalid_line_of_pixels(make_competition, file, number, change, message):
    folder = make_competition("kaggle-digits")
    change_line(folder / file, number, change)
    with pytest.raises(DataError, match=message) as caught:
        read_competition(DataSpec(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "number", "change", "message"),
    [
        ("train.csv", 4, lambda _: "3", r"train\.csv, line 4 has 1 value,"),
        ("train.csv", 4, lambda _: "3,", r"train\.csv, line 4: the label is missing"),
        ("train.csv", 4, lambda _: "999,1", "train lacks 1 of the 70 images .*; missing: 999"),
        ("test.csv", 4, lambda _: "999", "test lacks 1 of the 30 images .*; missing: 999"),
        ("test.csv", 4, lambda _: "71", r"test\.csv, line 4: duplicate id '71'"),
        ("test.csv", 1, lambda _: "a,b,c", r"test\.csv, line 2 has 1 value, but the first line has 3"),
        ("sample_submission.csv", 4, lambda _: "999,0", r"sample_submission\.csv, line 4: the id '999' is not in "),
        ("sample_submission.csv", 4, lambda _: ",0", r"sample_submission\.csv, line 4: the id is missing"),
    ],
)
def test_read_competition_rejects_invalid_line_of_ids(make_competition, file, number, change, message):
    folder = make_competition("identify-the-apparels")
    change_line(folder / file, number, change)
    with pytest.raises(DataError, match=message) as caught:
        read_competition(DataSpec(folder))
    assert "\n" not in str(caught.value)


def test_read_competition_rejects_missing_rows_or_images(make_competition, tmp_path):
    folder = make_competition("identify-the-apparels")
    (folder / "test.csv").write_text("id\n")
    with pytest.raises(DataError, match=r"test\.csv .*no rows"):
        read_competition(DataSpec(folder))
    (folder / "test.csv").write_text("id\n71\n")
    (folder / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceNotFoundError, match=r"folder .*test does not exist.* train\.csv as .*--images"):
        read_competition(DataSpec(folder))


def test_read_competition_rejects_labels_in_test(make_competition):
    folder = make_competition("kaggle-digits")
    (folder / "test.csv").write_bytes((folder / "train.csv").read_bytes())
    with pytest.raises(DataError, match=r"test\.csv has a label column"):
        read_competition(DataSpec(folder))


def test_labels_of_listed_test_images_are_not_used_with_a_note(make_competition):
    folder = make_competition("identify-the-apparels")
    ids = (folder / "test.csv").read_text().split()[1:]
    (folder / "test.csv").write_text("id,label\n" + "".join(f"{name},{int(name) % 3}\n" for name in ids))
    with pytest.warns(UserWarning, match=r"test\.csv: not used: 'label'.*skconv evaluate"):
        assert list(read_competition(DataSpec(folder))[1].ids) == ids
    (folder / "sample_submission.csv").unlink()
    (folder / "test.csv").write_text("size,image,label\n" + "".join(f"8,{name},{int(name) % 3}\n" for name in ids))
    with pytest.warns(UserWarning, match=r"not used: 'label'"):
        form = read_form(DataSpec(folder))
    assert form.header == ("image", "label") and list(form.ids) == ids


def test_is_competition_rejects_other_folders(make_competition, tmp_path, samples):
    folder = make_competition("kaggle-digits")
    assert is_competition(folder) and not is_competition(tmp_path / "missing")
    samples.class_folders(folder / "train", "a", "b")
    assert not is_competition(folder)  # class folders
    others = samples.class_folders(tmp_path / "others", "a", "b")
    for file in ("train.csv", "test.csv"):
        (others / file).write_text("id,label\n1,a\n")
    assert not is_competition(others)
    (others / "sample_submission.csv").write_text("id,label\n1,a\n")
    assert is_competition(others)
    (others / "sample_submission.csv").unlink()
    (others / "train.csv").write_text((folder / "train.csv").read_text())
    assert is_competition(others)  # folders of figures beside tables of pixels
    (make_competition("identify-the-apparels") / "test.csv").unlink()
    assert not is_competition(tmp_path / "identify-the-apparels")


def test_folders_of_images_and_results_are_no_class_folders(tmp_path, samples):
    for file in ("train.csv", "test.csv"):
        (tmp_path / file).write_text("id,label\n1,a\n")
    samples.class_folders(tmp_path, "train_images", "test_images", "images")
    samples.class_folders(tmp_path / "runs", "a")
    samples.class_folders(tmp_path / "notebooks", "figures")
    assert is_competition(tmp_path)


@pytest.mark.data
def test_read_competition_rejects_truncated_kaggle_file(data_home, tmp_path):
    (tmp_path / "train.csv").symlink_to(data_home / "kaggle-digit-recognizer" / "train_head_1538lines.csv")
    (tmp_path / "test.csv").write_text(",".join(f"pixel{index}" for index in range(784)) + "\n" + "0," * 783 + "0\n")
    with pytest.raises(DataError, match=r"train\.csv, line 1539 has 314 values, but the first line has 785"):
        read_competition(DataSpec(tmp_path))


@pytest.mark.data
def test_read_form_accepts_ids_of_organisers(data_home, make_competition):
    # Their file has nothing after the comma.
    folder = make_competition("identify-the-apparels")
    ids = (data_home / "identify-the-apparels" / "test_ids_template.csv").read_text().splitlines()[:31]
    (folder / "sample_submission.csv").write_text("\n".join(ids))
    (folder / "test.csv").write_text("\n".join(ids))
    for old, new in zip(range(71, 101), range(60001, 60031), strict=True):
        (folder / "test" / f"{old}.png").rename(folder / "test" / f"{new}.png")
    form = read_form(DataSpec(folder))
    assert form.header == ("id", "label") and form.ids[-1] == "60030"


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
def test_read_submission_accepts_dialects(tmp_path, form, rewrite):
    path = tmp_path / "submission.csv"
    path.write_bytes(rewrite("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n").encode())
    assert read_submission(path, form) == ["7", "0", "3", "9"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header is missing; expected 'ImageId,Label'"),
        ("id,label\n1,7\n2,0\n3,3\n4,9\n", "line 1: the header is 'id,label'; expected 'ImageId,Label'"),
        ("1,7\n2,0\n3,3\n4,9\n", "line 1: the header is '1,7'"),
        ("ImageId,Label\n1,7\n3,3\n4,9\n", "line 3: the id is '3'; expected '2'. A row is missing"),
        ("ImageId,Label\n1,7\n3,3\n2,0\n4,9\n", "line 3: the id is '3'; expected '2'.*order"),
        ("ImageId,Label\n1,7\n2,0\n2,0\n4,9\n", "line 4: id '2' is a duplicate of row 2; expected '3'"),
        ("ImageId,Label\n0,7\n1,0\n2,3\n3,9\n", "line 2: '0' is not an id .*; expected '1'"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n", "ends after line 4, with 3 of 4 rows; the next id is '4'"),
        ("ImageId,Label\n", "ends after line 1, with 0 of 4 rows"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n5,1\n", "line 6: .*after the last of 4 rows"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\n\n", "line 6: .*after the last"),
        ("ImageId,Label\n1,7\n2,0\n3,3\n4,9\nmean of 5 models", "line 6: .*after the last"),
        ("ImageId,Label\n1,7\n\n2,0\n3,3\n4,9\n", "line 3: an empty line; expected id '2'"),
        ("ImageId,Label\n1,7\n2,0,0.9\n3,3\n4,9\n", "line 3: 3 values; expected id '2' and its label"),
        ("ImageId,Label\n1,7\n2\n3,3\n4,9\n", "line 3: 1 value"),
        ("ImageId,Label\n1,7\n2,10\n3,3\n4,9\n", "line 3: the label is '10'; expected one of 0, 1, 2"),
        ("ImageId,Label\n1,7\n2,-1\n3,3\n4,9\n", "line 3: the label is '-1'"),
        ("ImageId,Label\n1,7\n2,0.0\n3,3\n4,9\n", "line 3: the label is '0.0'"),
        ("ImageId,Label\n1,7\n2,\n3,3\n4,9\n", "line 3: the label is missing"),
        ("ImageId,Label\n1,7\n2, 0\n3,3\n4,9\n", "line 3: the label is ' 0'"),
        (b"\x89PNG\r\n\xff", "not a text file"),
    ],
)
def test_read_submission_error_has_line_number(tmp_path, form, content, message):
    path = tmp_path / "submission.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_submission(path, form)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_read_submission_rejects_missing_file(tmp_path, form):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_submission(tmp_path / "none.csv", form)


@pytest.fixture
def photos(tmp_path):
    """Make a competition with images of 40×20 pixels, white except for a black left third; three ids have labels."""
    photo = np.full((20, 40), 255, np.uint8)
    photo[:, :13] = 0
    for name, ids in (("train", range(1, 4)), ("test", range(4, 6))):
        (tmp_path / name).mkdir()
        for each in ids:
            Image.fromarray(photo).save(tmp_path / name / f"{each}.png")
    (tmp_path / "train.csv").write_text("id,label\n1,a\n2,b\n3,a\n")
    (tmp_path / "test.csv").write_text("id\n4\n5\n")
    return tmp_path


@pytest.mark.parametrize("resize", [None, "pad", "crop", "stretch"])
def test_images_are_resized_by_the_recorded_rule(photos, resize):
    photo = Image.open(photos / "train" / "1.png")
    data = load_dataset(photos, image_size=16, resize=resize)
    expected = ImageSpec(16, 16, 1, resize=resize or "pad").preprocess(np.asarray(photo))
    assert data.resize == (resize or "pad")
    for images in (data.train_images, data.submission.images):
        np.testing.assert_array_equal(images, np.stack([expected] * len(images)))


def test_images_to_predict_are_resized_as_for_training(photos):
    spec = ImageSpec(16, 16, 1, resize="crop")
    expected = load_dataset(photos, image_size=16, resize="crop").submission.images
    with pytest.warns(UserWarning, match="test images of .* are resized to 16×16"):
        _, images, _ = load_inputs(photos, spec)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(load_submission_form(photos, spec)[0].images, expected)


def test_images_are_preprocessed_as_requested(photos):
    data = load_dataset(photos, normalize="digit")
    assert data.preprocessing == "digit" and data.resize is None
    assert data.image_shape == data.submission.images.shape[1:] == (28, 28)


def test_excluded_images_are_missing(photos):
    (photos / "train" / "bad").mkdir()
    with pytest.raises(DataError, match="lacks 1 of the 3 images"), pytest.warns(UserWarning, match="left out 2 files"):
        load_dataset(photos, exclude=["bad", "3.png"])


@pytest.mark.parametrize("size", [None, (5, 10)])
def test_rows_to_predict_may_not_be_square(tmp_path, samples, size):
    samples.csv(tmp_path / "train.csv", n_pixels=50)
    samples.csv(tmp_path / "test.csv", n_pixels=50, label=False)
    for model in (ImageSpec(5, 10, 1), ImageSpec(28, 28, 1)) if size else (ImageSpec(5, 10, 1),):
        form, _ = load_submission_form(tmp_path, model, size)
        assert form.images.shape == (6, *model.shape)
        np.testing.assert_array_equal(load_inputs(tmp_path, model, image_size=size)[1], form.images)


def test_labels_of_a_submission_are_those_of_the_remaining_classes(make_competition):
    folder = make_competition("kaggle-digits")
    (folder / "answers.csv").unlink()
    with pytest.warns(UserWarning, match="The class '3'"):
        data = load_dataset(folder, drop_class="3")
    assert data.submission.class_labels == data.class_names == tuple("012456789")
    assert len(data.submission.images) == 40
