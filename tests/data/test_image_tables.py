"""Tables and data frames that list image files."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from skconv.data.image_tables import load_images, read_labelled_files
from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError


@pytest.fixture
def images(tmp_path, samples):
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(samples.images(3)):
        Image.fromarray(image).save(folder / f"{index}.png")
    return folder


def write_table(folder, text):
    path = folder / "labels.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("table", ["id,label\n2,cat\n0,dog\n", "file,label\n2.png,cat\n0.png,dog\n"])
def test_read_labelled_files_matches_ids_and_images(tmp_path, samples, images, table):
    splits = read_labelled_files(DataSpec(write_table(tmp_path, table), images=images))
    np.testing.assert_array_equal(splits.train_images, samples.images(3)[[2, 0]])
    assert splits.train_labels == ["cat", "dog"]


def test_read_labelled_files_uses_label_column(tmp_path, images):
    for text in (
        "animal,file,colour\ncat,1,red\ndog,2,blue\n",
        "colour,file,animal\nred,1,cat\nblue,2,dog\n",
        "animal,file,label\ncat,1,red\ndog,2,blue\n",
    ):
        with pytest.warns(UserWarning, match="not used"):
            splits = read_labelled_files(DataSpec(write_table(tmp_path, text), images=images, label_column="Animal"))
        assert splits.train_labels == ["cat", "dog"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "0 columns"),
        ("id,label\n", "no rows"),
        ("id,label\n0,cat\n1,\n", "line 3: the label is missing"),
        ("id,label\n0,cat\n,dog\n", "line 3: the id is missing"),
        ("id,label\n0,cat\n1\n", "line 3 has 1 values"),
        ("id,label\n0,cat\n7,dog\n", "1 of the 2 images .* the first is '7'"),
        ("id,label\n0,cat\n../labels.csv,dog\n", "the first is '../labels.csv'"),
        ("id,label\n0,cat\n0,dog\n", "line 3: the image '0' .*'cat'.*'dog'"),
    ],
)
def test_read_labelled_files_rejects_invalid_table(tmp_path, images, table, message):
    with pytest.raises(DataError, match=message):
        read_labelled_files(DataSpec(write_table(tmp_path, table), images=images))


def test_read_labelled_files_rejects_two_images_of_one_id(tmp_path, images):
    Image.new("L", (8, 8)).save(images / "0.bmp")
    with pytest.raises(DataError, match=r"The name '0' fits both 0\.bmp and 0\.png"):
        read_labelled_files(DataSpec(write_table(tmp_path, "id,label\n0,cat\n1,dog\n"), images=images))


def test_read_labelled_files_rejects_missing_folder(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        read_labelled_files(DataSpec(write_table(tmp_path, "id,label\n0,cat\n"), images=tmp_path / "nowhere"))


N = 12
KINDS = ["cat", "dog", "cat"] * 4


@pytest.fixture
def flat(tmp_path, samples):
    """Return a folder with the files im0.png to im11.png, all different."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for index, image in enumerate(samples.images(N)):
        Image.fromarray(image).save(folder / f"im{index}.png")
    return folder


def write_rows(path, rows, header=None, delimiter=",", encoding="utf-8", end="\n"):
    lines = [delimiter.join(map(str, row)) for row in ([header] if header else []) + rows]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def check_labels(dataset, samples, expected=KINDS):
    """Assert that every image has its label, whatever the order."""
    known = {image.tobytes(): label for image, label in zip(samples.images(N), expected, strict=True)}
    assert len(dataset.train_images) == N
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert dataset.class_names[label] == known[image.tobytes()]


