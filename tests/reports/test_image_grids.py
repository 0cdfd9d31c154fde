import numpy as np
import pytest

from skconv.exceptions import DataError, ParameterError
from skconv.reports.image_grids import draw_mistakes, draw_samples

from .overlaps import overlaps

NAMES = ["T-shirt/top", "a class whose name is much longer than its image is wide", "$x^$", "two\nlines"]


def texts_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.fixture
def images():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (60, 8, 8), dtype=np.uint8), generator.integers(0, 4, 60)


@pytest.fixture
def all_wrong(images):
    images, labels = images
    probabilities = np.full((60, 4), 0.02)
    wrong = (labels + 1) % 4
    probabilities[np.arange(60), wrong] = np.linspace(0.5, 0.94, 60)
    return images, labels, probabilities


def test_draw_samples_alternates_between_the_classes(images):
    images, labels = images
    figure = draw_samples(images, labels, ["a", "b", "c", "d"], rows=2, columns=4)
    assert texts_of(figure) == ["a", "b", "c", "d"] * 2
    first = figure.axes[0].images[1].get_array()[..., 0]
    np.testing.assert_allclose(first, images[np.flatnonzero(labels == 1)[0]] / 255, atol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [
        lambda images: images[:, None],
        lambda images: images[..., None],
        lambda images: np.repeat(images[..., None], 3, 3),
        lambda images: images / 255.0,
        lambda images: np.zeros_like(images, dtype=float),
    ],
)
def test_draw_samples_accepts_every_shape_and_dtype(images, convert):
    images, labels = images
    figure = draw_samples(convert(images), labels, NAMES)
    assert figure.axes[0].images[0].get_array().shape == (8, 8, 3)


def test_draw_samples_accepts_fewer_images_than_cells(images):
    images, labels = images
    assert len(draw_samples(images[:3], labels[:3], NAMES).axes[0].images) == 3


def test_texts_of_grids_do_not_overlap(images, all_wrong):
    for figure in (
        draw_samples(*images, NAMES),
        draw_samples(images[0][:1], images[1][:1], NAMES),
        draw_samples(images[0][:, :3], images[1], NAMES, rows=3, columns=3),
        draw_mistakes(*all_wrong, NAMES),
        draw_mistakes(*(values[:2] for values in all_wrong), NAMES),
        draw_mistakes(*all_wrong, NAMES, max_images=3),
    ):
        assert overlaps(figure, [*figure.axes[0].texts, *figure.texts]) == []


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (100, 100)])
def test_draw_samples_refuses_a_grid_without_or_with_too_many_images(images, rows, columns):
    with pytest.raises(ParameterError, match="expected 1 to 400 images"):
        draw_samples(*images, NAMES, rows=rows, columns=columns)


def test_draw_mistakes_shows_the_most_confident_first(all_wrong):
    images, labels, probabilities = all_wrong
    figure = draw_mistakes(images, labels, probabilities, ["a", "b", "c", "d"], max_images=5)
    shown = texts_of(figure)
    assert len(shown) == 5
    names = "abcd"
    assert shown[0] == f"{names[labels[59]]}\n→ {names[(labels[59] + 1) % 4]}\n94.0 %"
    assert "60 of 60 wrong; the 5 most confident" in figure.get_suptitle()


def test_draw_mistakes_without_mistakes_shows_a_line_of_text(images):
    images, labels = images
    figure = draw_mistakes(images, labels, np.eye(4)[labels], NAMES)
    assert texts_of(figure) == ["No mistakes among 60 images."]


def test_draw_mistakes_limits_the_number_of_images():
    images = np.zeros((10_000, 8, 8), np.uint8)
    labels = np.zeros(10_000, int)
    figure = draw_mistakes(images, labels, np.tile([0.1, 0.9], (10_000, 1)), ["a", "b"])
    assert len(figure.axes) == 1
    assert len(figure.axes[0].images) == 40
    with pytest.raises(ParameterError, match="from 1 to 400"):
        draw_mistakes(images, labels, np.tile([0.1, 0.9], (10_000, 1)), ["a", "b"], max_images=10_000)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((0, 8, 8)), np.zeros(0, int)),
        (np.zeros((2, 64)), np.zeros(2, int)),
        (np.zeros((2, 8, 8)), np.zeros(3, int)),
        (np.zeros((2, 8, 8)), np.array([0, 9])),
        (np.zeros((2, 8, 8)), np.array(["a", "b"])),
        (np.zeros((2, 8, 8, 5)), np.zeros(2, int)),
    ],
)
def test_draw_samples_refuses_invalid_images_and_labels(images, labels):
    with pytest.raises(DataError, match=r"expected|one per image"):
        draw_samples(images, labels, NAMES)
