"""Competition folders in the layouts in which they are published."""

import numpy as np
import pytest

from skconv.competitions.folder import is_competition, read_competition
from skconv.data.loading import load_dataset
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError


def test_read_competition_with_a_folder_in_the_folder_of_a_split(make_competition):
    folder = make_competition("identify-the-apparels")
    expected = read_competition(DataSpec(folder))[0].train_labels
    for split in ("train", "test"):
        (folder / split).rename(folder / "inner")
        (folder / split).mkdir()
        (folder / "inner").rename(folder / split / split)
    assert is_competition(folder)
    assert read_competition(DataSpec(folder))[0].train_labels == expected


def test_read_competition_with_pixels_in_one_cell(tmp_path, samples):
    rows = [" ".join(map(str, image.ravel())) for image in samples.images(6)]
    (tmp_path / "train.csv").write_text("emotion,pixels\n" + "".join(f"{i % 3},{row}\n" for i, row in enumerate(rows)))
    (tmp_path / "test.csv").write_text("\n".join(["pixels", *rows]))
    (tmp_path / "others.csv").write_text("emotion,pixels\n")
    with pytest.warns(UserWarning, match=r"not used: others\.csv\. To use a table with labels"):
        dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.submission.images, dataset.train_images)


def test_label_of_training_images_is_that_of_the_sample_submission(make_competition):
    folder = make_competition("identify-the-apparels")
    rows = [line.split(",") for line in (folder / "train.csv").read_text().splitlines()[1:]]
    lines = [f"{name},{['nevus', 'mole', 'other'][int(label) % 3]},{int(label) % 2}" for name, label in rows]
    (folder / "train.csv").write_text("\n".join(["id,diagnosis,target", *lines]))
    (folder / "answers.csv").unlink()
    with pytest.raises(DataError, match=r"train\.csv has several columns .* --label-column"):
        load_dataset(folder)
    sample = (folder / "sample_submission.csv").read_text()
    (folder / "sample_submission.csv").write_text(sample.replace("id,label", "id,target"))
    with pytest.warns(UserWarning, match="labels in 'target'; not used: 'diagnosis'"):
        assert load_dataset(folder).class_names == ("0", "1")
