"""CSV files of pixels, valid and invalid."""

import csv

import numpy as np
import pytest

from skconv.data.pixel_csv import read_pixel_csv
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
        (lambda line: line[:1], "line 4 has 1 values"),
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
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file"),
        (b"x" * 200_000, "not a text file"),
    ],
)
def test_read_pixel_csv_rejects_other_files(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pixel_csv(path)


def test_read_pixel_csv_rejects_unknown_label_column(tmp_path, samples):
    with pytest.raises(DataError, match="no column 'digit'; it begins with label, pixel0"):
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
