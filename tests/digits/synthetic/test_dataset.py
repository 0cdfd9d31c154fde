"""The data set digits-with-background."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.data.catalog.lookup import get_entry
from skconv.data.dataset import Splits
from skconv.digits.synthetic import dataset as synthetic_dataset
from skconv.exceptions import SourceNotFoundError


@pytest.fixture(scope="module")
def few(digits):
    images, labels = digits
    names = [str(label) for label in labels]
    return Splits(images[:150], names[:150], images[150:], names[150:])


def test_make_images_is_labelled_and_reproducible(few):
    made, again = (synthetic_dataset.make_images(few, None, scale=0.002) for _ in range(2))
    assert all(np.array_equal(made[name], again[name]) for name in made)
    assert set(made["train_labels"]) <= {*"0123456789", "nothing"}
    assert len(made["train_images"]) == len(made["train_labels"])
    assert made["train_images"].any(axis=(1, 2))[made["train_labels"] != "nothing"].all()
    assert len(made["test_images"]) >= 5


@pytest.fixture
def cheap(monkeypatch, tmp_path):
    """Reduce the data set to a few hundred images with a temporary cache; return one item per generation."""
    made = []
    make_all = synthetic_dataset.make_images

    def make_few(mnist, clothing):
        made.append(clothing is not None)
        return make_all(mnist, clothing, scale=0.001)

    monkeypatch.setattr(synthetic_dataset, "make_images", make_few)
    monkeypatch.setattr(synthetic_dataset, "cache_folder", lambda: tmp_path)
    read = synthetic_dataset.read_named

    def read_without_clothing(entry, **options):
        if entry.name == "fashion-mnist":
            raise SourceNotFoundError("Not found.")
        return read(entry, **options)

    monkeypatch.setattr(synthetic_dataset, "read_named", read_without_clothing)
    return made


def test_digits_with_background_has_eleven_classes_and_is_cached(cheap, tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match="do not include clothing"):
            dataset = load_dataset("digits-with-background")
    assert cheap == [False]
    assert dataset.class_names == (*"0123456789", "nothing") == get_entry("digits-with-background").class_names
    assert len(dataset.train_images) > 60_000 and np.array_equal(dataset.train_labels[60_000:][-5:], [10] * 5)
    assert len(dataset.test_images) > 10_000 and (dataset.test_labels[10_000:] == 10).all()
    (cached,) = (tmp_path / "digits-with-background").iterdir()
    cached.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="do not include clothing"):
        load_dataset("digits-with-background")
    assert len(cheap) == 2
