"""`skconv.read` with the bundled model."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.predict import predict
from skconv.commands.read import draw_reading, read
from skconv.digits.ocr.readings import DigitReading, NumberReading
from skconv.exceptions import DataError, OutputError, ParameterError, SourceNotFoundError


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Folder of three images of numbers drawn from MNIST digits, and their texts."""
    folder = tmp_path_factory.mktemp("numbers")
    mnist = skconv.load_dataset("mnist")
    texts = {}
    for name, chosen in {"a": [3, 2, 1], "b": [0, 4], "c": [1]}.items():
        row = np.concatenate([np.pad(mnist.test_images[index], 4) for index in chosen], axis=1)
        paper = 250 - (row.repeat(3, axis=0).repeat(3, axis=1) * 0.9).astype(np.uint8)
        Image.fromarray(np.pad(paper, 20, constant_values=250)).save(folder / f"{name}.png")
        texts[name] = "".join(str(mnist.test_labels[index]) for index in chosen)
    return folder, texts


def test_read_returns_readings_in_order_of_inputs(numbers):
    folder, texts = numbers
    result = read(folder)
    assert [each.text for each in result.readings] == list(texts.values())
    assert [each.input for each in result.readings] == [str(folder / f"{name}.png") for name in texts]
    assert result.text.split("\n") == list(texts.values())
    assert all(each.confidence > 0.5 for each in result.readings)


def test_predict_suggests_read_for_background_image_with_several_digits(numbers, recwarn):
    folder, texts = numbers
    assert predict("digits", folder / "c.png").predictions[0].label == texts["c"] and not recwarn.list
    assert predict("digits", folder / "b.png").predictions[0].label == "nothing"
    (note,) = recwarn.list
    assert "2 digits" in str(note.message) and "skconv read" in str(note.message)


def test_read_array_equals_file(numbers):
    folder, _ = numbers
    pixels = np.asarray(Image.open(folder / "a.png"))
    from_file, from_array = read(folder / "a.png").readings[0], read(pixels).readings[0]
    assert from_array.input == "image 1"
    assert (from_array.text, from_array.digits) == (from_file.text, from_file.digits)


def test_read_json_has_documented_keys(numbers):
    folder, _ = numbers
    record = json.loads(json.dumps(read(folder / "b.png").to_json()))
    assert set(record) == {"readings"}
    reading = record["readings"][0]
    assert {"input", "text", "confidence", "digits"} <= set(reading)
    assert {"label", "confidence", "box"} <= set(reading["digits"][0])
    left, top, right, bottom = reading["digits"][0]["box"]
    assert 0 <= left < right <= 256 and 0 <= top < bottom <= 148


