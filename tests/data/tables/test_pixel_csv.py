"""CSV files of pixels, valid and invalid."""

import csv

import numpy as np
import pytest

from skconv.data.loading import load_dataset
from skconv.data.tables.pixel_csv import read_pixel_csv
from skconv.exceptions import DataError


def replace_line(path, number, change):
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")


def expected_pixels(path, n_pixels=64):
    with path.open() as stream:
        rows = [row for row in csv.reader(stream) if not row[-1].startswith("pixel")]
    return np.array([row[-n_pixels:] for row in rows]).astype(np.uint8)


@pytest.mark.parametrize("header", [True, False])
def test_read_pixel_csv_equals_csv_module(tmp_path, samples, header):
    path = samples.csv(tmp_path / "a.csv", 1500, header=header)
    table = read_pixel_csv(path)
    np.testing.assert_array_equal(table.pixels, expected_pixels(path))
    assert table.labels == [str(index % 3) for index in range(1500)]


@pytest.mark.parametrize("header", [True, False])
def test_read_pixel_csv_without_labels(tmp_path, samples, header):
    path = samples.csv(tmp_path / "test.csv", header=header, label=False)
    table = read_pixel_csv(path, need_labels=False)
    assert table.labels is None
    np.testing.assert_array_equal(table.pixels, expected_pixels(path))
    with pytest.raises(DataError, match="64 columns, but no label"):
        read_pixel_csv(path)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()),
        lambda text: "".join(
            line if line.startswith("label") else line[0] + line[1:].replace(",", ".0,").replace(".0,", ",", 1)
            for line in text.splitlines(keepends=True)
        ),
    ],
    ids=["semicolons", "tabs", "windows", "byte-order-mark", "no-last-newline", "blank-lines", "quotes", "floats"],
)
def test_read_pixel_csv_accepts_dialects(tmp_path, samples, rewrite):
    path = samples.csv(tmp_path / "a.csv")
    expected = read_pixel_csv(path)
    path.write_bytes(rewrite(path.read_text()).encode())
    table = read_pixel_csv(path)
    np.testing.assert_array_equal(table.pixels, expected.pixels)
    assert table.labels == expected.labels


def test_read_pixel_csv_accepts_any_label_column_and_row_numbers(tmp_path):
    path = tmp_path / "a.csv"
    names = ["id", *(f"p{index}" for index in range(9)), "kind"]
    rows = [[700 + row, *range(row, row + 9), word] for row, word in enumerate(["cat", "dog"])]
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    table = read_pixel_csv(path, "kind")
    assert table.labels == ["cat", "dog"]
    assert table.pixels.tolist() == [list(range(9)), list(range(1, 10))]


def test_read_pixel_csv_detects_header_of_numbers(tmp_path, samples):
    path = samples.csv(tmp_path / "a.csv")
    replace_line(path, 1, lambda _: ",".join(["label", *map(str, range(64))]))
    assert len(read_pixel_csv(path).pixels) == 6


