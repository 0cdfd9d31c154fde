"""Folders that repeat other folders: copies, versions of images, whole data sets."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.folders.layout import find_layout
from skconv.exceptions import DataError

from .layouts import describe


def put(root, folder, *names, seed=0):
    """Write an image per name, by default a.bmp and b.bmp; all have the same size in bytes."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names or ("a.bmp", "b.bmp"):
        pixels = np.random.default_rng([seed, *name.encode()]).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(root / folder / name)


@pytest.mark.parametrize(
    ("outer", "copy", "level"),
    [(".", "data", 1), (".", "data/data", 1), ("archive", "archive/archive", 2), ("train", "train/train", 2)],
)
def test_copy_of_class_folders_is_left_out(tmp_path, outer, copy, level):
    for seed, name in enumerate(("no", "yes")):
        put(tmp_path, f"{outer}/{name}", seed=seed)
        put(tmp_path, f"{copy}/{name}", seed=seed)
    put(tmp_path, f"{outer}/yes", "c.bmp")  # a copy may lack images
    if outer == "train":
        put(tmp_path, "test/no", seed=9)
    layout = find_layout(tmp_path)
    assert describe(layout) == {"train": {"no": 2, "yes": 3}} | ({"test": {"no": 2}} if outer == "train" else {})
    assert f"Left out 4 images in '{copy.split('/')[level - 1]}': they are copies" in "\n".join(layout.notes)


def test_folder_with_the_same_class_folders_but_other_images_is_an_error(tmp_path):
    for seed, folder in enumerate(("no", "yes", "more/no", "more/yes")):
        put(tmp_path, folder, seed=seed)
    message = r"more contains folders with the names .* 'no', 'yes'.*--exclude 'more' .*--class-level -1 .*level 1 if"
    with pytest.raises(DataError, match=message):
        find_layout(tmp_path)
    assert describe(find_layout(tmp_path, ["more"])) == {"train": {"no": 2, "yes": 2}}
    assert describe(find_layout(tmp_path, class_level=-1)) == {"train": {"no": 4, "yes": 4}}
    assert describe(find_layout(tmp_path, class_level=1)) == {"train": {"more": 4, "no": 2, "yes": 2}}


def test_copies_of_splits_are_left_out_and_other_folders_are_listed(tmp_path):
    for folder in ("Train/no", "Train/yes", "train/no", "train/yes", "Test/no", "test/no"):
        put(tmp_path, folder)
    layout = find_layout(tmp_path)
    assert describe(layout) == {"train": {"no": 2, "yes": 2}, "test": {"no": 2}}
    assert "Left out 4 images in 'train': they are copies of the images in 'Train'." in layout.notes
    for folder in ("train/no", "test/no"):
        put(tmp_path, folder, "a.bmp", seed=1)
    with pytest.raises(DataError, match=r"2 folders for the split 'train'.*'train' --exclude 'test', .*level 2 to use"):
        find_layout(tmp_path)
    assert describe(find_layout(tmp_path, class_level=2)) == {"train": {"no": 4, "yes": 4}, "test": {"no": 4}}
    assert describe(find_layout(tmp_path, ["train", "test"])) == {"train": {"no": 2, "yes": 2}, "test": {"no": 2}}


def test_versions_of_the_same_images_are_no_classes(tmp_path):
    for seed, version in enumerate(("color", "grey", "mask")):
        for name in ("rust", "scab"):
            names = [f"{k}{name}_final.bmp" if version == "mask" else f"{k}{name}.bmp" for k in "xyz"]
            put(tmp_path, f"plants/{version}/{name}", *names, seed=seed)
    with pytest.raises(DataError, match=r"versions .* as the source, such as .*color; .*--class-level 2 or 3"):
        find_layout(tmp_path)
    assert describe(find_layout(tmp_path / "plants" / "color")) == {"train": {"rust": 3, "scab": 3}}
    layout = find_layout(tmp_path, class_level=2)
    assert describe(layout) == {"train": {"color": 6, "grey": 6, "mask": 6}} and len(layout.notes) == 1
    layout = find_layout(tmp_path, class_level=3)
    assert describe(layout) == {"train": {"rust": 9, "scab": 9}}
    assert any("12 of 18 training images have the name of another image" in note for note in layout.notes)


