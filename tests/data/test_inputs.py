"""Images to predict, from files and folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.competitions.folder import read_form
from skconv.data.inputs import load_inputs
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.images.spec import ImageSpec


def load(paths, channels=1, **options):
    return load_inputs(paths, ImageSpec(8, 8, channels), **options)


def test_table_without_images_names_what_predict_accepts(tmp_path):
    (tmp_path / "list.csv").write_text("id,species\n1,rose\n2,tulip\n")
    with pytest.raises(DataError, match=r"lists no image of the folder .*to predict, pass the images or their folder"):
        load_inputs([tmp_path / "list.csv"], ImageSpec(8, 8, 3))


def test_load_inputs_reads_subfolders_in_order(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "in", "b", "a")
    names, images, notes = load([folder])
    assert names == [str(folder / name) for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png")]
    np.testing.assert_array_equal(images, np.concatenate([samples.images(2)] * 2))
    assert notes == []


def test_load_inputs_ignores_links_to_folders(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "in", "a")
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    assert len(load(folder)[0]) == 2


@pytest.mark.parametrize("label", [True, False])
def test_load_inputs_reads_csv_with_and_without_labels(tmp_path, samples, label):
    path = samples.csv(tmp_path / "test.csv", label=label)
    names, images, _ = load(str(path))
    assert names == [f"{path}#{row}" for row in range(6)]
    np.testing.assert_array_equal(images, np.random.default_rng(0).integers(0, 256, (6, 64)).reshape(6, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(26, 26), (12, 10)])
@pytest.mark.parametrize("label", [True, False])
def test_load_inputs_csv_uses_size_of_model(tmp_path, samples, height, width, label):
    # 676 columns are 26×26, or a label and 15×15 in colour; 120 are not a square.
    path = samples.csv(tmp_path / "test.csv", n_pixels=height * width, header=False, label=label)
    _, images, notes = load_inputs(path, ImageSpec(height, width, 1))
    expected = np.random.default_rng(0).integers(0, 256, (6, height * width)).reshape(6, height, width)
    np.testing.assert_array_equal(images, expected)
    assert notes == []


def test_load_inputs_reads_test_split_of_npz(tmp_path, samples):
    np.savez(tmp_path / "a.npz", train_x=samples.images(6), train_y=np.arange(6), test_x=samples.images(2))
    names, images, _ = load(tmp_path / "a.npz")
    assert len(names) == 2
    np.testing.assert_array_equal(images, samples.images(2))


@pytest.mark.parametrize("name", ["kaggle-digits", "identify-the-apparels"])
def test_load_inputs_reads_test_images_of_competition(make_competition, name):
    folder = make_competition(name)
    form = read_form(DataSpec(folder))
    names, images, notes = load(folder)
    assert names == [f"{folder}#{each}" for each in form.ids]
    np.testing.assert_array_equal(images, form.images)
    assert notes == []


def test_load_inputs_returns_notes_on_conversions(tmp_path, samples):
    Image.new("RGB", (300, 200), "navy").save(tmp_path / "a.png")
    Image.new("L", (9, 9)).save(tmp_path / "b.png")
    (tmp_path / "notes.txt").write_text("x")
    _, images, notes = load([tmp_path])
    assert images.shape == (2, 8, 8)
    assert f"2 images were resized to 8×8; the first is {tmp_path / 'a.png'} (300×200)." in notes
    assert f"1 image was converted to grey: {tmp_path / 'a.png'}." in notes
    assert f"1 file was skipped as not an image: {tmp_path / 'notes.txt'}." in notes


def test_note_has_the_size_of_the_file_not_of_the_decoded_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter turn
    Image.new("RGB", (800, 600), "navy").save(tmp_path / "a.jpg", exif=exif)
    assert load_inputs(tmp_path / "a.jpg", ImageSpec(16, 16, 3, resize="pad"))[2] == [
        f"1 image was resized to 16×16: {tmp_path / 'a.jpg'} (600×800)."
    ]


@pytest.mark.parametrize("option", [{"image_size": 16}, {"label_column": "label"}])
def test_options_of_tables_are_refused_if_all_inputs_are_image_files(tmp_path, samples, option):
    folder = samples.class_folders(tmp_path / "in", "a")
    with pytest.raises(ParameterError, match=f"{next(iter(option))}.* tables .*8×8"):
        load([folder], **option)
    with pytest.raises(SourceNotFoundError, match=r"missing\.csv"):
        load([tmp_path / "missing.csv"], **option)
    table = samples.csv(tmp_path / "a.csv")
    assert len(load([folder, table], label_column="label")[1]) == 8


def test_load_inputs_converts_grey_to_colour(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "in", "a")
    _, images, notes = load([folder, samples.csv(tmp_path / "a.csv")], channels=3)
    assert any("8 images were converted to colour" in each for each in notes)
    assert images.shape == (8, 8, 8, 3)
    np.testing.assert_array_equal(images[1, :, :, 2], samples.images(2)[1])


def test_load_inputs_rejects_unreadable_paths(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"nothing\.png"):
        load([tmp_path / "nothing.png"])
    with pytest.raises(SourceNotFoundError, match=r"nothing\.csv"):
        load([tmp_path / "nothing.csv"])
    with pytest.raises(DataError, match="no images"):
        load([tmp_path])
    np.save(tmp_path / "X.npy", np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"no images .*Pass the file .*X\.npy"):
        load([tmp_path])
    with pytest.raises(DataError, match="no images to predict"):
        load([])
    (tmp_path / "fake.png").write_text("no")
    with pytest.raises(DataError, match=r"fake\.png is not an image"):
        load([tmp_path])


def test_load_inputs_collects_the_errors_of_several_unreadable_files(tmp_path, samples):
    Image.fromarray(samples.images(1)[0]).save(tmp_path / "a.png")
    for name in ("b.png", "c.zip"):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
    errors = {}
    paths = [tmp_path / name for name in ("b.png", "a.png", "c.zip", "missing.png")]
    names, images, _ = load_inputs(paths, ImageSpec(8, 8, 1), errors=errors)
    assert len(names) == 4 and len(images) == 1
    assert {position: type(error).__name__ for position, error in errors.items()} == {
        0: "UnreadableImageError", 2: "UnreadableImageError", 3: "SourceNotFoundError",
    }  # fmt: skip
    assert all(Path(names[position]).name in str(error) for position, error in errors.items())