NAMES = [f"im{index}.png" for index in range(N)]
ROWS = [[name, kind] for name, kind in zip(NAMES, KINDS, strict=True)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("header", [["id", "label"], None])
def test_any_delimiter_with_and_without_header(tmp_path, samples, flat, delimiter, header, recwarn):
    table = write_rows(tmp_path / "a.txt", ROWS, header, delimiter)
    check_labels(load_dataset(table, images=flat), samples)
    notes = [str(each.message) for each in recwarn]
    assert len(notes) == (header is None) and all("no header" in note for note in notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\r"])
def test_any_encoding_and_line_end(tmp_path, samples, flat, encoding, end):
    rows = [[name, "Käfer" if kind == "cat" else "Öl"] for name, kind in ROWS]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label"], encoding=encoding, end=end)
    if encoding == "latin-1":
        with pytest.warns(UserWarning, match="Windows-1252"):
            dataset = load_dataset(table, images=flat)
    else:
        dataset = load_dataset(table, images=flat)
    check_labels(dataset, samples, ["Käfer" if kind == "cat" else "Öl" for kind in KINDS])


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
    with pytest.raises(DataError, match=r"'0\.png' fits both .*class0/0\.png and .*class1/0\.png"):
        load_dataset(write_rows(tmp_path / "b.csv", [["0.png", "a"], ["1.png", "b"]], ["path", "label"]))


def test_missing_image_is_not_replaced_by_another_of_the_same_name(tmp_path, flat):
    (flat / "cat").mkdir()
    (flat / "dog").mkdir()
    for name in NAMES:
        (flat / name).rename(flat / ("cat" if name != "im0.png" else "dog") / name)
    rows = [[f"cat/{name}", kind] for name, kind in ROWS]
    table = write_rows(tmp_path / "a.csv", rows, ["path", "label"])
    with pytest.raises(DataError, match=r"1 of the 12 images .*'cat/im0\.png'"):
        load_dataset(table, images=flat)


def test_names_in_another_unicode_form_are_found(tmp_path, samples):
    (tmp_path / "images").mkdir()
    for index, image in enumerate(samples.images(N)):
        name = unicodedata.normalize("NFD" if index % 2 else "NFC", f"Käse{index}.png")
        Image.fromarray(image).save(tmp_path / "images" / name)
    rows = [[f"Käse{index}.png", kind] for index, kind in enumerate(KINDS)]
    check_labels(load_dataset(write_rows(tmp_path / "a.csv", rows, ["id", "label"])), samples)


def test_missing_images_are_all_counted_and_can_be_skipped(tmp_path, flat):
    for name in NAMES[:3]:
        (flat / name).unlink()
    table = write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    message = r"3 of the 12 images .* im0\.png, im1\.png, im2\.png.*"
    with pytest.raises(DataError, match=message + "--skip-unreadable"):
        load_dataset(table, images=flat)
    with pytest.warns(UserWarning, match=message):
        assert len(load_dataset(table, images=flat, skip_unreadable=True).train_images) == N - 3


def test_unreadable_image_is_skipped_with_its_label(tmp_path, samples, flat):
    (flat / "im1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    with pytest.warns(UserWarning, match=r"im1\.png"):
        dataset = load_dataset(table, images=flat, skip_unreadable=True)
    assert [dataset.class_names[label] for label in dataset.train_labels] == [KINDS[0], *KINDS[2:]]


def test_images_that_are_not_listed_and_rows_that_repeat_are_counted(tmp_path, flat):
    table = write_rows(tmp_path / "a.csv", [*ROWS[:-2], ROWS[0]], ["id", "label"])
    with pytest.warns(UserWarning) as notes:
        assert len(load_dataset(table, images=flat).train_images) == N - 2
    text = " ".join(str(note.message) for note in notes)
    assert "2 images" in text and "not listed" in text and "1 rows repeat an image" in text


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


def test_split_without_labels_is_left_out_with_a_count(tmp_path, flat):
    rows = [[*row, "train"] for row in ROWS[:9]] + [[name, "", "test"] for name in NAMES[9:]]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label", "split"])
    with pytest.warns(UserWarning, match="3 rows of the test split have no label"):
        assert load_dataset(table, images=flat).test_images is None


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nid;label\n{}",
        "# id,label\n{}",
        '"id","label"\n{}',
        "id,label,\n{}",
        "\n\nid,label\n{}",
        '"id" "label"\n{}',
        "id label\n{}",
        "Labels of 2024,\n\nid,label\n{}",
        "12\nid,label\n{}",
    ],
    ids=[
        "excel",
        "comment",
        "quoted",
        "trailing delimiter",
        "empty lines",
        "R with row names",
        "R without quotes",
        "title",
        "number",
    ],
)
@pytest.mark.filterwarnings("ignore:.*it is a title")
def test_habits_of_other_programs(tmp_path, samples, flat, text):
    head = text.splitlines()
    delimiter = ";" if head[0].startswith("sep") else " " if "id label" in text.replace('"', "") else ","
    quote = '"' if '"' in text else ""
    rows = [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in ROWS]
    if text.startswith("id,label,"):
        rows = [f"{row}," for row in rows]
    if text.startswith('"id" '):
        rows = [f'"{number}" {row}' for number, row in enumerate(rows, 1)]
    table = tmp_path / "a.csv"
    table.write_text(text.format("\n".join(rows)) + "\n")
    check_labels(load_dataset(table, images=flat), samples)


def test_quoted_labels_with_commas_and_line_breaks(tmp_path, samples, flat):
    labels = [f'big, {kind} ""x""' for kind in KINDS]
    table = tmp_path / "a.csv"
    table.write_text("id,label\n" + "".join(f'{name},"{label}"\n' for name, label in zip(NAMES, labels, strict=True)))
    check_labels(load_dataset(table, images=flat), samples, [label.replace('""', '"') for label in labels])


def test_compressed_table(tmp_path, samples, flat):
    import gzip

    table = write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    check_labels(load_dataset(packed, images=flat), samples)


def test_home_folder_in_paths(tmp_path, samples, flat, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_rows(tmp_path / "a.csv", ROWS, ["id", "label"])
    check_labels(load_dataset("~/a.csv", images="~/flat"), samples)


def test_data_frame_of_names_and_paths(tmp_path, samples, flat, monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"file": NAMES, "label": KINDS}).sample(frac=1, random_state=0)
    check_labels(load_dataset(frame, images=flat), samples)
    frame["file"] = [str(flat / name) for name in frame["file"]]
    check_labels(load_dataset(frame), samples)
    frame["file"] = [flat / name for name in NAMES]
    frame["label"] = [float(kind == "cat") for kind in KINDS]
    dataset = load_dataset(frame, label_column="label")
    assert dataset.class_names == ("0", "1") and dataset.name == "data"
    frame.loc[frame.index[0], "label"] = None
    with pytest.raises(DataError, match="label is missing"):
        load_dataset(frame)


@pytest.mark.parametrize("dtype", ["string", "Int64"])
def test_data_frame_with_missing_values_of_pandas(flat, dtype):
    pandas = pytest.importorskip("pandas")
    labels = pandas.array([None, *("01" * N)[1:N]], dtype="string").astype(dtype)
    with pytest.raises(DataError, match="label is missing"):
        load_dataset(pandas.DataFrame({"file": NAMES, "label": labels}), images=flat)


def test_polars_data_frame(samples, flat):
    polars = pytest.importorskip("polars")
    check_labels(load_dataset(polars.DataFrame({"file": NAMES, "label": KINDS}), images=flat), samples)


def test_data_frame_has_a_sentence_for_other_content(flat):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"12 of the 12 images .*--images"):
        load_dataset(pandas.DataFrame({"file": NAMES, "label": KINDS}))
    with pytest.raises(DataError, match="no rows"):
        load_dataset(pandas.DataFrame({"file": [], "label": []}))


