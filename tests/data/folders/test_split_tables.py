"""Note on tables beside class folders that list the images of splits."""

import warnings

import pytest

from skconv.data.loading import load_dataset


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".txt", lambda number, file: f"{file.parent.name}/{file.stem}"),
        (".csv", lambda number, file: f"{number},{file.parent.name}/{file.name},{file.parent.name}"),
    ],
    ids=["names", "names and classes"],
)
def test_tables_of_splits_are_noted(tmp_path, samples, suffix, write):
    samples.class_folders(tmp_path / "images", "a", "b", n=6)
    lines = [write(*each) for each in enumerate(sorted(tmp_path.rglob("*.png")))]
    (tmp_path / "meta").mkdir()
    train, test = (tmp_path / "meta" / f"{name}{suffix}" for name in ("train", "test"))
    train.write_text("\n".join(["number,path,class"] * (suffix == ".csv") + lines[::2]))
    test.write_text("\n".join(lines[1::2]))
    with pytest.warns(UserWarning, match=r"train\...., .*test\.... list the images of splits and are not used"):
        load_dataset(tmp_path)
    test.write_text("\n".join(lines))  # also lists the training images
    with warnings.catch_warnings(record=True) as caught:
        load_dataset(tmp_path)
    assert not any("list the images of splits" in str(each.message) for each in caught)
