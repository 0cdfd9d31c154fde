import numpy as np
import pytest
import torch
from PIL import Image

from skconv.evaluation.activations import LayerActivations, collect_activations, filters_on_pixels
from skconv.exceptions import DataError
from skconv.networks import create_network, list_networks
from skconv.reports.activations import draw_activations
from skconv.reports.style import save_figure

from ..small_networks import list_small_options

LONG = "a class whose name is much longer than a figure is wide, and which never seems to come to an end at all"


def explain(name, shape, class_names=("cat", "dog"), note="", **options):
    torch.manual_seed(0)
    channels = 3 if len(shape) == 3 else 1
    network = create_network(name, in_channels=channels, image_size=shape[:2], num_classes=2, **options)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    return draw_activations(image, np.array([0.25, 0.75]), class_names, layers, filters, note=note), layers


def texts_of(figure):
    return [text.get_text() for text in figure.texts if text.get_text()]


def boxes_of(figure):
    """Return the boxes of all texts and panels, in pixels."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.texts if text.get_text()]
    boxes += [(f"panel {number}", axes.bbox) for number, axes in enumerate(figure.axes)]
    labels = [label for axes in figure.axes for label in axes.get_xticklabels()]
    return boxes + [(label.get_text(), label.get_window_extent()) for label in labels]


def overlaps(figure):
    """Return pairs of texts and panels that overlap, and those outside of the figure."""
    boxes = boxes_of(figure)
    found = [
        (first, second)
        for position, (first, box) in enumerate(boxes)
        for second, other in boxes[position + 1 :]
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 1 and min(box.y1, other.y1) - max(box.y0, other.y0) > 1
    ]
    width, height = figure.bbox.x1, figure.bbox.y1
    return found + [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]


@pytest.mark.parametrize("name", list_networks())
@pytest.mark.parametrize("shape", [(28, 28), (12, 10, 3)])
def test_every_network_is_drawn_without_empty_panels(name, shape):
    figure, layers = explain(name, shape, **list_small_options(name))
    assert len(figure.axes) == 3 + len(layers)
    for axes in figure.axes:
        (image,) = axes.get_images()
        assert np.ptp(image.get_array()) > 50  # levels of 256


def test_figure_fits_a_screen(tmp_path):
    save_figure(explain("fast", (28, 28))[0], tmp_path / "maps.png")
    with Image.open(tmp_path / "maps.png") as image:
        assert image.format == "PNG"
        assert 1000 <= image.width <= 1500 and image.height <= 1200


@pytest.mark.parametrize(
    ("name", "shape", "class_names"),
    [
        ("accurate", (28, 28), (LONG, LONG)),
        ("t4_narrow", (12, 10, 3), ("cat", "dog")),
        ("fast", (16, 16, 3), ("$x^$", "two\nlines")),
        ("plain", (1, 64), (LONG, LONG)),
    ],
)
def test_texts_and_panels_do_not_overlap(name, shape, class_names):
    figure, _ = explain(name, shape, class_names, "Filters and maps are those of the ensemble's first member.")
    assert overlaps(figure) == []


def test_titles_show_number_and_size_of_the_maps():
    figure, layers = explain("plain", (28, 28))
    titles = [text for text in texts_of(figure) if text.startswith("Convolution")]
    assert titles[0].startswith("Convolution 1 (blocks.0.0): 32 of 32 maps, 24×24, largest magnitude ")
    assert titles[-1].startswith("Convolution 5 (blocks.4.0): 32 of 128 maps, 6×6, largest magnitude ")
    assert titles[-1].endswith(f"{np.abs(layers[-1].maps).max():.3g}")


def test_prediction_and_runner_up_are_written_literally():
    figure, _ = explain("fast", (28, 28), ("$x^$", "dog"), "A note.")
    assert texts_of(figure)[:2] == ["Prediction: dog (75.0 %)", "Runner-up: $x^$ (25.0 %)"]
    assert "A note." in texts_of(figure)


@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ((28, 28), ["4 input channels are the pixels of each 2×2 square; their 3×3 weights"]),
        ((28, 28, 3), ["12 input channels are the pixels of each 2×2 square", "drawn as red, green and blue"]),
        ((12, 10, 3), ["drawn as red, green and blue"]),
        ((12, 10), []),
    ],
)
def test_titles_describe_the_filters(shape, lines):
    texts = texts_of(explain("fast", shape)[0])
    notes = texts[texts.index(next(text for text in texts if text.startswith("Filters"))) + 1 :]
    notes = notes[: next(position for position, text in enumerate(notes) if text.startswith("Convolution"))]
    assert len(notes) == len(lines)
    assert all(line in text for line, text in zip(lines, notes, strict=True))


def draw_maps(maps, kernel):
    """Return the drawn pixels of one layer's filters and maps."""
    layer = LayerActivations("convolution", kernel, maps)
    figure = draw_activations(np.zeros((4, 4), np.uint8), np.array([0.4, 0.6]), ["a", "b"], [layer], kernel)
    filters, drawn = (np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes[2:])
    return filters, drawn