def test_load_images_returns_images_in_the_order_of_paths(samples, flat):
    X = load_images([str(flat / name) for name in reversed(NAMES)])
    np.testing.assert_array_equal(X, samples.images(N)[::-1])
    assert load_images([flat / "im0.png"], image_size=(4, 6, 3)).shape == (1, 4, 6, 3)


@pytest.mark.parametrize(
    ("paths", "error", "message"),
    [
        ("im0.png", ParameterError, r"list of files.*\[path\]"),
        ([], DataError, "no paths"),
        (["nowhere/im0.png"], SourceNotFoundError, "nowhere/im0"),
    ],
)
def test_load_images_rejects_other_arguments(paths, error, message):
    with pytest.raises(error, match=message):
        load_images(paths)
    with pytest.raises(ParameterError, match="image_size"):
        load_images(["a.png"], image_size=0)


def test_titles_are_printed_and_rows_are_none(tmp_path, samples, flat):
    table = tmp_path / "a.csv"
    rows = "".join(f"{name},{label}\n" for name, label in ROWS)
    table.write_text(f"Labels of 2024,\nid,label\n{rows}")
    with pytest.warns(UserWarning, match="line 1, 'Labels of 2024', is not used"):
        check_labels(load_dataset(table, images=flat), samples)
    for row in (f"{NAMES[0]},\n", "1,\n"):  # rows without label
        table.write_text(row + rows)
        with pytest.raises(DataError):
            load_dataset(table, images=flat)


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


