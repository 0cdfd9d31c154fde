"""Classes and splits of folders in the layouts that users have."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.data.folders.layout import find_layout
from skconv.exceptions import DataError

from .layouts import describe

IMAGE = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))


def put(root: Path, folder: str, *names: str) -> None:
    """Write one image per name, by default a.png and b.png, into a folder."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names or ("a.png", "b.png"):
        IMAGE.save(root / folder / name, "PNG")


AB = {"cat": 2, "dog": 2}
LAYOUTS = {
    "class folders": (["cat", "dog"], {"train": AB}, []),
    "folders around them": (["archive/pets/cat", "archive/pets/dog"], {"train": AB}, ["folders in .*pets"]),
    "train and test": (["train/cat", "train/dog", "test/cat", "test/dog"], {"train": AB, "test": AB}, []),
    "train alone": (["train/cat", "train/dog"], {"train": AB}, ["folders in .*train"]),
    "capitals": (["Train/cat", "Train/dog", "TEST/cat", "TEST/dog"], {"train": AB, "test": AB}, [r"TEST \(test\)"]),
    "training and testing": (["Training/cat", "Training/dog", "testing/cat"], {"train": AB, "test": {"cat": 2}}, []),
    "sets": (
        ["training_set/cat", "training_set/dog", "test-set/cat", "valset/dog"],
        {"train": AB, "valid": {"dog": 2}, "test": {"cat": 2}},
        [r"training_set \(train\), valset \(valid\), test-set \(test\)", "valid split has no images of class 'cat'"],
    ),
    "trainval": (["trainval/cat", "trainval/dog", "test/cat"], {"train": AB, "test": {"cat": 2}}, ["trainval"]),
    "spaces at the end of a name": (
        ["cat", "cat ", "dog"],
        {"train": {"cat": 4, "dog": 2}},
        ["are one class"],
    ),
    "camel case": (["TrainData/cat", "TrainData/dog", "ValidationData/cat"], {"train": AB, "valid": {"cat": 2}}, []),
    "mini": (["train_mini/cat", "train_mini/dog", "val/cat"], {"train": AB, "valid": {"cat": 2}}, ["train_mini"]),
    "taxa": (
        ["animal/bird/owl", "animal/fish/eel", "plant/tree/oak"],
        {"train": {"animal": 4, "plant": 2}},
        ["If the innermost folders are the classes, pass .*--class-level -1"],
    ),
    "dev": (["train/cat", "train/dog", "dev/cat"], {"train": AB, "valid": {"cat": 2}}, []),
    "common prefix, wrapped": (
        ["seg_train/seg_train/cat", "seg_train/seg_train/dog", "seg_test/seg_test/cat", "seg_pred/seg_pred"],
        {"train": AB, "test": {"cat": 2}},
        ["Left out 2 images in 'seg_pred': they are in no split"],
    ),
    "unlabelled test": (
        ["train/cat", "train/dog", "test"],
        {"train": AB},
        ["Left out 2 images in 'test': they are not in class folders"],
    ),
    "unlabelled test in a folder": (
        ["train/cat", "train/dog", "test/unknown"],
        {"train": AB},
        ["Left out 2 images in 'test'"],
    ),
    "splits inside classes": (
        ["cat/train", "cat/test", "dog/train", "dog/test"],
        {"train": AB, "test": AB},
        ["class folders contain folders of the splits train, test"],
    ),
    "class called train": (["bus", "car", "train"], {"train": {"bus": 2, "car": 2, "train": 2}}, []),
    "class called train, with levels": (
        ["bus/old", "car/old", "train/old"],
        {"train": {"bus": 2, "car": 2, "train": 2}},
        ["class folders contain 3 folders with 6 of 6 images"],
    ),
    "classes called train and test tube": (
        ["train", "test tube", "validation stamp"],
        {"train": {"test tube": 2, "train": 2, "validation stamp": 2}},
        [],
    ),
    "deeper levels": (["cat/tabby", "cat", "dog/young/poodle"], {"train": {"cat": 4, "dog": 2}}, ["4 of 6 images"]),
    "classes called test and a number": (["test1", "test2"], {"train": {"test1": 2, "test2": 2}}, []),
    "folders called test and a number": (
        ["test1/good", "test1/bad", "test2/good", "test2/bad"],
        {"train": {"test1": 4, "test2": 4}},
        ["same folders 'bad', 'good'.*--class-level 2"],
    ),
    "numbered splits": (["train2017/cat", "train2017/dog", "val2/cat"], {"train": AB, "valid": {"cat": 2}}, []),
    "numbers in order": (["10", "9", "1"], {"train": {"1": 2, "9": 2, "10": 2}}, []),
    "images beside class folders": (["cat", "dog", "."], {"train": AB}, ["2 images outside the class folders"]),
    "images beside splits": (
        ["train/cat", "train/dog", "test/cat", "test"],
        {"train": AB, "test": {"cat": 2}},
        ["2 images outside the class folders"],
    ),
}


