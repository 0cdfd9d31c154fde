"""Digits, and images without one: what is made, that it is the same every time, and that it is kept."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.data.catalog import get_entry
from skconv.data.splits import Splits
from skconv.digits.synthetic import dataset as digits_with_background
from skconv.digits.synthetic.background_class import make_nothing, normalize_garments
from skconv.digits.synthetic.drawn_digits import draw_styled_digit
from skconv.digits.synthetic.joined_digits import (
    draw_digit,
    make_digit_in_row,
    make_near_digit,
    make_wrong_cut,
    set_on_line,
)
from skconv.digits.synthetic.paper import draw_on_paper
from skconv.digits.synthetic.pen import draw_glyph
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


@pytest.mark.parametrize("kind", list(digits_with_background.NO_DIGITS))
def test_nothing_is_different_images_the_same_every_time(digits, kind):
    made = [make_nothing(kind, digits[0], 12, np.random.default_rng(3)) for _ in range(2)]
    assert made[0].shape == (12, 28, 28) and made[0].dtype == np.uint8
    assert np.array_equal(*made)
    assert len(np.unique(made[0].reshape(12, -1), axis=0)) >= 8


def test_scribbles_letters_and_wrong_cuts_have_the_form_of_mnist(digits):
    for kind in ("scribble", "letter", "wrong cut"):
        made = make_nothing(kind, digits[0], 20, np.random.default_rng(0))
        assert (made.max(axis=(1, 2)) > 200).all()
        assert (made[:, [0, -1]].max(axis=(1, 2)) == 0).mean() > 0.8


def test_every_second_garment_is_normalised_and_none_is_lost():
    garments = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    garments[:, :6] = garments[:, -6:] = 0
    made = normalize_garments(garments, np.random.default_rng(0))
    same = (made == garments).all(axis=(1, 2))
    assert 5 <= same.sum() <= 35 and made.any(axis=(1, 2)).all()


def test_a_digit_in_a_row_keeps_its_own_ink(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = make_digit_in_row(digits[0], rng, index)
        assert strokes.max() > 0.5 and 20 <= strokes.shape[0] <= 80
        assert make_near_digit(digits[0], rng, index).sum() > 20
        assert make_wrong_cut(digits[0], rng).sum() > 0


def test_a_digit_on_a_printed_line_keeps_its_own_ink_and_gets_a_level_stroke(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = draw_digit(digits[0], rng, index)
        on_line = set_on_line(strokes, rng)
        margin = (on_line.shape[0] - strokes.shape[0]) // 2
        inside = on_line[margin:-margin, margin:-margin]
        added = on_line.copy()
        added[margin:-margin, margin:-margin] -= strokes
        assert (inside >= strokes).all()
        assert 2 <= (added > 0.1).any(axis=1).sum() <= 8  # rows of one line, or of two


def test_styled_digits_are_of_eight_values_and_printed_ones_fill_their_frame():
    rng = np.random.default_rng(0)
    values = {draw_styled_digit(rng)[1] for _ in range(200)}
    assert values == {0, 1, 2, 3, 4, 5, 7, 9}
    assert all(draw_glyph(text, rng).max() == 1 for text in "0123456789")


def test_paper_shows_what_is_written_on_it():
    strokes = np.zeros((40, 30), np.float32)
    strokes[8:32, 13:17] = 1
    for seed in range(20):
        image = draw_on_paper(strokes, np.random.default_rng(seed)).astype(float)
        assert abs(image[12:28, 14:16].mean() - image[12:28, :8].mean()) > 15


def test_images_are_labelled_and_the_same_every_time(few):
    made, again = (digits_with_background.make_images(few, None, scale=0.002) for _ in range(2))
    assert all(np.array_equal(made[name], again[name]) for name in made)
    assert set(made["train_labels"]) <= {*"0123456789", "nothing"}
    assert len(made["train_images"]) == len(made["train_labels"])
    assert made["train_images"].any(axis=(1, 2))[made["train_labels"] != "nothing"].all()
    assert len(made["test_images"]) >= 5


@pytest.fixture
def cheap(monkeypatch, tmp_path):
    """A data set of a few hundred images, and a cache of its own; returns how often images were made."""
    made = []
    whole = digits_with_background.make_images

    def make_few(mnist, garments):
        made.append(garments is not None)
        return whole(mnist, garments, scale=0.001)

    monkeypatch.setattr(digits_with_background, "make_images", make_few)
    monkeypatch.setattr(digits_with_background, "cache_folder", lambda: tmp_path)
    read = digits_with_background.read_named

    def read_without_garments(entry, **options):
        if entry.name == "fashion-mnist":
            raise SourceNotFoundError("It is nowhere.")
        return read(entry, **options)

    monkeypatch.setattr(digits_with_background, "read_named", read_without_garments)
    return made


def test_the_data_set_has_eleven_classes_and_is_made_once(cheap, tmp_path):
    for _ in range(2):
        with pytest.warns(UserWarning, match="no garments"):
            dataset = load_dataset("digits-with-background")
    assert cheap == [False]
    assert dataset.class_names == (*"0123456789", "nothing") == get_entry("digits-with-background").class_names
    assert len(dataset.train_images) > 60_000 and np.array_equal(dataset.train_labels[60_000:][-5:], [10] * 5)
    assert len(dataset.test_images) > 10_000 and (dataset.test_labels[10_000:] == 10).all()
    (kept,) = (tmp_path / "digits-with-background").iterdir()
    kept.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="no garments"):
        load_dataset("digits-with-background")
    assert len(cheap) == 2
