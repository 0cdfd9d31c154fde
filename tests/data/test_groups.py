"""Groups of images by names of files, folders and columns."""

from pathlib import Path

import pytest

from skconv.data.groups import find_folder_groups, find_named_folders, find_series, is_group_column


def _find(*patterns: str, n: int = 4, m: int = 5) -> set[str] | None:
    """Return the groups of the files "a/PATTERN" and "b/PATTERN" with numbers below n and m, in alternating classes."""
    files = [Path(label, each.format(i, j)) for label in "ab" for each in patterns for i in range(n) for j in range(m)]
    found = find_series(files, [file.parent.name for file in files], len(files))
    return None if found is None else set(found.by_name.values())


@pytest.mark.parametrize(
    "pattern",
    ["{:05d}_{:05d}.ppm", "person{}_bacteria_{}.jpeg", "C3P{}thin_IMG_114756a_cell_{}.png", "scan{} ({}).png",
     "leaf{}_jpg.rf.0a{}b3.jpg", "7-{}-rot{}.png"],
)  # fmt: skip
def test_find_series_groups_names_that_differ_in_the_last_number(pattern):
    groups = _find(pattern)
    assert groups is not None and len(groups) == 8  # four per class: folders are different series


@pytest.mark.parametrize(
    "pattern",
    [
        "img_{1}{0}.png",
        "Tr-gl_0{0}{1}.jpg",
        "id_{0}{1}_label_7.png",
        "1-{0}{1}.png",
        "201{0}-01-1{1}.png",
        "IMG_202{0}0101_12000{1}.jpg",
    ],
)
def test_find_series_ignores_running_numbers(pattern):
    assert _find(pattern) is None


def test_find_series_needs_three_series_per_class():
    assert _find("obj{}_{}.png", n=2) is None
    assert _find("obj{}_{}.png", n=3) is not None


def test_find_series_counts_the_series_of_training_images():
    files = [
        Path(split, label, f"{label}1_{i}.png")
        for split in ("train", "valid", "test")
        for label in "ab"
        for i in range(5)
    ]
    labels = [file.parent.name for file in files]
    assert find_series(files, labels, 10) is None and find_series(files, labels, 30) is not None


def test_find_series_accepts_classes_without_series():
    files = [Path("ill", f"p{i}_{j}.png") for i in range(4) for j in range(3)] + [
        Path("well", f"{i}.png") for i in range(9)
    ]
    found = find_series(files, [file.parent.name for file in files], len(files))
    codes = found.encode(map(str, files)).tolist()
    assert codes[:6] == [0, 0, 0, 1, 1, 1] and len(set(codes)) == 4 + 9
    assert "p0_0.png and p0_1.png" in found.origin


def test_find_folder_groups_finds_folders_of_patients():
    files = [Path("root", f"p{i}", label, f"{j}.png") for i in range(3) for label in "ab" for j in range(2)]
    labels = [file.parent.name for file in files]
    assert set(find_folder_groups(files, labels, Path("root"), 12).by_name.values()) == {"p0", "p1", "p2"}
    assert find_folder_groups(files[:8], labels[:8], Path("root"), 8) is None
    colours = [Path("root", colour, file.parent.name, file.name) for colour in ("rgb", "hsv", "grey") for file in files]
    assert find_folder_groups(colours, labels * 3, Path("root"), 36) is None


def test_find_named_folders_finds_folders_of_patients_but_not_of_classes():
    files = [
        Path("root", label, f"patient{i:02d}", "study1", f"{j}.png") for label in "ab" for i in range(3) for j in (1, 2)
    ]
    labels = [file.parts[1] for file in files]
    found = find_named_folders(files, labels, Path("root"), len(files))
    assert set(found.by_name.values()) == {"patient00", "patient01", "patient02"} and "'patient00'" in found.origin
    assert find_named_folders(files, [file.parts[2] for file in files], Path("root"), len(files)) is None
    assert find_named_folders(files, labels, Path("root", "a", "patient00"), 2) is None


def test_is_group_column_needs_repeated_values():
    assert is_group_column("patientId", ["1", "1", "2"])
    assert not is_group_column("patientId", ["1", "2", "3"])
    assert not is_group_column("patientId", ["1", "1", "1"])
    assert not is_group_column("patientId", ["", "", "1", "2"])
    assert is_group_column("patientId", ["", "1", "1"])


def test_folders_of_recordings_are_numbered_in_each_class():
    files = [Path("root", label, f"clip{i}", f"{j}.png") for label in "ab" for i in range(4) for j in range(3)]
    found = find_named_folders(files, [file.parts[1] for file in files], Path("root"), len(files))
    assert set(found.by_name.values()) == {f"{label}/clip{i}" for label in "ab" for i in range(4)}