def test_read_pixel_csv_accepts_words_as_labels_without_header(tmp_path, samples):
    path = samples.csv(tmp_path / "a.csv", header=False)
    for number in range(1, 7):
        replace_line(path, number, lambda line: "cat" + line[1:])
    assert set(read_pixel_csv(path).labels) == {"cat"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda line: line.rpartition(",")[0],
            r"line 4 has 64 values, but the first line has 65\. .*truncated",
        ),
        (lambda line: line[:1], "line 4 has 1 value,"),
        (lambda line: line + ",0", "line 4 has 66 values"),
        (lambda line: line[:2] + "abc" + line[line.index(",", 2) :], "line 4, column 2: 'abc' is not a pixel"),
        (lambda line: line.rpartition(",")[0] + ",256", "line 4, column 65: '256'"),
        (lambda line: line.rpartition(",")[0] + ",-1", "line 4, column 65: '-1'"),
        (lambda line: line.rpartition(",")[0] + ",2.5", "line 4, column 65: '2.5'"),
        (lambda line: line.rpartition(",")[0] + ",nan", "line 4, column 65: 'nan'"),
        (lambda line: line.rpartition(",")[0] + ",", "line 4, column 65: ''"),
        (lambda line: line[1:], "line 4: the label is missing"),
    ],
)
def test_read_pixel_csv_error_has_line_number(tmp_path, samples, change, message):
    path = samples.csv(tmp_path / "a.csv")
    replace_line(path, 4, change)
    with pytest.raises(DataError, match=message) as caught:
        read_pixel_csv(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"label,pixel0\n", "too few for a label and pixels.*--images"),
        (b"label," + b",".join(b"pixel%d" % index for index in range(64)) + b"\n", "a header but no rows"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is one image"),
        (b"x" * 200_000, "not a text file"),
    ],
)
def test_read_pixel_csv_rejects_other_files(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pixel_csv(path)


def test_read_pixel_csv_rejects_unknown_label_column(tmp_path, samples):
    with pytest.raises(DataError, match=r"no column 'digit'; .*first are label, pixel0"):
        read_pixel_csv(samples.csv(tmp_path / "a.csv"), "digit")
    with pytest.raises(DataError, match="no header"):
        read_pixel_csv(samples.csv(tmp_path / "b.csv", header=False), "digit")


@pytest.mark.data
def test_read_pixel_csv_rejects_truncated_kaggle_file(data_home, tmp_path):
    whole = next((data_home / "kaggle-digit-recognizer").glob("*.csv"))
    with pytest.raises(DataError, match="line 1539 has 314 values, but the first line has 785"):
        read_pixel_csv(whole)
    complete = tmp_path / "train.csv"
    complete.write_text("".join(whole.read_text().splitlines(keepends=True)[:-1]))
    table = read_pixel_csv(complete)
    assert table.pixels.shape == (1537, 784)
    assert set(table.labels) == set("0123456789")


def make_rows(n=40, n_pixels=64, first=(), last=()):
    """Return rows of random pixels between the cells that `first` and `last` compute from the row number."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, n_pixels))
    return [[*(f(i) for f in first), *row, *(f(i) for f in last)] for i, row in enumerate(pixels.tolist())]


def write_cells(path, rows, header=None, delimiter=","):
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in ([header] if header else []) + rows))
    return path


def label_of(row):
    return row % 4


NUMBERED = [f"p{index}" for index in range(64)]
COUNTED = [str(index) for index in range(64)]


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ([*NUMBERED, "target"], [], [label_of]),
        ([*NUMBERED, "what"], [], [label_of]),
        ([*COUNTED, "target"], [], [label_of]),
        (["what", *COUNTED], [label_of], []),
        (["", *NUMBERED, "species"], [lambda row: row], [label_of]),
        (["Unnamed: 0", "label", *NUMBERED], [lambda row: row + 5, label_of], []),
        ([*[f"{r}x{c}" for r in range(8) for c in range(8)], "class"], [], [label_of]),
        (["id", "width", "Class", *NUMBERED], [lambda row: row, lambda row: 8, label_of], []),
        (["file", "label", *NUMBERED], [lambda row: f"im{row}.png", label_of], []),
        ([*NUMBERED[:5], "label", *NUMBERED[5:]], None, None),
        (None, [label_of], []),
        (None, [], [label_of]),
        (None, [lambda row: row, label_of], []),
        (None, [lambda row: row], [label_of]),
        (None, [], [lambda row: float(label_of(row))]),
        ([*COUNTED, "64"], [label_of], []),
    ],
)
def test_read_pixel_csv_finds_label_and_pixels(tmp_path, header, first, last):
    rows = make_rows(first=first or [], last=last or [])
    if first is None:  # in the middle
        rows = [[*row[:5], label_of(i), *row[5:]] for i, row in enumerate(rows)]
    table = read_pixel_csv(write_cells(tmp_path / "a.csv", rows, header))
    assert table.labels == [str(label_of(row)) for row in range(40)]
    assert table.pixels.tolist() == make_rows()


def test_read_pixel_csv_scores_all_rows_of_a_sorted_table(tmp_path):
    rows = [[row // 300, *[0] * 63, row % 2 if row < 600 else 7] for row in range(1200)]
    rows[5][30] = 255
    with pytest.warns(UserWarning, match="labels in column 1"):
        assert set(read_pixel_csv(write_cells(tmp_path / "a.csv", rows)).labels) == set("0123")


def test_read_pixel_csv_requires_label_column_if_first_and_last_may_be_labels(tmp_path):
    rows = make_rows(n_pixels=63, first=[label_of], last=[lambda row: row % 2])
    path = write_cells(tmp_path / "a.csv", rows)
    with pytest.raises(DataError, match=r"column 1 or column 65.* 1 or -1.*--label-column"):
        read_pixel_csv(path)
    for column, expected in (("1", 4), ("-1", 2), ("65", 2)):
        assert len(set(read_pixel_csv(path, column).labels)) == expected


@pytest.mark.parametrize(
    ("header", "first"),
    [(["a", "b", *NUMBERED], [label_of, label_of]), (["class", "species", *NUMBERED], [label_of] * 2)],
)
def test_read_pixel_csv_requires_label_column_among_several(tmp_path, header, first):
    with pytest.raises(DataError, match=r"several columns .*'(a|class)'.*--label-column"):
        read_pixel_csv(write_cells(tmp_path / "a.csv", make_rows(first=first), header))


def test_read_pixel_csv_lists_columns_that_are_not_used(tmp_path):
    rows = make_rows(first=[lambda row: row, lambda row: "x", label_of])
    with pytest.warns(UserWarning, match="labels in 'digit'; 64 columns of pixels; not used: 'id', 'writer'"):
        read_pixel_csv(write_cells(tmp_path / "a.csv", rows, ["id", "writer", "digit", *NUMBERED]))


@pytest.mark.parametrize("quote", ['"{}"', "{}"])
def test_read_pixel_csv_reads_pixels_in_one_cell(tmp_path, quote):
    pixels = make_rows(9)
    usage = ["Training"] * 6 + ["PublicTest", "PrivateTest", "PrivateTest"]
    rows = [[i % 3, quote.format(" ".join(map(str, row))), usage[i]] for i, row in enumerate(pixels)]
    with pytest.warns(UserWarning, match="labels in 'emotion'; pixels as text in 'pixels'; splits in 'Usage'"):
        table = read_pixel_csv(write_cells(tmp_path / "a.csv", rows, ["emotion", "pixels", "Usage"]))
    assert table.pixels.tolist() == pixels
    assert table.splits == ["train"] * 6 + ["valid", "test", "test"]
    dataset = load_dataset(tmp_path / "a.csv")
    assert [len(images) for images in (dataset.train_images, dataset.valid_images, dataset.test_images)] == [6, 1, 2]


def test_read_pixel_csv_reads_lists_of_pixels(tmp_path):
    rows = [[f'"{row}"', i % 3] for i, row in enumerate(make_rows(9))]
    assert read_pixel_csv(write_cells(tmp_path / "a.csv", rows, ["image", "label"])).pixels.tolist() == make_rows(9)


@pytest.mark.parametrize(
    ("write", "delimiter"),
    [
        (lambda value: value / 255, ","),
        (lambda value: f"{value / 255:.6f}".replace(".", ","), ";"),
        (lambda value: f'"{value / 255:.6f}"'.replace(".", ","), ","),
        (lambda value: value / 127.5 - 1, "\t"),
        (lambda value: f"{value:.18e}", " "),
        (lambda value: f"  {value}", " "),
    ],
    ids=["fractions", "decimal comma", "quoted decimal comma", "-1..1", "savetxt", "several spaces"],
)
def test_read_pixel_csv_reads_numbers_in_any_form(tmp_path, write, delimiter):
    pixels = make_rows(1500)
    pixels[7][:2] = [0, 255]
    rows = [[label_of(i), *map(write, row)] for i, row in enumerate(pixels)]
    table = read_pixel_csv(write_cells(tmp_path / "a.txt", rows, delimiter=delimiter))
    assert table.pixels.tolist() == pixels
    assert table.labels[:5] == ["0", "1", "2", "3", "0"]


def test_read_pixel_csv_fraction_out_of_range_has_line_number(tmp_path):
    rows = [[label_of(i), *(value / 255 for value in row)] for i, row in enumerate(make_rows())]
    rows[8][3] = 7.5
    with pytest.raises(DataError, match=r"line 9, column 4: '7\.5'"):
        read_pixel_csv(write_cells(tmp_path / "a.csv", rows))


def test_read_pixel_csv_keeps_labels_with_delimiters_and_quotes(tmp_path):
    rows = make_rows(first=[lambda row: '"cat, big"' if row % 2 else '"dog ""x"""'])
    table = read_pixel_csv(write_cells(tmp_path / "a.csv", rows, ["label", *NUMBERED]))
    assert set(table.labels) == {"cat, big", 'dog "x"'}
    assert table.pixels.tolist() == make_rows()


def test_load_dataset_reports_dark_pixels_of_a_table(tmp_path):
    rows = [[i % 2, *(value // 16 for value in row)] for i, row in enumerate(make_rows())]
    with pytest.warns(UserWarning, match="maximum pixel is 15"):
        load_dataset(write_cells(tmp_path / "a.csv", rows, ["label", *NUMBERED]))


def test_load_dataset_shape_of_rows_decides_between_pixels_and_label(tmp_path):
    path = write_cells(tmp_path / "a.csv", make_rows(n_pixels=63, first=[label_of]))  # 64 columns, 7×9 and a label
    with pytest.raises(DataError, match="64 columns, but no label"):
        load_dataset(path)
    assert load_dataset(path, image_size=(7, 9)).image_shape == (7, 9)


def test_title_and_sparse_format_are_errors_with_the_remedy(tmp_path, samples):
    rows = [f"{index % 2}," + ",".join(map(str, image.ravel())) for index, image in enumerate(samples.images(4))]
    (tmp_path / "a.csv").write_text("\n".join(["My digits", *rows]))
    with pytest.raises(
        DataError, match=r"line 1 has one value, 'My digits', but the last line has 65\. Delete a title"
    ):
        load_dataset(tmp_path / "a.csv")
    sparse = [f"{index % 2} " + " ".join(f"{i}:{v}" for i, v in enumerate(row.split(",")[1:], 1))
              for index, row in enumerate(rows)]  # fmt: skip
    (tmp_path / "a.txt").write_text("\n".join(sparse))
    with pytest.raises(DataError, match="load_svmlight_file"):
        load_dataset(tmp_path / "a.txt")


def test_text_table_with_one_hot_labels_and_another_suffix(tmp_path, samples):
    path, labels = tmp_path / "digits.data", np.arange(20) % 4
    bits = samples.images(20) > 100
    rows = zip(bits.reshape(20, -1), np.eye(4, dtype=int)[labels], strict=True)
    path.write_text("".join(" ".join([*(f"{bit:.4f}" for bit in row), *map(str, hot)]) + " \n" for row, hot in rows))
    with pytest.warns(UserWarning, match="one-hot labels in the 4 columns column 65 to column 68"):
        dataset = load_dataset(path)
    np.testing.assert_array_equal(dataset.train_images, bits * np.uint8(255))
    np.testing.assert_array_equal(dataset.train_labels, labels)
    with pytest.raises(DataError, match=r"a text table needs a name that ends in \.csv"):
        load_dataset(path.rename(tmp_path / "digits.tra"))