def test_read_boxes_contain_all_ink_from_left_to_right(numbers):
    folder, _ = numbers
    pixels = np.asarray(Image.open(folder / "a.png"))
    boxes = [digit.box for digit in read(folder / "a.png").readings[0].digits]
    assert boxes == sorted(boxes)
    for left, top, right, bottom in boxes:
        assert pixels[top:bottom, left:right].min() < 100
    outside = pixels.copy()
    for left, top, right, bottom in boxes:
        outside[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = 255
    assert outside.min() > 200


def test_read_masks_digits_below_min_confidence(numbers):
    folder, texts = numbers
    reading = read(folder / "a.png", min_confidence=1.0).readings[0]
    assert reading.text == "?" * len(texts["a"])
    assert [digit.alternatives[0].label for digit in reading.digits] == list(texts["a"])
    assert "? at (" in str(reading)


def test_read_blank_image_is_empty():
    reading = read(np.full((80, 200), 240, np.uint8)).readings[0]
    assert reading.text == "" and reading.digits == ()
    assert "nothing to read" in str(reading)


def test_read_writes_csv(numbers, tmp_path):
    folder, texts = numbers
    result = read(folder, out=tmp_path / "numbers.csv")
    with (tmp_path / "numbers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == list(texts.values())
    assert str(result) == f"Wrote the readings of 3 images to {tmp_path / 'numbers.csv'}."


def test_read_annotates_one_image_as_file_and_several_in_folder(numbers, tmp_path):
    folder, _ = numbers
    read(folder / "a.png", annotate=tmp_path / "boxes.png")
    with Image.open(tmp_path / "boxes.png") as drawn:
        assert drawn.mode == "RGB"
    read(folder, annotate=tmp_path / "boxes")
    assert sorted(path.name for path in (tmp_path / "boxes").iterdir()) == ["1-a.png", "2-b.png", "3-c.png"]


def test_read_annotates_repeated_input_twice(numbers, tmp_path):
    file = numbers[0] / "a.png"
    read([file, file], annotate=tmp_path / "boxes")
    assert sorted(path.name for path in (tmp_path / "boxes").iterdir()) == ["1-a.png", "2-a.png"]


def test_read_refuses_one_figure_for_several_images(numbers, tmp_path):
    with pytest.raises(OutputError, match="Pass a folder"):
        read(numbers[0], annotate=tmp_path / "boxes.png")
    assert not list(tmp_path.iterdir())


def test_read_refuses_to_overwrite_input_with_figure(numbers):
    file = numbers[0] / "a.png"
    before = file.read_bytes()
    with pytest.raises(OutputError, match="overwritten"):
        read(file, annotate=file)
    assert file.read_bytes() == before


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    """Image of a form of 2 × 4 cells; the first cell contains a 1."""
    image = np.full((140, 250), 235, np.uint8)
    image[20:121:50, 20:221] = image[20:121, 20:221:50] = 100
    image[30:60, 44:48] = 20
    path = tmp_path_factory.mktemp("forms") / "form.png"
    Image.fromarray(image).save(path)
    return path


def test_read_notes_grid_and_keeps_layout(form, tmp_path):
    with pytest.warns(
        UserWarning, match=r"form\.png contains a grid of 2 × 4 cells, 7 of them empty\. .* layout lines"
    ):
        result = read(form, annotate=tmp_path / "boxes.png", out=tmp_path / "out.csv")
    (grid,) = result.readings[0].grids
    assert grid.texts == [["1", None, None, None], [None] * 4]
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert next(csv.DictReader(stream))["text"] == "1...\n...."


def test_read_counts_grids_among_several_images(form, numbers):
    with pytest.warns(UserWarning, match=r"Of the other images, 1 of 3 contain a grid") as notes:
        result = read([form, numbers[0] / "a.png", form, numbers[0] / "b.png"])
    assert len(notes) == 1
    assert [len(each.grids) for each in result.readings] == [1, 0, 1, 0]


def test_read_layout_decides_without_a_note(form, numbers, recwarn):
    assert read(form, layout="grid").readings[0].grids
    assert not read(form, layout="lines").readings[0].grids
    assert not recwarn.list
    with pytest.raises(DataError, match=r"a\.png contains no ruled grid"):
        read(numbers[0] / "a.png", layout="grid")
    with pytest.raises(ParameterError, match="layout"):
        read(form, layout="table")


def make_reading(*digits):
    """Return a reading of digits, each given as label, confidence and box."""
    crop = np.zeros((28, 28), np.uint8)
    return NumberReading("image", "", 0.5, tuple(DigitReading(*digit, (), crop) for digit in digits))


@pytest.mark.parametrize("shape", [(1, 1), (30, 200), (3000, 40), (1200, 2000, 3)])
def test_draw_reading_limits_size(shape):
    drawn = draw_reading(np.full(shape, 255, np.uint8), make_reading(("8", 0.5, (0, 0, shape[1], shape[0]))))
    assert drawn.mode == "RGB" and drawn.width <= 1600 and drawn.height <= 1700 and max(drawn.size) >= 640


def test_draw_reading_colours_depend_on_confidence():
    paper = np.full((100, 640), 255, np.uint8)
    reading = make_reading(("1", 0.99, (50, 20, 100, 80)), ("2", 0.6, (200, 20, 260, 80)))
    drawn = np.asarray(draw_reading(paper, reading))
    strip = len(drawn) - 100
    blue, orange = drawn[strip + 50, 50], drawn[strip + 50, 200]
    assert blue[2] > blue[0] and orange[0] > orange[2]
    assert (drawn[strip + 50, 75] == 255).all()  # the inside is unchanged


def test_draw_reading_without_digits_leaves_image_unchanged():
    drawn = np.asarray(draw_reading(np.full((100, 640), 200, np.uint8), make_reading()))
    assert (drawn[-100:] == 200).all()


@pytest.mark.parametrize(
    ("images", "error"),
    [
        ([], DataError),
        ([3], ParameterError),
        (3, ParameterError),
        ("missing.png", SourceNotFoundError),
        (np.zeros((4, 4)), DataError),
    ],
)
def test_read_rejects_invalid_input(images, error):
    with pytest.raises(error):
        read(images)


def test_read_reports_error_for_broken_images_and_reads_others(numbers, tmp_path):
    folder, texts = numbers
    (tmp_path / "empty.png").touch()
    images = [folder / "a.png", tmp_path / "empty.png", np.zeros((4, 4)), folder / "b.png"]
    with pytest.warns(UserWarning, match=r"2 of 4 images could not be read\. The first error: .*empty\.png is empty"):
        result = read(images, out=tmp_path / "out.csv", annotate=tmp_path / "boxes")
    assert [each.text for each in result.readings] == [texts["a"], "", "", texts["b"]]
    assert result.n_broken == 2 and result.drawn.startswith("Drew the digits of 2 images")
    records = result.to_json()["readings"]
    assert ["error" in each for each in records] == [False, True, True, False]
    assert "empty.png: error: " in str(result.readings[1])
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [row["error"] for row in csv.DictReader(stream)] == [each.get("error", "") for each in records]


def test_read_rejects_min_confidence_above_one(numbers):
    with pytest.raises(ParameterError, match="min_confidence"):
        read(numbers[0], min_confidence=2)


def test_read_rejects_model_without_digit_classes(saved_model, numbers):
    with pytest.raises(DataError, match="digits"):
        read(numbers[0], model=saved_model)
