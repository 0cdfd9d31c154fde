"""Encodings, delimiters and headers of tables."""

import numpy as np
import pytest

from skconv.data.loading import load_dataset
from skconv.exceptions import DataError

from .listed_images import KINDS, NAMES, ROWS, check_labels, write_rows


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


@pytest.mark.parametrize("header", ["", "#id label\n"])
def test_comments_before_the_rows_are_not_used(tmp_path, samples, flat, header):
    rows = "".join(f"{name} {label}\n" for name, label in ROWS)
    (tmp_path / "a.txt").write_text(f"#Image CLASS-ID SPECIES\n#the numbers of the classes: 1:37\n{header}{rows}")
    with pytest.warns(UserWarning, match="not used: 2 comments before the first row"):
        check_labels(load_dataset(tmp_path / "a.txt", images=flat), samples)


def test_labels_may_contain_a_delimiter_that_the_header_lacks(tmp_path, samples, flat):
    rows = "".join(f"{name},{label}|x\n" for name, label in ROWS)
    (tmp_path / "a.csv").write_text(f"file,label\n{rows}")
    dataset = load_dataset(tmp_path / "a.csv", images=flat)
    assert {name[-2:] for name in dataset.class_names} == {"|x"}
    np.testing.assert_array_equal(dataset.train_images, samples.images(12))


def test_web_page_instead_of_a_table_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("\n<!DOCTYPE html>\n<html><body>Log in, please</body></html>\n")
    with pytest.raises(DataError, match=r"is a web page, not a table\. Download the file itself"):
        load_dataset(tmp_path / "a.csv")


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