@pytest.mark.parametrize(("folders", "expected", "notes"), LAYOUTS.values(), ids=LAYOUTS)
def test_find_layout_of_folders(tmp_path, folders, expected, notes):
    for folder in folders:
        put(tmp_path, folder)
    layout = find_layout(tmp_path)
    assert describe(layout) == expected
    assert [list(each) for each in describe(layout).values()] == [list(each) for each in expected.values()]
    text = "\n".join(layout.notes)
    for note in notes:
        assert re.search(note, text)
    if not notes and not any(name.lower().startswith(("train", "dev")) for name in folders):
        assert not layout.notes


FOLDS = ["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"]
LEVELS = {
    "classes inside folds": (FOLDS, 2, {"train": {"cat": 4, "dog": 4}}, ["level 2 of .*'cat', 'dog'"]),
    "folds inside classes": (["cat/fold1", "cat/fold2", "dog/fold1"], 1, {"train": {"cat": 4, "dog": 2}}, []),
    "from the files": (["a/x/cat", "b/dog", "cat"], -1, {"train": {"cat": 4, "dog": 2}}, []),
    "above the files": (["cat/p1", "cat/p2", "x/dog/p1"], -2, {"train": {"cat": 4, "dog": 2}}, []),
    "images at another level": ([*FOLDS, "fold1"], 2, {"train": {"cat": 4, "dog": 4}}, ["2 images outside the class"]),
    "outer splits": (
        ["train/p1/cat", "train/p2/dog", "Validation/p3/cat", "test/p4/dog"],
        3,
        {"train": {"cat": 2, "dog": 2}, "valid": {"cat": 2}, "test": {"dog": 2}},
        [r"4 \(train\), 2 \(valid\), 2 \(test\)"],
    ),
    "inner splits": (
        ["cat/train", "cat/test", "dog/train", "dog/train/more"],
        1,
        {"train": {"cat": 2, "dog": 4}, "test": {"cat": 2}},
        [],
    ),
    "numbers without a training split": (["cat/run1", "cat/test2", "dog/dev1"], 1, {"train": {"cat": 4, "dog": 2}}, []),
    "outer numbers": (["test1/cat", "test2/dog"], 2, {"train": AB}, []),
    "numbered splits": (["train1/cat", "train1/dog", "test1/cat"], 2, {"train": AB, "test": {"cat": 2}}, []),
    "class called train": (["x/train", "x/bus", "y/train"], 2, {"train": {"bus": 2, "train": 4}}, []),
}


@pytest.mark.parametrize(("folders", "level", "expected", "notes"), LEVELS.values(), ids=LEVELS)
def test_class_level_selects_the_class_folders(tmp_path, folders, level, expected, notes):
    for folder in folders:
        put(tmp_path, folder)
    layout = find_layout(tmp_path, class_level=level)
    assert describe(layout) == expected
    text = "\n".join(layout.notes)
    assert "--class-level" not in text and all(re.search(note, text) for note in notes)


def test_class_level_notes_folders_of_the_same_name(tmp_path):
    for number, folder in enumerate(["greek/c1", "greek/c2", "latin/c1", "latin/c3"]):
        put(tmp_path, folder)
        for image in (tmp_path / folder).iterdir():
            image.rename(image.with_name(f"{number}{image.name}"))
    notes = "\n".join(find_layout(tmp_path, class_level=-1).notes)
    assert re.search("'c1' has the images of 2 folders, such as .*greek.c1 and .*latin.c1", notes)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (3, "no folder with training images, at level 3; the deepest folder is at level 2"),
        (-3, "no folder with training images, at level -3"),
    ],
)
def test_class_level_without_classes_raises(tmp_path, level, message):
    for folder in FOLDS:
        put(tmp_path, folder)
    with pytest.raises(DataError, match=message):
        find_layout(tmp_path, class_level=level)
    put(tmp_path / "other", "cat/a")
    with pytest.raises(DataError, match="only one folder of training images, 'cat', at level 1"):
        find_layout(tmp_path / "other", class_level=1)
    put(tmp_path / "other", "dog/test")
    with pytest.raises(DataError, match=r"only one .* \(other folders are named after the split test\), at level 1"):
        find_layout(tmp_path / "other", class_level=1)