def test_labels_may_contain_a_delimiter_that_the_header_lacks(tmp_path, samples, flat):
    rows = "".join(f"{name},{label}|x\n" for name, label in ROWS)
    (tmp_path / "a.csv").write_text(f"file,label\n{rows}")
    dataset = load_dataset(tmp_path / "a.csv", images=flat)
    assert {name[-2:] for name in dataset.class_names} == {"|x"}
    np.testing.assert_array_equal(dataset.train_images, samples.images(12))


def test_column_of_splits_with_other_values_is_an_error(tmp_path, flat):
    rows = [[*row, "train" if index % 4 else "unlabelled"] for index, row in enumerate(ROWS)]
    table = write_rows(tmp_path / "a.csv", rows, ["id", "label", "split"])
    with pytest.raises(DataError, match=r"'split' also contains 'unlabelled'; expected train, val or test"):
        load_dataset(table, images=flat)


def test_web_page_instead_of_a_table_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("\n<!DOCTYPE html>\n<html><body>Log in, please</body></html>\n")
    with pytest.raises(DataError, match=r"is a web page, not a table\. Download the file itself"):
        load_dataset(tmp_path / "a.csv")


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


@pytest.mark.filterwarnings("ignore:.*last parts")
@pytest.mark.parametrize("row", ["https://example.org/{}?alt=media&token=1/2,{}", '"{},{}"'], ids=["address", "quoted"])
def test_addresses_with_queries_and_lines_quoted_as_a_whole(tmp_path, samples, flat, row):
    header = '"file,label"' if row.startswith('"') else "file,label"
    (tmp_path / "a.csv").write_text("\n".join([header, *(row.format(*each) for each in ROWS)]))
    check_labels(load_dataset(tmp_path / "a.csv", images=flat), samples)


def test_guessed_encoding_has_an_example(tmp_path, flat):
    text = "file,label\n" + "".join(f"{name},{'кот' if index % 2 else 'лось'}\n" for index, name in enumerate(NAMES))
    (tmp_path / "a.csv").write_bytes(text.encode("cp1251"))
    with pytest.warns(UserWarning, match="read as Windows-1252, with words such as 'ëîñü'"):
        load_dataset(tmp_path / "a.csv", images=flat)


def test_table_whose_last_byte_is_not_utf8(tmp_path, flat):
    rows = [*ROWS[:-1], [NAMES[-1], "caf\xe9"]]
    (tmp_path / "a.csv").write_bytes("\n".join(map(",".join, [["file", "label"], *rows])).encode("cp1252"))
    with pytest.warns(UserWarning, match="read as Windows-1252, with words such as 'caf\xe9'"):
        assert "caf\xe9" in load_dataset(tmp_path / "a.csv", images=flat).class_names