def test_the_same_folders_with_other_files_are_classes_with_a_note(tmp_path):
    for number, folder in enumerate(("indoor/day", "indoor/night", "outdoor/day", "outdoor/night")):
        put(tmp_path, folder, f"{number}.bmp", f"{number + 4}.bmp")
    layout = find_layout(tmp_path)
    assert describe(layout) == {"train": {"indoor": 4, "outdoor": 4}}
    assert any("All class folders contain the same folders 'day', 'night'" in note for note in layout.notes)


@pytest.mark.parametrize("name", ["{}.bmp", "frame_{:04}.bmp"])
def test_running_numbers_as_file_names_are_only_noted(tmp_path, name):
    for seed, folder in enumerate(("running/cam1", "running/cam2", "walking/cam1", "walking/cam2")):
        put(tmp_path, folder, *(name.format(number) for number in range(3)), seed=seed)
    layout = find_layout(tmp_path)
    assert describe(layout) == {"train": {"running": 6, "walking": 6}}
    assert any("If they are versions of the same images, pass one of them" in note for note in layout.notes)


def test_few_equal_names_are_no_versions(tmp_path):
    for seed, person in enumerate("abcd"):
        names = ["left.bmp"] if person in "ab" else [f"{person}-{k}.bmp" for k in "xyz"]
        for side in ("left", "right"):
            put(tmp_path, f"{person}/{side}", *names, seed=seed)
    assert describe(find_layout(tmp_path)) == {"train": {"a": 2, "b": 2, "c": 6, "d": 6}}


def test_dots_in_folders_and_files_without_suffix_are_no_versions(tmp_path):
    for folder in ("a/v1.5/x", "a/v1.6/y", "b/v1.5/x", "b/v1.6/y"):
        put(tmp_path, folder, "k.bmp", "l.bmp")
        for number, file in enumerate(sorted((tmp_path / folder).iterdir())):
            file.rename(file.with_name(f"{folder[0]}{folder[5]}{number}"))
    assert len(find_layout(tmp_path, class_level=1).notes) == 1


def test_numbered_classes_with_numbered_folders_are_classes(tmp_path):
    for number in range(5):
        for patient in (1, 2, 3):
            put(tmp_path, f"{number}/{patient}", f"{number}-{patient}.bmp")
    assert describe(find_layout(tmp_path)) == {"train": {str(number): 3 for number in range(5)}}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["cat/train/tabby", "cat/train/persian", "dog/train/pug"], {"train": {"cat": 4, "dog": 2}}),
        (
            ["ill/train/p1", "ill/train/p2", "ill/test/p3", "well/train/p4", "well/train/p5", "well/test/p6"],
            {"train": {"ill": 4, "well": 4}, "test": {"ill": 2, "well": 2}},
        ),
    ],
)
def test_splits_of_groups_in_class_folders_are_splits(tmp_path, folders, expected):
    for folder in folders:
        put(tmp_path, folder)
    assert describe(find_layout(tmp_path)) == expected


@pytest.mark.parametrize("outer", ["", "x/"])
def test_data_sets_without_test_split_are_no_classes(tmp_path, outer):
    for seed, folder in enumerate(("a/train/cat", "a/train/dog", "b/train/cat", "b/train/dog")):
        put(tmp_path, f"{folder[:2]}{outer}{folder[2:]}", f"{seed}.bmp")
    with pytest.raises(DataError, match=r"folder .*a contains the splits 'train': is it a data set"):
        find_layout(tmp_path)


@pytest.mark.parametrize("other", ["fruits_200/fruits/Training/apple", "docs"])
def test_data_set_beside_another_folder_is_no_class(tmp_path, other):
    for folder in ("Training/apple", "Training/pear", "Test/pear"):
        put(tmp_path, f"fruits_100/fruits/{folder}")
    put(tmp_path, other)
    with pytest.raises(DataError, match=r"the splits 'Test', 'Training'.*Pass .*fruits_100/fruits as the source"):
        find_layout(tmp_path)
    assert describe(find_layout(tmp_path / "fruits_100" / "fruits")) == {
        "train": {"apple": 2, "pear": 2},
        "test": {"pear": 2},
    }
    assert describe(find_layout(tmp_path, class_level=1))["train"].keys() == {"fruits_100", other.partition("/")[0]}
