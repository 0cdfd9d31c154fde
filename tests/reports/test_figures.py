import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skconv.exceptions import DataError, OutputError, ParameterError
from skconv.reports.confusion import draw_confusion
from skconv.reports.curves import draw_curves
from skconv.reports.image_grids import draw_mistakes, draw_samples
from skconv.reports.style import fit_text, save_figure

NAMES = ["T-shirt/top", "a class whose name is much longer than its image is wide", "$x^$", "two\nlines"]


def texts_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def overlaps(figure, texts) -> list[tuple[str, str]]:
    """Pairs of visible texts whose boxes touch, and texts that leave the figure."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text() and text.get_visible()]
    found = [
        (first, second)
        for place, (first, box) in enumerate(boxes)
        for second, other in boxes[place + 1 :]
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 1 and min(box.y1, other.y1) - max(box.y0, other.y0) > 1
    ]
    outside = [
        (text, "outside")
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1
    ]
    return found + outside


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


def test_draw_samples_shows_each_class_in_turn(images):
    images, labels = images
    figure = draw_samples(images, labels, ["a", "b", "c", "d"], rows=2, columns=4)
    assert texts_of(figure) == ["a", "b", "c", "d"] * 2
    first = figure.axes[0].images[1].get_array()[..., 0]
    np.testing.assert_allclose(first, images[np.flatnonzero(labels == 1)[0]] / 255, atol=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        lambda images: images[:, None],
        lambda images: images[..., None],
        lambda images: np.repeat(images[..., None], 3, 3),
        lambda images: images / 255.0,
        lambda images: np.zeros_like(images, dtype=float),
    ],
)
def test_draw_samples_takes_every_form_of_images(images, form):
    images, labels = images
    figure = draw_samples(form(images), labels, NAMES)
    assert figure.axes[0].images[0].get_array().shape == (8, 8, 3)


def test_draw_samples_draws_fewer_images_than_the_grid_holds(images):
    images, labels = images
    assert len(draw_samples(images[:3], labels[:3], NAMES).axes[0].images) == 3


def test_figures_of_images_keep_their_texts_apart(images, all_wrong):
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
def test_draw_samples_refuses_a_grid_without_bounds(images, rows, columns):
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


def test_draw_mistakes_says_that_there_is_none(images):
    images, labels = images
    figure = draw_mistakes(images, labels, np.eye(4)[labels], NAMES)
    assert texts_of(figure) == ["No mistakes among 60 images."]


def test_draw_mistakes_of_many_images_stays_one_small_axes():
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
def test_draw_samples_refuses_what_are_no_labelled_images(images, labels):
    with pytest.raises(DataError, match=r"expected|one per image"):
        draw_samples(images, labels, NAMES)


@pytest.mark.parametrize("n_classes", [2, 10, 26])
@pytest.mark.parametrize("name", ["{}", "Ankle boot {}", "a class with a very long name, number {}"])
def test_draw_confusion_is_readable(n_classes, name):
    generator = np.random.default_rng(0)
    confusion = generator.integers(0, 12, (n_classes, n_classes)) + np.diag(np.full(n_classes, 1234))
    figure = draw_confusion(confusion, [name.format(k) for k in range(n_classes)])
    axes = figure.axes[0]
    expected = [str(count) for (row, column), count in np.ndenumerate(confusion) if count or row == column]
    assert texts_of(figure) == expected
    figure.draw_without_rendering()
    counts = axes.texts[: 3 * n_classes]
    ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    assert overlaps(figure, [*counts, *ticks, axes.xaxis.label, axes.yaxis.label, axes.title]) == []
    assert len({tick.get_text() for tick in axes.get_xticklabels()}) == n_classes


def test_draw_confusion_colours_mistakes_only():
    figure = draw_confusion(np.array([[1000, 9, 1], [0, 1000, 0], [0, 0, 0]]), ["a", "b", "$c^$"])
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    assert (pixels[0, 0] == pixels[1, 1]).all() and (pixels[0, 0] == pixels[2, 2]).all()
    assert pixels[1, 0].tolist() == [1, 1, 1, 0]  # the page's ground
    brightness = pixels[..., :3].sum(2)
    assert brightness[0, 1] < brightness[0, 2] < brightness[1, 0]
    assert figure.axes[0].get_title() == "10 of 2,010 wrong (0.50 %)"


def test_draw_confusion_of_a_thousand_classes_is_bounded():
    figure = draw_confusion(np.eye(1000, dtype=int), [f"class {k}" for k in range(1000)])
    assert len(figure.axes[0].texts) == 0
    assert len(figure.axes[0].get_xticklabels()) < 250
    assert max(figure.get_size_inches()) < 16


def test_draw_confusion_refuses_names_that_do_not_fit():
    with pytest.raises(DataError, match="3 class names came"):
        draw_confusion(np.eye(2, dtype=int), ["a", "b", "c"])


def epochs(n, **changes):
    epoch = {"train_loss": 0.5, "valid_loss": 0.6, "valid_accuracy": 0.9, "learning_rate": 0.01}
    return [{"epoch": number, **epoch, **changes} for number in range(1, n + 1)]


def test_draw_curves_draws_loss_and_accuracy():
    history = epochs(3)
    history[1]["valid_accuracy"] = 0.975
    losses, accuracy = draw_curves(history).axes
    assert [line.get_label() for line in losses.lines] == ["train", "validation"]
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [90, 97.5, 90])
    assert accuracy.get_title() == "best 97.50 % in epoch 2"


def test_draw_curves_leaves_out_what_was_not_validated():
    (losses,) = draw_curves(epochs(3, valid_loss=None, valid_accuracy=None)).axes
    assert [line.get_label() for line in losses.lines] == ["train"]


def test_draw_curves_counts_whole_epochs():
    for n in (1, 2, 100):
        figure = draw_curves(epochs(n))
        figure.draw_without_rendering()
        ticks = figure.axes[0].get_xticks()
        assert (ticks == ticks.round()).all()


def test_draw_curves_refuses_an_empty_history():
    with pytest.raises(DataError, match="no epoch was trained"):
        draw_curves([])


def test_save_figure_writes_the_same_bytes_twice(tmp_path, images):
    for name in ("first.png", "second.png"):
        save_figure(draw_samples(*images, NAMES), tmp_path / name)
    content = (tmp_path / "first.png").read_bytes()
    assert content == (tmp_path / "second.png").read_bytes()
    assert b"Software" not in content
    with Image.open(tmp_path / "first.png") as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.png", "second.png"]


def test_save_figure_says_where_it_could_not_write(tmp_path, images):
    with pytest.raises(OutputError, match="Cannot write"):
        save_figure(draw_samples(*images, NAMES), tmp_path / "missing" / "figure.png")


def test_fit_text_keeps_both_ends_of_a_long_name():
    (first, second), size = fit_text(["a class with a very long name, number 1", "short"], 1.0)
    assert first.startswith("a class") and first.endswith("1") and "…" in first
    assert second == "short"
    assert 5 <= size <= 9


def test_figures_need_no_pyplot_and_load_matplotlib_only_to_draw():
    code = """
import sys
from skconv.reports.curves import draw_curves
assert "matplotlib" not in sys.modules
draw_curves([{"epoch": 1, "train_loss": 1.0}])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
