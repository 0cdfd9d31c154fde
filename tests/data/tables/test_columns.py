"""Columns with the names of images, labels and splits."""

import numpy as np
import pytest
from PIL import Image

from skconv.data.loading import load_dataset
from skconv.exceptions import DataError

from .listed_images import KINDS, NAMES, ROWS, N, check_labels, write_rows


@pytest.mark.parametrize(
    ("header", "make_row"),
    [
        (["", "filename", "label"], lambda k, i: [k, f"{i}.png", KINDS[i]]),
        (["Unnamed: 0", "id", "label"], lambda k, i: [k, i, KINDS[i]]),
        (["index", "label", "id"], lambda k, i: [k, KINDS[i], i]),
        (None, lambda k, i: [k, f"{i}.png", KINDS[i]]),
    ],
)
def test_index_column_is_never_a_name(tmp_path, samples, header, make_row):
    for index, image in enumerate(samples.images(N)):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    order = [3, 7, 0, 5, 1, 2, 11, 10, 4, 6, 9, 8]
    table = write_rows(tmp_path / "a.csv", [make_row(k, i) for k, i in enumerate(order)], header)
    check_labels(load_dataset(table), samples)


def test_numbers_as_ids_and_labels(tmp_path, samples):
    for index, image in enumerate(samples.images(N)):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    table = write_rows(tmp_path / "a.csv", [[i % 3, i] for i in range(N)], ["label", "id"])
    check_labels(load_dataset(table), samples, [str(i % 3) for i in range(N)])


@pytest.mark.parametrize(
    ("header", "make_row", "message"),
    [
        (["filename", "width", "class"], lambda i: [f"im{i}.png", 8 + i % 5, KINDS[i]], "labels in 'class'.* 'width'"),
        (["Width", "ClassId", "Path"], lambda i: [8, KINDS[i], f"im{i}.png"], "'Path'; labels in 'ClassId'"),
        (
            ["image", "label_id", "label_name"],
            lambda i: [f"im{i}.png", int(KINDS[i] == "cat"), KINDS[i]],
            "'label_name'; not used: 'label_id'",
        ),
        (["image", "cat", "dog"], lambda i: [f"im{i}", int(KINDS[i] == "cat"), int(KINDS[i] == "dog")], "one-hot"),
        (["image", "cat", "dog"], lambda i: [f"im{i}", 1.0 * (KINDS[i] == "cat"), float(KINDS[i] == "dog")], "one-hot"),
    ],
)
def test_choice_of_columns_is_printed(tmp_path, samples, flat, header, make_row, message):
    table = write_rows(tmp_path / "a.csv", [make_row(i) for i in range(N)], header)
    with pytest.warns(UserWarning, match=message):
        check_labels(load_dataset(table, images=flat), samples)


@pytest.mark.parametrize(
    ("header", "make_row", "option"),
    [
        (["file", "age", "sex"], lambda i: [f"im{i}.png", 30 + i % 3, "mf"[i % 2]], "'age', 'sex'.*--label-column"),
        (["file", "class", "species"], lambda i: [f"im{i}.png", i % 2, i % 3], "'class', 'species'.*--label-column"),
        (["file", "a", "b", "c"], lambda i: [f"im{i}.png", 1, i % 2, 0], "1 to 2 ones per row.*--label-column"),
        (["left", "right", "label"], lambda i: [f"im{i}.png", f"im{N - 1 - i}.png", i % 2], "different images"),
        (["file", "number"], lambda i: [f"im{i}.png", 0.37 * i], "12 different numbers.*--label-column"),
        (["name", "label"], lambda i: [f"other{i}", i % 2], "no image.*--images.*--image-column"),
        (["file"], lambda i: [f"im{i}.png"], "1 column"),
    ],
)
def test_undecided_columns_are_an_error_with_the_option(tmp_path, flat, header, make_row, option):
    table = write_rows(tmp_path / "a.csv", [make_row(i) for i in range(N)], header)
    with pytest.raises(DataError, match=option) as caught:
        load_dataset(table, images=flat)
    assert "\n" not in str(caught.value)