REFUSED = {
    "class or split": (["train/cat", "train/dog", "bus"], "'train' with class folders beside 'bus': is it a class"),
    "splits without classes": (["train", "test"], "'test', 'train' .*do not contain class folders"),
    "splits of one class": (["train/cat", "test/cat"], "do not contain class folders"),
    "two training splits": (
        ["train/cat", "train/dog", "Training/cat/more", "Training/dog"],
        "2 folders for the split 'train'",
    ),
    "other classes in the test": (["train/cat", "train/dog", "test/x", "test/y"], "None of the folders 'x', 'y'"),
    "no training split": (["test/cat", "test/dog", "data/cat", "data/dog"], "no folder 'train': is it a class or"),
    "test of the only other folder": (["cats_test/cats", "x/cat", "x/dog"], "To train on 'x', pass .*x as the source"),
    "split and class in one name": (
        ["train_cat", "train_dog", "test_cat"],
        "are named after a split and a class. Move",
    ),
    "split and numbered class": (["train_0", "train_1", "test_0", "test_1"], "named after a split and a class. Move"),
    "numbered splits": (["train2017", "val2017"], "do not contain class folders"),
    "one numbered split": (["train", "test1"], "do not contain class folders"),
    "version of a split": (["train-jpg", "test-jpg-v2"], "do not contain class folders"),
    "sizes of splits": (["Train 30x32x32/train", "Test 8x32x32/test"], "do not contain class folders"),
    "images and test images": (["images", "test_images"], "do not contain class folders"),
    "one class": (["cat"], "only one folder of images, 'cat'.* at least two.*add another"),
    "nothing": ([], "no images and no folder per class"),
    "images only": (["."], "2 images, but no folder per class"),
}


@pytest.mark.parametrize(("folders", "message"), REFUSED.values(), ids=REFUSED)
def test_find_layout_refuses_ambiguous_folders(tmp_path, folders, message):
    for folder in folders:
        put(tmp_path, folder)
    with pytest.raises(DataError, match=message):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("images", "labels"), [(["images/train", "images/val"], "labels/train"), ([".", "x"], "Annotations")]
)
def test_find_layout_suggests_crops_for_object_detection(tmp_path, images, labels):
    for folder in images:
        put(tmp_path, folder)
    (tmp_path / labels).mkdir(parents=True)
    (tmp_path / labels / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match="crop the objects first"):
        find_layout(tmp_path)


def test_find_layout_decides_by_exclude(tmp_path):
    for folder in ("train/cat", "train/dog", "Training/cat", "Training/dog"):
        put(tmp_path, folder)
    layout = find_layout(tmp_path, ["Training"])
    assert describe(layout) == {"train": AB} and "Left out 4 files, because of --exclude." in layout.notes


def test_patterns_that_exclude_nothing_are_noted(tmp_path):
    for folder in ("cat", "dog"):
        put(tmp_path, folder)
    layout = find_layout(tmp_path, ["a.png", "dog/a.png", "*_mask.png", "cats/", ""])
    assert "Left out 2 files, because of --exclude." in layout.notes
    assert "These patterns of --exclude have no effect: '*_mask.png', 'cats/'." in layout.notes


def test_find_layout_counts_other_files_in_one_note(tmp_path):
    for folder in ("cat", "dog", "cat/.ipynb_checkpoints", "__MACOSX/cat"):
        put(tmp_path, folder)
    for name in ("cat/labels.csv", "dog/labels.csv", "README.txt", "dog/Thumbs.db", ".DS_Store", "cat/photo.NEF"):
        (tmp_path / name).write_bytes(b"MM\0*" if name.endswith("NEF") else b"text")
    (tmp_path / "docs").mkdir()
    layout = find_layout(tmp_path)
    assert describe(layout) == {"train": AB}
    assert [note.partition(";")[0] for note in layout.notes] == [
        f"Ignored 1 folder without images: {tmp_path.name}/docs.",
        "Not read as images: 10 other files: 6 hidden or system files, 2 .csv, 1 .nef, 1 .txt",
    ]


