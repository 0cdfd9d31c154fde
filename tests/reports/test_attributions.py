import io

import numpy as np
import pytest
from PIL import Image

from skconv.reports.attributions import draw_attributions


@pytest.mark.parametrize("n_maps", [1, 2])
@pytest.mark.parametrize("shape", [(12, 10), (30, 8), (9, 9, 3)])
def test_each_image_is_followed_by_its_maps(n_maps, shape):
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


def test_colours_depend_on_the_sign_and_match_the_colour_bar():
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