def test_columns_by_name_and_by_number(tmp_path, samples, flat):
    rows = [[f"im{N - 1 - i}.png", f"im{i}.png", i % 2, KINDS[i]] for i in range(N)]
    table = write_rows(tmp_path / "a.csv", rows, ["left", "right", "class", "species"])
    check_labels(load_dataset(table, images=flat, image_column="right", label_column="species"), samples)
    table = write_rows(tmp_path / "b.csv", rows)
    check_labels(load_dataset(table, images=flat, image_column="2", label_column="-1"), samples)
    for options, message in (
        ({"image_column": "middle"}, "no column 'middle'; it has the columns left, .*--image-column"),
        ({"label_column": "5"}, "no header.* 1 to 4"),
        ({"image_column": "2", "label_column": "2"}, "both the image column and the label column"),
    ):
        source = tmp_path / ("a.csv" if "middle" in options.values() else "b.csv")
        with pytest.raises(DataError, match=message):
            load_dataset(source, images=flat, **options)


def test_column_of_splits_is_used(tmp_path, samples, flat):
    splits = ["Train"] * 6 + ["validation"] * 3 + ["test"] * 3
    rows = [[*row, split] for row, split in zip(ROWS, splits, strict=True)]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label", "split"])
    with pytest.warns(UserWarning, match="splits in 'split'"):
        dataset = load_dataset(table, images=flat)
    np.testing.assert_array_equal(dataset.train_images, samples.images(N)[:6])
    np.testing.assert_array_equal(dataset.valid_images, samples.images(N)[6:9])
    np.testing.assert_array_equal(dataset.test_images, samples.images(N)[9:])
    assert [file.name for file in dataset.files] == NAMES


@pytest.mark.parametrize("yes", ["True", "TRUE", "true", "1.0"])
def test_one_hot_columns_may_be_true_and_false(tmp_path, flat, yes):
    no = {"1.0": "0.0"}.get(yes, "False")
    rows = [[name, *(yes if index % 3 == each else no for each in range(3))] for index, name in enumerate(NAMES)]
    table = write_rows(tmp_path / "a.csv", rows, ["file", "c_cat", "c_dog", "c_owl"])
    with pytest.warns(UserWarning, match="one-hot labels in the 3 columns"):
        dataset = load_dataset(table, images=flat)
    assert dataset.class_names == ("c_cat", "c_dog", "c_owl")
    assert dataset.train_labels.tolist() == [index % 3 for index in range(len(NAMES))]


def test_counts_that_are_constant_are_not_one_hot_labels(tmp_path, flat):
    rows = [[name, "1", "0", label] for name, label in ROWS]  # as of VGG Image Annotator
    table = write_rows(tmp_path / "a.csv", rows, ["filename", "region_count", "region_id", "kind"])
    with pytest.warns(UserWarning, match="labels in 'kind'"):
        assert set(load_dataset(table, images=flat).class_names) == {label for _, label in ROWS}


@pytest.mark.parametrize("headers", [["xmin", "ymin", "xmax", "ymax"], ["Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"]])
def test_boxes_are_printed_and_several_per_image_are_to_be_cropped(tmp_path, flat, headers):
    rows = [[*row, "1", "2", "5", "6"] for row in ROWS]
    table = write_rows(tmp_path / "a.csv", rows, ["filename", "class", *headers])
    with pytest.warns(UserWarning, match="bounding boxes are not used"):
        load_dataset(table, images=flat)
    rows += [[name, label + "2", "1", "2", "5", "6"] for name, label in ROWS]
    write_rows(table, rows, ["filename", "class", *headers])
    with (
        pytest.warns(UserWarning),
        pytest.raises(DataError, match=r"11 other images .*\. Crop each box"),
    ):
        load_dataset(table, images=flat)


