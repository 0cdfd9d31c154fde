"""Notes on tables of other splits."""

import warnings

import pytest

from skconv.data.tables.other_splits import note_other_splits


@pytest.mark.parametrize(
    ("training", "other"),
    [
        ("train.csv", "test.csv"),
        ("sign_mnist_train.csv", "sign_mnist_test.csv"),
        ("train/_classes.csv", "valid/_classes.csv"),
    ],
)
def test_tables_of_other_splits_are_noted(tmp_path, training, other):
    for name in (training, other, "other_test.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a,b")
    with pytest.warns(UserWarning, match="not used") as found:
        note_other_splits(tmp_path / training)
    assert str(tmp_path / other) in str(found[0].message) and "other_test" not in str(found[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        note_other_splits(tmp_path / other)