def test_find_layout_decides_by_content_if_the_suffix_is_unknown(tmp_path):
    put(tmp_path, "cat", "a.png_large", "b")
    put(tmp_path, "dog")
    assert describe(find_layout(tmp_path)) == {"train": AB}


def test_find_layout_merges_unicode_forms_and_escapes_bytes(tmp_path):
    put(tmp_path, "train/caf\u00e9")
    put(tmp_path, "train/" + os.fsdecode(b"th\xe9"))
    put(tmp_path, "test/cafe\u0301")
    assert describe(find_layout(tmp_path)) == {"train": {"caf\u00e9": 2, "th\\xe9": 2}, "test": {"caf\u00e9": 2}}


def test_find_layout_follows_links_but_no_loops(tmp_path):
    put(tmp_path / "elsewhere", "photos")
    root = tmp_path / "data"
    put(root, "dog")
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "photos")
    (root / "dog" / "parent").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    assert describe(find_layout(root)) == {"train": AB}


def test_find_layout_does_not_depend_on_the_order_of_the_file_system(tmp_path, monkeypatch):
    for folder in ("cat", "dog"):
        put(tmp_path, folder, "10.png", "9.png", "B.png", "a.png")
    expected = find_layout(tmp_path).splits["train"].files
    scandir = os.scandir

    class Reversed:
        def __init__(self, folder):
            with scandir(folder) as found:
                self.entries = sorted(found, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert find_layout(tmp_path).splits["train"].files == expected


MASKS = {
    "other suffix": (["cell1.jpg", "cell1.png", "cell2.jpg", "cell2.png"], r"ill/\*\.png"),
    "upper-case suffix": (["1.JPG", "1.bmp", "2.JPG", "2.bmp"], r"\*\.bmp"),
    "ending": (["1.png", "1_mask.png", "2.png", "2_mask.png"], r"\*_mask\*"),
    "several masks": (["a (1).png", "a (1)_mask.png", "a (1)_mask_1.png", "a (2).png", "a (2)_mask.png"], r"\*_mask\*"),
    "own folder": (["images/1.png", "images/2.png", "masks/1.png", "masks/2.png"], r"\*/masks"),
    "own folder and ending": (["images/1.png", "images/2.png", "gt/1_gt.png", "gt/2_gt.png"], r"\*_gt\*|\*/gt"),
}


@pytest.mark.parametrize(("names", "pattern"), MASKS.values(), ids=MASKS)
def test_find_layout_refuses_masks_beside_images(tmp_path, names, pattern):
    put(tmp_path, "healthy", "1.png", "2.png", "3.png")
    for name in names:
        put(tmp_path / "ill", str(Path(name).parent), Path(name).name)
    with pytest.raises(DataError, match=rf"segmentation masks.*--exclude '({pattern})'") as caught:
        find_layout(tmp_path)
    advised = re.findall(r"--exclude '([^']+)'", str(caught.value))
    assert describe(find_layout(tmp_path, advised)) == {"train": {"healthy": 3, "ill": 2}}
    assert describe(find_layout(tmp_path, [""])) == {"train": {"healthy": 3, "ill": len(names)}}


@pytest.mark.parametrize("outer", ["", "train/"])
def test_find_layout_refuses_a_folder_of_masks_as_class(tmp_path, outer):
    for folder in ("images", "masks"):
        put(tmp_path, outer + folder)
    with pytest.raises(DataError, match=r"'masks' seems to contain segmentation masks.*--exclude 'masks'"):
        find_layout(tmp_path)


def test_find_layout_accepts_accidental_pairs_and_masks_as_classes(tmp_path):
    # Scraped photographs: two of nine have the name of another; classes of people with and without masks.
    put(tmp_path, "with_mask", "1.png", "1.jpg", "2.png", "2.jpeg", *(f"{number}.png" for number in range(3, 8)))
    put(tmp_path, "without_mask", "x.png", "y_mask.png", "z.png")
    assert describe(find_layout(tmp_path))["train"] == {"with_mask": 9, "without_mask": 3}


@pytest.mark.parametrize("annotation", ["{}.xml", "{}.txt", "_annotations.coco.json"])
def test_annotations_of_objects_are_explained(tmp_path, samples, annotation):
    (tmp_path / "train").mkdir()
    for number, image in enumerate(samples.images(4)):
        Image.fromarray(image).save(tmp_path / "train" / f"{number}.png")
        (tmp_path / "train" / annotation.format(number)).write_text("0 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match="crop the objects first"):
        find_layout(tmp_path)