def test_column_of_splits_with_other_values_is_an_error(tmp_path, flat):
    rows = [[*row, "train" if index % 4 else "unlabelled"] for index, row in enumerate(ROWS)]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label", "split"])
    with pytest.raises(DataError, match=r"'split' also contains 'unlabelled'; expected train, val or test"):
        load_dataset(table, images=flat)


@pytest.mark.parametrize(
    ("header", "flags", "split"),
    [("is_valid", "True,False", "valid"), ("is_test", "1,0", "test"), ("is_train", "0,1", "test")],
)
def test_column_of_true_and_false_is_a_split_by_its_header(tmp_path, samples, flat, header, flags, split):
    yes, no = flags.split(",")
    rows = [[*row, yes if index % 4 == 0 else no] for index, row in enumerate(ROWS)]
    table = write_rows(tmp_path / "a.csv", rows, ["file", "kind", header])
    with pytest.warns(UserWarning, match=f"splits in '{header}'"):
        dataset = load_dataset(table, images=flat)
    np.testing.assert_array_equal(getattr(dataset, f"{split}_images"), samples.images(12)[::4])
    with pytest.warns(UserWarning, match=f"labels in '{header}'; not used: 'kind'"):
        assert len(load_dataset(table, images=flat, label_column=header).train_images) == 12


@pytest.mark.filterwarnings("ignore:.*last parts")
def test_column_of_splits_without_a_header(tmp_path, samples, flat):
    kinds = ["VALIDATION", *["TRAIN"] * 10, "TEST"]
    rows = [[kind, f"gs://bucket/{name}", label] for kind, (name, label) in zip(kinds, ROWS, strict=True)]
    with pytest.warns(UserWarning, match="labels in column 3; splits in column 1; no header"):
        dataset = load_dataset(write_rows(tmp_path / "a.csv", rows), images=flat)
    np.testing.assert_array_equal(dataset.train_images, samples.images(12)[1:-1])
    assert len(dataset.valid_images) == len(dataset.test_images) == 1


