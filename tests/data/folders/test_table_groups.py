"""Groups of the images in class folders by a table beside them."""

import pytest

from skconv.data.loading import load_dataset


def write_groups(folder, samples, make_group, header="subject,classname,img"):
    samples.class_folders(folder / "imgs" / "train", "c0", "c1", n=6)
    rows = []
    for label in ("c0", "c1"):
        for number, file in enumerate(sorted((folder / "imgs" / "train" / label).iterdir())):
            file = file.rename(file.with_name(f"img{label[1]}{number}x.png"))
            rows.append(f"{make_group(number, label)},{label},{file.name}")
    (folder / "list.csv").write_text("\n".join([header, *rows, ""]))
    return rows


@pytest.mark.filterwarnings("ignore")
def test_groups_of_images_in_class_folders_are_those_of_a_table(tmp_path, samples):
    rows = write_groups(tmp_path, samples, lambda number, label: f"p{number // 2}")
    dataset = load_dataset(tmp_path)
    assert dataset.groups.encode(dataset.list_names()).tolist() == [0, 0, 1, 1, 2, 2] * 2
    assert "'subject'" in dataset.groups.origin and "list.csv" in dataset.groups.origin
    assert load_dataset(tmp_path, groups="none").groups is None
    assert load_dataset(tmp_path / "list.csv").class_names == ("c0", "c1")
    (tmp_path / "list.csv").write_text("\n".join(["subject,classname,img", *rows[:-2], ""]))
    assert "without 2 images" in load_dataset(tmp_path).groups.origin
    (tmp_path / "list.csv").write_text("\n".join(["subject,classname,img", *rows[:4], ""]))
    assert load_dataset(tmp_path).groups is None


@pytest.mark.parametrize(
    ("header", "make_group"),
    [
        ("age,classname,img", lambda number, label: number // 2),
        ("subject,classname,img", lambda number, label: label),
        ("subject,classname,img", lambda number, label: f"{label}{number}"),
    ],
    ids=["no groups", "classes", "no repeated values"],
)
@pytest.mark.filterwarnings("ignore")
def test_other_columns_are_no_groups(tmp_path, samples, header, make_group):
    write_groups(tmp_path, samples, make_group, header)
    assert load_dataset(tmp_path).groups is None


@pytest.mark.filterwarnings("ignore")
def test_groups_of_a_table_include_test_images(tmp_path, samples):
    rows = write_groups(tmp_path, samples, lambda number, label: f"p{number // 2}")
    samples.class_folders(tmp_path / "imgs" / "test", "c0", "c1", n=1)
    for label in ("c0", "c1"):
        (file,) = (tmp_path / "imgs" / "test" / label).iterdir()
        rows.append(f"p0,{label},{file.rename(file.with_name(f'test{label}x.png')).name}")
    (tmp_path / "list.csv").write_text("\n".join(["subject,classname,img", *rows, ""]))
    dataset = load_dataset(tmp_path)
    assert dataset.groups.encode(dataset.list_names())[-2:].tolist() == [0, 0]