def centre_colours(drawn, n):
    """Return the colour at the centre of each of n maps in a row."""
    step = drawn.shape[1] / n
    return [
        tuple(int(value) for value in drawn[drawn.shape[0] // 2, int((position + 0.5) * step)]) for position in range(n)
    ]


def test_maps_are_sorted_by_magnitude_with_their_filters():
    values = np.array([0.0, 1.0, -2.0, 2.0], np.float32)
    maps = np.ones((4, 3, 3), np.float32) * values[:, None, None]
    kernel = np.ones((4, 1, 1, 1), np.float32) * np.array([3.0, 1.5, -3.0, 0.0])[:, None, None, None]
    filters, drawn = draw_maps(maps, kernel.astype(np.float32))
    blue, white, orange = (0, 114, 178), (255, 255, 255), (213, 94, 0)
    shown = centre_colours(drawn, 4)
    assert shown[0] == blue and shown[1] == orange and shown[3] == white
    assert shown[2] not in (orange, white) and shown[2][0] > shown[2][2]
    assert centre_colours(filters, 4)[:2] == [blue, white] and centre_colours(filters, 4)[3] == orange


def test_only_the_strongest_32_maps_are_drawn():
    maps = np.arange(1.0, 61, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    _, drawn = draw_maps(maps, np.ones((60, 1, 3, 3), np.float32))
    colours = {tuple(colour) for row in (1, 3) for colour in drawn[row * drawn.shape[0] // 4].tolist()}
    assert len(colours) == 32 + 1  # and the colour of the gaps


def test_maps_of_zeros_are_drawn_white():
    filters, drawn = draw_maps(np.zeros((2, 1, 1), np.float32), np.zeros((2, 1, 3, 3), np.float32))
    assert centre_colours(filters, 2) == centre_colours(drawn, 2) == [(255, 255, 255)] * 2


def test_filters_of_five_channels_are_drawn_as_their_mean():
    kernel = np.zeros((2, 5, 1, 1), np.float32)
    kernel[0, :, 0, 0] = [5, 0, 0, 0, 0]
    kernel[1, :, 0, 0] = [-5, 5, 0, 0, 0]
    filters, _ = draw_maps(np.ones((2, 2, 2), np.float32), kernel)
    assert centre_colours(filters, 2) == [(213, 94, 0), (255, 255, 255)]


LAYER = LayerActivations("convolution", np.ones((2, 1, 3, 3), np.float32), np.ones((2, 4, 4), np.float32))


@pytest.mark.parametrize(
    ("image", "probabilities", "class_names", "layers", "filters", "words"),
    [
        (np.zeros((4, 4)), [0.5, 0.5], ["a", "b"], [LAYER], LAYER.kernel, "float64"),
        (np.zeros((4, 4, 4), np.uint8), [0.5, 0.5], ["a", "b"], [LAYER], LAYER.kernel, r"\(4, 4, 4\)"),
        (np.zeros((4, 4), np.uint8), [0.5, 0.5], ["a"], [LAYER], LAYER.kernel, "1 class names"),
        (np.zeros((4, 4), np.uint8), [1.0], ["a"], [LAYER], LAYER.kernel, "two classes"),
        (np.zeros((4, 4), np.uint8), [0.5, 0.5], ["a", "b"], [], LAYER.kernel, "no layers"),
        (np.zeros((4, 4), np.uint8), [0.5, 0.5], ["a", "b"], [LAYER], LAYER.kernel[:1], "expected 2 filters"),
    ],
)
def test_shapes_that_do_not_fit_are_notes(image, probabilities, class_names, layers, filters, words):
    with pytest.raises(DataError, match=words):
        draw_activations(image, np.array(probabilities), class_names, layers, filters)
