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
    (tmp_path / "tables").mkdir()
    table = (tmp_path / "train.csv").rename(tmp_path / "tables" / "train.csv")
    with pytest.raises(
        DataError, match=rf"train\.csv has the labels, pass it as the source and {tmp_path} as --images"
    ):
        load_dataset(tmp_path)
    assert load_dataset(table, images=tmp_path).class_names == ("0", "1")


def test_table_of_training_images_is_suggested_before_other_splits(tmp_path, samples):
    for split in ("test", "train", "valid"):
        samples.class_folders(tmp_path, split, n=6)
        rows = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(6))
        (tmp_path / split / "_classes.csv").write_text(f"filename,kind\n{rows}")
    with pytest.raises(DataError, match=r"If .*train/_classes\.csv has the labels"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("with_images", [True, False])
def test_table_of_pixels_is_suggested(tmp_path, samples, with_images):
    for name in ("signs_test.csv", "signs_train.csv"):
        samples.csv(tmp_path / name)
    (tmp_path / "README.txt").write_text("Signs of letters,\nin two tables.\n")
    if with_images:
        samples.class_folders(tmp_path, "figures")
    with pytest.raises(DataError, match=r"If .*signs_train\.csv has pixels and labels, pass it as the source"):
        load_dataset(tmp_path)


def test_table_with_the_labels_of_test_images_is_named(tmp_path, samples):
    samples.class_folders(tmp_path / "train", "00", "01", n=6)
    samples.class_folders(tmp_path, "test", n=6)
    (tmp_path / "A.csv").write_text("path,class\n" + "".join(f"Test/{number}.png,0\n" for number in range(6)))
    for name, rows in {"Meta": range(7, 9), "Test": range(6)}.items():
        lines = [f"{name}/{number}.png,{number % 2},{'ab'[number % 2]}" for number in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,class,shape", *lines]) + "\n")
    with pytest.warns(UserWarning, match=r"Left out 6 images in 'test'.*Test\.csv has their labels.*evaluate"):
        assert load_dataset(tmp_path).test_labels is None


@pytest.mark.parametrize(
    ("name", "authors"),
    [("LICENSE.txt", ["Cy", "Ann", "Al"]), ("sources.txt", ["Cy", "Ann Lee", "Bob Ray", "Ann Ray"])],
)
def test_licence_that_lists_images_is_no_table(tmp_path, samples, name, authors):
    def make_row(number, file):
        return f"{file.parent.name}/{file.name} by {authors[number % len(authors)]} - https://example.org"

    write_table(tmp_path, samples, make_row, "All images are licensed under CC-BY.", name)
    assert load_dataset(tmp_path).class_names == ("part_1", "part_2")


def test_table_with_labels_of_one_folder_beside_figures_is_an_error(tmp_path, samples):
    samples.class_folders(tmp_path / "docs", "figures", n=1)
    samples.class_folders(tmp_path / "data", "images", n=20)
    lines = [f"images/{number}.png  {number % 2}.0  {'mono' if number % 3 else 'poly'}" for number in range(20)]
    (tmp_path / "data" / "labels.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"'data', which has nearly all images, with labels.*--exclude 'labels\.csv'"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match=r"column 2, column 3\. Pass one as --label-column"):
        load_dataset(tmp_path / "data" / "labels.csv")
    assert load_dataset(tmp_path / "data" / "labels.csv", label_column="2").class_names == ("0", "1")


@pytest.mark.parametrize("name", ["../raw/{}.png", "{folder}/test/{}.png"])
@pytest.mark.filterwarnings("ignore")
def test_table_of_images_outside_the_class_folders_is_not_used(tmp_path, samples, name):
    folder = tmp_path / "data"
    for split in ("train", "test"):
        samples.class_folders(folder / split, *(["a", "b"] if split == "train" else ["."]), n=6)
    for outside in (folder / "test", samples.class_folders(tmp_path, "raw", n=6) / "raw"):
        for file in list(outside.iterdir()):
            file.rename(file.with_name(f"x{file.name}"))
    rows = [f"{name.format(f'x{number}', folder=folder)},{'uv'[number % 2]}" for number in range(6)]
    (folder / "sources.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    assert load_dataset(folder).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("n_others", "header", "label"),
    [(12, "file,sex,site", "Leeds"), (2, "file,sex,class", "0"), (2, "file,sex,kind", "Normal")],
    ids=["second class", "constant labels", "name of the folder"],
)
def test_table_of_one_class_is_not_used(tmp_path, samples, n_others, header, label):
    samples.class_folders(tmp_path, "normal", n=120)
    samples.class_folders(tmp_path, "rare", n=n_others)
    rows = [f"normal/{number}.png,{'mf'[number % 2]},{label}" for number in range(120)]
    (tmp_path / "patients.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.warns(UserWarning, match="1 other file"):
        assert load_dataset(tmp_path).class_names == ("normal", "rare")
