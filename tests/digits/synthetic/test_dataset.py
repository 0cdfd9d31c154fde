"""The data set digits-with-background and the generators of its images."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.data.catalog import get_entry
from skconv.data.dataset import Splits
from skconv.digits.synthetic import dataset as synthetic_dataset
from skconv.digits.synthetic.background_class import make_background, normalize_clothing
from skconv.digits.synthetic.drawn_digits import draw_styled_digit
from skconv.digits.synthetic.joined_digits import (
    add_ruled_lines,
    draw_digit,
    make_digit_in_row,
    make_imprecise_cut,
    make_wrong_cut,
)
from skconv.digits.synthetic.rendering import draw_glyph, draw_on_paper
from skconv.exceptions import SourceNotFoundError


@pytest.fixture(scope="module")
def digits():
    mnist = load_dataset("mnist")
    return np.array(mnist.train_images[:200]), np.array(mnist.train_labels[:200])


@pytest.fixture(scope="module")
def few(digits):
    images, labels = digits
    names = [str(label) for label in labels]
    return Splits(images[:150], names[:150], images[150:], names[150:])


@pytest.mark.parametrize("kind", list(synthetic_dataset.N_BACKGROUND))
def test_make_background_is_varied_and_reproducible(digits, kind):
    made = [make_background(kind, digits[0], 12, np.random.default_rng(3)) for _ in range(2)]
    assert made[0].shape == (12, 28, 28) and made[0].dtype == np.uint8
    assert np.array_equal(*made)
    assert len(np.unique(made[0].reshape(12, -1), axis=0)) >= 8


def test_make_background_normalizes_scribbles_letters_and_wrong_cuts(digits):
    for kind in ("scribble", "letter", "wrong cut"):
        made = make_background(kind, digits[0], 20, np.random.default_rng(0))
        assert (made.max(axis=(1, 2)) > 200).all()
        assert (made[:, [0, -1]].max(axis=(1, 2)) == 0).mean() > 0.8


def test_normalize_clothing_normalizes_half_and_leaves_none_blank():
    clothing = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    clothing[:, :6] = clothing[:, -6:] = 0
    made = normalize_clothing(clothing, np.random.default_rng(0))
    same = (made == clothing).all(axis=(1, 2))
    assert 5 <= same.sum() <= 35 and made.any(axis=(1, 2)).all()


def test_joined_digits_contain_ink(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = make_digit_in_row(digits[0], rng, index)
        assert strokes.max() > 0.5 and 20 <= strokes.shape[0] <= 80
        assert make_imprecise_cut(digits[0], rng, index).sum() > 20
        assert make_wrong_cut(digits[0], rng).sum() > 0


def test_add_ruled_lines_retains_digit_and_adds_horizontal_lines(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = draw_digit(digits[0], rng, index)
        on_line = add_ruled_lines(strokes, rng)
        margin = (on_line.shape[0] - strokes.shape[0]) // 2
        inside = on_line[margin:-margin, margin:-margin]
        added = on_line.copy()
        added[margin:-margin, margin:-margin] -= strokes
        assert (inside >= strokes).all()
        assert 2 <= (added > 0.1).any(axis=1).sum() <= 8  # rows of one or two lines


def test_draw_styled_digit_has_eight_values_and_draw_glyph_has_full_contrast():
    rng = np.random.default_rng(0)
    values = {draw_styled_digit(rng)[1] for _ in range(200)}
    assert values == {0, 1, 2, 3, 4, 5, 7, 9}
    assert all(draw_glyph(text, rng).max() == 1 for text in "0123456789")


def test_draw_on_paper_has_visible_strokes():
    strokes = np.zeros((40, 30), np.float32)
    strokes[8:32, 13:17] = 1
    for seed in range(20):
        image = draw_on_paper(strokes, np.random.default_rng(seed)).astype(float)
        assert abs(image[12:28, 14:16].mean() - image[12:28, :8].mean()) > 15


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
        with pytest.warns(UserWarning, match="no clothing"):
            dataset = load_dataset("digits-with-background")
    assert cheap == [False]
    assert dataset.class_names == (*"0123456789", "nothing") == get_entry("digits-with-background").class_names
    assert len(dataset.train_images) > 60_000 and np.array_equal(dataset.train_labels[60_000:][-5:], [10] * 5)
    assert len(dataset.test_images) > 10_000 and (dataset.test_labels[10_000:] == 10).all()
    (cached,) = (tmp_path / "digits-with-background").iterdir()
    cached.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="no clothing"):
        load_dataset("digits-with-background")
    assert len(cheap) == 2
