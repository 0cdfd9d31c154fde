"""Tables beside class folders."""

import pytest

from skconv.data.loading import load_dataset
from skconv.exceptions import DataError


def write_table(folder, samples, make_row, header, name="metadata.csv"):
    samples.class_folders(folder / "part_1", "a", n=6)
    samples.class_folders(folder / "part_2", "b", n=6)
    files = sorted(folder.rglob("*.png"))
    for number, file in enumerate(files):
        files[number] = file.rename(file.with_name(f"image{number}.png"))
    rows = [make_row(number, file) for number, file in enumerate(files)]
    (folder / name).write_text("\n".join([header, *rows]) + "\n")


@pytest.mark.parametrize("header", ["image_id,dx", "image_id,dx,sex", "file,age,label"])
def test_table_with_other_labels_than_the_folders_is_an_error(tmp_path, samples, header):
    def make_row(number, file):
        cells = [file.name, ["nv", "mel", "bkl"][number % 3], "mf"[number % 2]][: header.count(",") + 1]
        return ",".join([cells[0], "60", cells[1]] if "age" in header else cells)

    write_table(tmp_path, samples, make_row, header)
    with pytest.raises(
        DataError, match=r"lists images of the folders 'part_1' and 'part_2'.*--exclude 'metadata\.csv'"
    ):
        load_dataset(tmp_path)
    with pytest.warns(UserWarning, match="because of --exclude"):
        assert load_dataset(tmp_path, exclude="metadata.csv").class_names == ("part_1", "part_2")


@pytest.mark.parametrize(
    ("header", "make_row"),
    [
        ("path,ClassId,sex", lambda number, file: f"{file.name},{file.parts[-3][-1]},{'mf'[number % 2]}"),
        ("path,width,height", lambda number, file: f"{file.name},{number % 2},{number % 3}"),
        ("number,path", lambda number, file: f"{number},{file.name}"),
        ("class,name", lambda number, file: f"{number},word"),
    ],
    ids=["same classes", "sizes", "names only", "other content"],
)
@pytest.mark.filterwarnings("ignore")
def test_table_without_other_labels_is_not_used(tmp_path, samples, header, make_row):
    write_table(tmp_path, samples, make_row, header)
    assert load_dataset(tmp_path).class_names == ("part_1", "part_2")


def test_table_that_has_labels_is_suggested(tmp_path, samples):
    samples.class_folders(tmp_path, "images", n=6)
    names = [file.name for file in sorted((tmp_path / "images").iterdir())]
    (tmp_path / "sample_submission.csv").write_text("id,label\n" + "".join(f"{name},0\n" for name in names))
    (tmp_path / "train.csv").write_text("id,label\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names)))
    with pytest.raises(DataError, match=r"If .*train\.csv has the labels, pass it as the source"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path / "train.csv").class_names == ("0", "1")
