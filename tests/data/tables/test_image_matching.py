"""Names in tables matched to image files."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from skconv.data.loading import load_dataset
from skconv.exceptions import DataError

from .listed_images import KINDS, NAMES, ROWS, N, check_labels, write_rows


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda name: name.removesuffix(".png"),
        lambda name: f"flat/{name}",
        lambda name: f"./flat/{name}",
        lambda name: f"data\\flat\\{name}",
        lambda name: f"C:\\Users\\me\\flat\\{name}",
        lambda name: f"/home/someone/project/flat/{name}",
        lambda name: f"~/flat/{name}",
        lambda name: name.replace(".png", ".jpg"),
    ],
)
def test_names_are_matched_in_any_form(tmp_path, samples, flat, change):
    rows = [[change(name), kind] for name, kind in ROWS]
    for folder in (flat, None, tmp_path):
        table = write_rows(tmp_path / "a.csv", rows, ["path", "label"])
        check_labels(load_dataset(table, images=folder), samples)


def test_paths_of_another_machine_are_printed(tmp_path, flat):
    table = write_rows(tmp_path / "a.csv", [[f"/home/x/{name}", kind] for name, kind in ROWS], ["path", "label"])
    with pytest.warns(UserWarning, match=r"12 of 12 paths .*'/home/x/im0\.png' → im0\.png"):
        load_dataset(table, images=flat)


def test_relative_paths_distinguish_images_of_one_name(tmp_path, samples):
    images = samples.images(N)
    for index in range(N):
        folder = tmp_path / "images" / f"class{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(folder / f"{index // 2}.png")
    rows = [[f"/somewhere/class{i % 2}/{i // 2}.png", i % 2] for i in range(N)]
    table = write_rows(tmp_path / "a.csv", rows, ["path", "label"])
    check_labels(load_dataset(table, images=tmp_path / "images"), samples, [str(i % 2) for i in range(N)])
    with pytest.raises(DataError, match=r"'0\.png' fits both .*class0/0\.png and .*class1/0\.png.*--images"):
        load_dataset(write_rows(tmp_path / "b.csv", [["0.png", "a"], ["1.png", "b"]], ["path", "label"]))


def test_missing_image_is_not_replaced_by_another_of_the_same_name(tmp_path, flat):
    (flat / "cat").mkdir()
    (flat / "dog").mkdir()
    for name in NAMES:
        (flat / name).rename(flat / ("cat" if name != "im0.png" else "dog") / name)
    rows = [[f"cat/{name}", kind] for name, kind in ROWS]
    table = write_rows(tmp_path / "a.csv", rows, ["path", "label"])
    with pytest.raises(DataError, match=r"1 of the 12 images .* missing: cat/im0\.png"):
        load_dataset(table, images=flat)


def test_names_in_another_unicode_form_are_found(tmp_path, samples):
    (tmp_path / "images").mkdir()
    for index, image in enumerate(samples.images(N)):
        name = unicodedata.normalize("NFD" if index % 2 else "NFC", f"Käse{index}.png")
        Image.fromarray(image).save(tmp_path / "images" / name)
    rows = [[f"Käse{index}.png", kind] for index, kind in enumerate(KINDS)]
    check_labels(load_dataset(write_rows(tmp_path / "a.csv", rows, ["id", "label"])), samples)


@pytest.mark.parametrize(
    "change",
    [
        lambda stem: f'"=""{stem}"""',  # Excel, to keep leading zeros
        lambda stem: f"/data/upload/3/1f0c39ab-{stem}.png",  # Label Studio
    ],
)
@pytest.mark.filterwarnings("ignore:.*(last parts|another suffix)")
def test_names_that_programs_change_are_matched(tmp_path, samples, flat, change):
    rows = "".join(f"{change(name.removesuffix('.png'))},{label}\n" for name, label in ROWS)
    (tmp_path / "a.csv").write_text(f"file,label\n{rows}")
    check_labels(load_dataset(tmp_path / "a.csv", images=flat), samples)


def test_numbers_with_decimals_are_matched_and_printed(tmp_path, samples):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(samples.images(4)):
        Image.fromarray(image).save(folder / f"{index:03}.png")
    (tmp_path / "a.csv").write_text("id,label\n2.0,a\n3.0,b\n0.0,a\n1.0,b\n")  # pandas, if an id is missing
    with pytest.warns(UserWarning, match=r"4 of 4 names .* '2\.0' → 002\.png"):
        dataset = load_dataset(tmp_path / "a.csv")
    np.testing.assert_array_equal(dataset.train_images, samples.images(4)[[2, 3, 0, 1]])


@pytest.mark.filterwarnings("ignore:.*last parts")
@pytest.mark.parametrize("row", ["https://example.org/{}?alt=media&token=1/2,{}", '"{},{}"'], ids=["address", "quoted"])
def test_addresses_with_queries_and_lines_quoted_as_a_whole(tmp_path, samples, flat, row):
    header = '"file,label"' if row.startswith('"') else "file,label"
    (tmp_path / "a.csv").write_text("\n".join([header, *(row.format(*each) for each in ROWS)]))
    check_labels(load_dataset(tmp_path / "a.csv", images=flat), samples)


def test_folders_that_differ_in_case_are_distinguished(tmp_path, samples):
    for folder, images in {"Train": samples.images(N), "train": samples.images(N)[::-1]}.items():
        (tmp_path / folder).mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / folder / f"im{index}.png")
    if (tmp_path / "Train").samefile(tmp_path / "train"):
        pytest.skip("the file system ignores the case of names")
    rows = [[f"Train/{name}", kind] for name, kind in ROWS]
    check_labels(load_dataset(write_rows(tmp_path / "a.csv", rows, ["path", "label"])), samples)


@pytest.mark.parametrize("outer", ["../flat/", "..\\flat\\"])
def test_paths_relative_to_the_table(tmp_path, samples, flat, outer):
    (tmp_path / "folds").mkdir()
    rows = [[f"{outer}{name}", kind] for name, kind in ROWS]
    table = write_rows(tmp_path / "folds" / "a.csv", rows, ["path", "label"])
    check_labels(load_dataset(table), samples)
    (tmp_path / "more" / "images").mkdir(parents=True)
    check_labels(load_dataset(table, images=tmp_path / "more" / "images"), samples)
