"""Folders of images, with class folders or a CSV of labels."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.folders.class_folders import read_class_folders
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, SourceNotFoundError


def test_read_class_folders_uses_folder_names_as_labels(tmp_path, samples):
    splits = read_class_folders(DataSpec(samples.class_folders(tmp_path / "a", "cat", "dog")))
    np.testing.assert_array_equal(splits.train_images, np.concatenate([samples.images(2)] * 2))
    assert splits.train_labels == ["cat", "cat", "dog", "dog"]
    assert splits.test_images is None


def test_read_class_folders_reads_train_and_test(tmp_path, samples):
    samples.class_folders(tmp_path / "train", "a", "b")
    samples.class_folders(tmp_path / "test", "a", "b", n=1)
    splits = read_class_folders(DataSpec(tmp_path))
    assert splits.train_images.shape == (4, 8, 8) and splits.test_images.shape == (2, 8, 8)
    assert splits.test_labels == ["a", "b"]


def test_read_class_folders_converts_all_to_colour_if_one_is(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "cat", "dog")
    Image.new("RGB", (8, 8), "red").save(folder / "dog" / "red.png")
    images = read_class_folders(DataSpec(folder)).train_images
    assert images.shape == (5, 8, 8, 3)
    assert images[-1, 0, 0].tolist() == [255, 0, 0]
    np.testing.assert_array_equal(images[0, :, :, 1], samples.images(1)[0])


def test_read_class_folders_skips_system_files(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "cat", "dog")
    for name in (".DS_Store", "cat/.DS_Store", "dog/Thumbs.db", "notes.txt", "cat/notes.txt"):
        (folder / name).write_bytes(b"x")
    with pytest.warns(UserWarning, match="Not read as images: 5 other files: 3 hidden or system files, 2 .txt"):
        assert len(read_class_folders(DataSpec(folder)).train_images) == 4


def test_read_class_folders_rejects_folders_without_classes(tmp_path, samples):
    with pytest.raises(DataError, match="no folder per class"):
        read_class_folders(DataSpec(tmp_path))
    folder = samples.class_folders(tmp_path / "a", "cat")
    (folder / "dog").mkdir()
    (folder / "dog" / "scan.dcm").write_bytes(b"DICM")
    with pytest.raises(DataError, match=r"only one folder of images, 'cat'; 'dog' has no .*files: 1 \.dcm"):
        read_class_folders(DataSpec(folder))


def test_read_class_folders_reads_validation_split(tmp_path, samples):
    for split, n in (("train", 3), ("val", 2), ("test", 1)):
        samples.class_folders(tmp_path / split, "a", "b", n=n)
    with pytest.warns(UserWarning, match="training images contain 4 of the 4 validation images"):
        splits = read_class_folders(DataSpec(tmp_path))
    dataset = splits.to_dataset("ab", str(tmp_path))
    assert [len(each) for each in (dataset.train_images, dataset.valid_images, dataset.test_images)] == [6, 4, 2]
    assert dataset.valid_labels.tolist() == [0, 0, 1, 1] and dataset.test_labels.tolist() == [0, 1]
    names = [f"{file.parent.parent.name}/{file.parent.name}/{file.name}" for file in dataset.files]
    assert names[5:] == ["train/b/2.png", "val/a/0.png", "val/a/1.png", "val/b/0.png", "val/b/1.png", "test/a/0.png",
                         "test/b/0.png"]  # fmt: skip


def test_read_class_folders_counts_copies_between_splits(tmp_path, samples):
    samples.class_folders(tmp_path / "train", "a", "b", n=9)
    for name in ("a", "b"):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.fromarray(samples.images(12)[-1]).save(tmp_path / "test" / name / "new.png")
    Image.fromarray(samples.images(3)[2]).save(tmp_path / "test" / "b" / "copy.png")
    with pytest.warns(UserWarning, match="training images contain 1 of the 3 test images"):
        read_class_folders(DataSpec(tmp_path))


def test_read_class_folders_leaves_out_classes(tmp_path, samples):
    samples.class_folders(tmp_path, "a", "b", "c", n=5)
    samples.class_folders(tmp_path, "rare", n=1)
    (tmp_path / "c" / "0.png").write_bytes(b"broken")  # not read
    with pytest.warns(UserWarning) as caught:
        splits = read_class_folders(DataSpec(tmp_path, min_class_size=2, drop_class="c"))
    assert splits.train_labels == ["a"] * 5 + ["b"] * 5
    notes = [str(each.message) for each in caught]
    assert "The class 'rare' (1 image) is left out, because --min-class-size is 2." in notes
    assert "The class 'c' (5 images) is left out, because of --drop-class." in notes


def test_read_class_folders_names_option_for_a_class_without_training_images(tmp_path, samples):
    samples.class_folders(tmp_path / "train", "a", "b")
    samples.class_folders(tmp_path / "test", "a", "b", "new")
    with pytest.raises(DataError, match=r"class 'new' has .* no training images.*--drop-class 'new'"):
        read_class_folders(DataSpec(tmp_path))
    with pytest.warns(UserWarning, match="training images contain .* test images"):
        assert read_class_folders(DataSpec(tmp_path, drop_class=["new"])).test_labels == ["a", "a", "b", "b"]


def test_a_split_of_dropped_classes_is_ignored_with_a_note(tmp_path, samples):
    samples.class_folders(tmp_path / "train", "a", "b", "c")
    samples.class_folders(tmp_path / "test", "c")
    with pytest.warns(UserWarning, match="the test split has no image of the remaining classes"):
        assert read_class_folders(DataSpec(tmp_path, drop_class="c")).test_images is None


def test_read_class_folders_rejects_unknown_or_too_many_dropped_classes(tmp_path, samples):
    samples.class_folders(tmp_path, "a", "b", n=5)
    with pytest.raises(DataError, match="no class 'dog' to drop; its classes are a, b"):
        read_class_folders(DataSpec(tmp_path, drop_class=["dog"]))
    with pytest.raises(DataError, match="2 classes, of which 1 remain"), pytest.warns(UserWarning, match="'a'"):
        read_class_folders(DataSpec(tmp_path, drop_class=["a"]))


def test_read_class_folders_caches_large_folder_and_detects_broken_image(tmp_path, samples, cache):
    folder = samples.class_folders(tmp_path / "a", "cat", "dog", n=500)
    first = read_class_folders(DataSpec(folder))
    second = read_class_folders(DataSpec(folder))
    assert isinstance(second.train_images, np.memmap) and not isinstance(first.train_images, np.memmap)
    np.testing.assert_array_equal(second.train_images, first.train_images)
    by_name = [int(name) for name in sorted(map(str, range(500)))]
    np.testing.assert_array_equal(second.train_images[500:], samples.images(500)[by_name])
    assert second.train_labels == first.train_labels
    with (folder / "dog" / "7.png").open("r+b") as stream:
        stream.truncate(50)
    with pytest.raises(DataError, match=r"7\.png is truncated"):
        read_class_folders(DataSpec(folder))


def test_read_class_folders_rejects_link_to_itself(tmp_path, samples):
    folder = samples.class_folders(tmp_path / "a", "cat", "dog")
    (folder / "cat" / "loop.png").symlink_to("loop.png")
    with pytest.raises(SourceNotFoundError, match=r"loop\.png cannot be read.* Pass --skip-unreadable"):
        read_class_folders(DataSpec(folder))


def test_read_class_folders_finds_groups_of_images(tmp_path, samples):
    images = samples.images(24)
    for number, image in enumerate(images):
        folder = tmp_path / f"p{number // 6}" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number // 4}_{number}.png")
    with pytest.warns(UserWarning, match="level 2"):
        splits = read_class_folders(DataSpec(tmp_path, class_level=2))
    assert set(splits.groups.by_name.values()) == {"p0", "p1", "p2", "p3"}
    assert read_class_folders(DataSpec(tmp_path, label_pattern=r"_\d*(\d)")).groups is None


def test_read_class_folders_finds_groups_by_the_option(tmp_path, samples):
    for number, image in enumerate(samples.images(24)):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"x{number // 4}_eye_{number}.png")
    assert read_class_folders(DataSpec(tmp_path)).groups is not None
    assert read_class_folders(DataSpec(tmp_path, groups="none")).groups is None
    assert set(read_class_folders(DataSpec(tmp_path, groups="(eye)")).groups.by_name.values()) == {"eye"}
    with pytest.warns(UserWarning, match=r"4 images without a group, by the pattern 'x\(\[1-9\]\)'"):
        splits = read_class_folders(DataSpec(tmp_path, groups="x([1-9])"))
    assert len(splits.groups.by_name) == 20 and set(splits.groups.by_name.values()) == set("12345")
    with pytest.raises(DataError, match=r"no image has a group, by the pattern '\(q\)'.*Correct --groups"):
        read_class_folders(DataSpec(tmp_path, groups="(q)"))


@pytest.mark.parametrize(("names", "count"), [(("tabby", "persian"), 1), (("patient1", "patient2"), 0)])
def test_inner_folders_are_advised_as_classes_once_and_not_if_named_after_groups(tmp_path, samples, names, count):
    for split in ("train", "val"):
        samples.class_folders(tmp_path / split / "cat", *names[: 1 if split == "val" else 2])
        samples.class_folders(tmp_path / split / "dog", f"{names[0]}3")
    with pytest.warns(UserWarning) as caught:
        read_class_folders(DataSpec(tmp_path))
    assert sum("innermost folders" in str(each.message) for each in caught) == count


@pytest.mark.parametrize(("names", "count"), [(("tabby", "persian"), 1), (("patient1", "patient2"), 0)])
def test_equal_inner_folders_are_advised_as_classes_unless_named_after_groups(tmp_path, samples, names, count):
    for label in ("cat", "dog"):
        samples.class_folders(tmp_path / label, *names)
    with pytest.warns(UserWarning) as caught:
        read_class_folders(DataSpec(tmp_path))
    assert sum("contain the same folders" in str(each.message) and "pass class_level" in str(each.message)
               for each in caught) == count  # fmt: skip
