"""Groups of the training images of a competition."""

import pytest

from skconv.data.loading import load_dataset
from skconv.exceptions import ParameterError


def test_groups_of_training_images_are_those_of_their_table(make_competition):
    folder = make_competition("identify-the-apparels")
    lines = (folder / "train.csv").read_text().splitlines()
    rows = [f"{line},{number // 3}" for number, line in enumerate(lines[1:])]
    (folder / "train.csv").write_text("\n".join([f"{lines[0]},patient_id", *rows, ""]))
    dataset = load_dataset(folder)
    n = len(rows)
    assert dataset.groups.encode(dataset.list_names()[:n]).tolist() == [number // 3 for number in range(n)]
    test_file = f"{dataset.submission.ids[0]}.png"
    assert dataset.list_names()[n].endswith(test_file) and len(dataset.list_names()) == n + len(dataset.test_labels)
    assert load_dataset(folder, groups="none").groups is None
    assert load_dataset(folder, groups="patient_id").groups.is_chosen
    with pytest.raises(ParameterError, match="'groups' is a column of a table that lists images"):
        load_dataset(make_competition("kaggle-digits"), groups="patient_id")
