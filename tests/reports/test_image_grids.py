import io

import numpy as np
import pytest
from PIL import Image

from skconv.exceptions import DataError, ParameterError
from skconv.reports.image_grids import draw_attributions, draw_mistakes, draw_samples

from .figure_texts import overlaps, texts_of

NAMES = ["T-shirt/top", "a class whose name is much longer than its image is wide", "$x^$", "two\nlines"]


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
        draw_mistakes(*(values[:3] for values in all_wrong), NAMES),
    ):
        assert overlaps(figure, [*figure.axes[0].texts, *figure.texts]) == []


@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (100, 100)])
def test_draw_samples_refuses_a_grid_without_or_with_too_many_images(images, rows, columns):
    with pytest.raises(ParameterError, match="at most 400 images"):
        draw_samples(*images, NAMES, rows=rows, columns=columns)


def test_draw_mistakes_shows_the_most_confident_first(all_wrong, monkeypatch):
    monkeypatch.setattr("skconv.reports.image_grids._MAX_MISTAKES", 5)
    images, labels, probabilities = all_wrong
    figure = draw_mistakes(images, labels, probabilities, ["a", "b", "c", "d"])
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


@pytest.mark.parametrize("n_maps", [1, 2])
@pytest.mark.parametrize("shape", [(12, 10), (30, 8), (9, 9, 3)])
def test_draw_attributions_shows_each_image_followed_by_its_maps(n_maps, shape):
    images = np.full((5, *shape), 128, np.uint8)
    maps = [[np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape[:2])] * n_maps] * 5
    figure = draw_attributions(images, maps, ["a $5$ caption"] * 5)
    assert len(figure.axes) == 5 * (1 + n_maps) + 1  # the last is the colour bar
    assert [text.get_text() for text in figure.texts[5:]] == ["lowers the probability", "raises the probability"]
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not any(
        one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1
        for number, one in enumerate(boxes)
        for other in boxes[:number]
    )
    figure.savefig(io.BytesIO())


def test_colours_of_attributions_depend_on_the_sign_and_match_the_colour_bar():
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3] = 1, -1
    figure = draw_attributions(np.full((1, 4, 4), 128, np.uint8), [[values]], ["x"])
    drawn, bar = (axes.images[0].get_array() for axes in figure.axes[1:])
    np.testing.assert_allclose(bar[0, -1], drawn[0, 0], atol=0.01)  # at its right end: raises the probability
    np.testing.assert_allclose(bar[0, 0], drawn[3, 3], atol=0.01)
    left, right = (text.get_window_extent() for text in figure.texts[1:])
    assert 0 <= left.x0 < left.x1 < right.x0 < right.x1 <= figure.bbox.x1
    stream = io.BytesIO()
    figure.savefig(stream)
    pixels = np.asarray(Image.open(stream).convert("RGB")).astype(int)
    warm = pixels[..., 0] - pixels[..., 2]
    assert warm.max() > 60 and warm.min() < -60
    where = [np.argwhere(warm > 60).mean(0), np.argwhere(warm < -60).mean(0)]
    assert (where[0] < where[1]).all()  # orange above and left of blue