def test_column_of_groups_is_no_label(tmp_path, flat):
    rows = [[f"HAM_{i // 2}", name, KINDS[i]] for i, name in enumerate(NAMES)]
    table = write_rows(tmp_path / "a.csv", rows, ["lesion_id", "image_id", "dx"])
    with pytest.warns(UserWarning, match=r"labels in 'dx'; groups in 'lesion_id'\.$"):
        dataset = load_dataset(table, images=flat)
    assert dataset.class_names == ("cat", "dog") and dataset.groups.origin == "the column 'lesion_id'"
    assert dataset.groups.encode(dataset.list_names()).tolist() == [i // 2 for i in range(N)]


def test_column_of_groups_without_a_group_of_the_images_is_not_used(tmp_path, flat):
    rows = [["", name, KINDS[i]] for i, name in enumerate(NAMES)]
    rows += [["7", f"missing{i}.png", "cat"] for i in range(2)]
    table = write_rows(tmp_path / "a.csv", rows, ["lesion_id", "image_id", "dx"])
    with pytest.warns(UserWarning, match="rows without image are left out"):
        assert load_dataset(table, images=flat, skip_unreadable=True).groups is None
    with pytest.raises(DataError, match="no image has a group"):
        load_dataset(table, images=flat, skip_unreadable=True, groups="lesion_id")


def test_column_that_may_be_the_label_is_not_taken_as_groups(tmp_path, flat):
    rows = [[name, KINDS[i], f"https://a/{i}"] for i, name in enumerate(NAMES)]
    dataset = load_dataset(write_rows(tmp_path / "a.csv", rows, ["image", "animal", "url"]), images=flat)
    assert dataset.class_names == ("cat", "dog") and dataset.groups is None
    ages = [[name, str(i % 3), str(20 + i % 4)] for i, name in enumerate(NAMES)]
    with pytest.raises(DataError, match="several columns that may be the label: 'group', 'age'"):
        load_dataset(write_rows(tmp_path / "b.csv", ages, ["image", "group", "age"]), images=flat)


def test_names_in_one_folder_are_not_series(tmp_path, samples):
    rows = [[f"a{kind}_{i}.png", str(kind % 2)] for kind in range(6) for i in range(4)]
    for (name, _), image in zip(rows, samples.images(24), strict=True):
        Image.fromarray(image).save(tmp_path / name)
    assert load_dataset(write_rows(tmp_path / "labels.csv", rows, ["file", "label"])).groups is None


def test_column_of_groups_may_be_the_label(tmp_path, flat):
    table = write_rows(tmp_path / "a.csv", [[name, KINDS[i]] for i, name in enumerate(NAMES)], ["file", "subject"])
    dataset = load_dataset(table, images=flat)
    assert dataset.class_names == ("cat", "dog") and dataset.groups is None


def test_groups_are_those_of_the_option(tmp_path, flat):
    rows = [[f"HAM_{i // 2}", name, KINDS[i], f"ward {i % 3}"] for i, name in enumerate(NAMES)]
    table = write_rows(tmp_path / "a.csv", rows, ["lesion_id", "image_id", "dx", "ward"])
    assert load_dataset(table, images=flat, label_column="dx", groups="Ward").groups.origin == "the column 'ward'"
    assert load_dataset(table, images=flat, label_column="dx", groups="none").groups is None
    with pytest.raises(DataError, match="'dx' is the column of groups, and also of images, labels or splits"):
        load_dataset(table, images=flat, label_column="dx", groups="dx")
    with pytest.raises(DataError, match=r"no column 'patient'.*--groups"):
        load_dataset(table, images=flat, groups="patient")


def test_column_of_groups_by_option_is_no_label(tmp_path, flat):
    rows = [[name, KINDS[i], f"ward {i % 3}"] for i, name in enumerate(NAMES)]
    table = write_rows(tmp_path / "a.csv", rows, ["image_id", "a", "b"])
    assert load_dataset(table, images=flat, groups="b").class_names == ("cat", "dog")


def test_images_without_a_group_are_noted(tmp_path, flat):
    rows = [[name, KINDS[i], f"w{i % 3}" if i < 9 else " "] for i, name in enumerate(NAMES)]
    table = write_rows(tmp_path / "a.csv", rows)
    with pytest.warns(UserWarning, match=r"has 3 images without a group, by column 3;.*im9\.png"):
        groups = load_dataset(table, images=flat, groups="3").groups
    assert set(groups.by_name.values()) == {"w0", "w1", "w2"}
    table = write_rows(tmp_path / "b.csv", [[*row[:2], ""] for row in rows], ["file", "label", "ward"])
    with pytest.raises(DataError, match=r"no image has a group, by the column 'ward'.*Correct --groups"):
        load_dataset(table, images=flat, groups="ward")


def test_no_groups_is_not_the_name_of_a_column(tmp_path, flat):
    rows = [[name, ["none", "some"][i % 2]] for i, name in enumerate(NAMES)]
    assert len(load_dataset(write_rows(tmp_path / "a.csv", rows), images=flat, groups="none").train_labels) == N


def test_groups_with_an_image_in_common_are_one_group(tmp_path, flat):
    rows = [[name, KINDS[i], f"p{i % 4}"] for i, name in enumerate(NAMES)]
    repeated = [[NAMES[0], KINDS[0], "p1"], [NAMES[2], KINDS[2], "p1"], [NAMES[3], KINDS[3], ""]]
    table = write_rows(tmp_path / "a.csv", rows + repeated, ["file", "label", "patient"])
    dataset = load_dataset(table, images=flat)
    assert dataset.groups.encode(dataset.list_names()).tolist() == [0, 0, 0, 1] * 3
