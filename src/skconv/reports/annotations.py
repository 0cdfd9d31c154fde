"""A user's own image with boxes drawn on it; Pillow only, so that reading stays quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LARGEST = 1600  # pixels along the longer side; a phone's photo is made smaller
_SMALLEST = 640  # a small image is made larger, so that the labels can be read
_SURE = 0.9
# Blue and orange differ for every eye, and in grey as well.
_BLUE, _ORANGE, _WHITE = (0, 90, 181), (200, 80, 0), (255, 255, 255)


@dataclass(frozen=True)
class Box:
    """A labelled rectangle on an image.

    Parameters
    ----------
    left, top, right, bottom : int
        Pixels of the image; right and bottom are the first outside.
    label : str
    confidence : float
        0..1; below 0.9 the box is orange and its label tells the per cent.
    """

    left: int
    top: int
    right: int
    bottom: int
    label: str
    confidence: float


def draw_boxes(image: np.ndarray, boxes: Sequence[Box]) -> Image.Image:
    """Draw boxes with label and confidence on an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
    boxes : sequence of Box

    Returns
    -------
    PIL.Image.Image
        In colour, 640 to 1600 pixels along the longer side, with a strip above for the labels of the first line.

    Examples
    --------
    >>> draw_boxes(np.full((40, 200), 255, np.uint8), [Box(10, 5, 30, 35, "7", 0.98)]).size
    (640, 176)
    """
    drawing = Image.fromarray(image).convert("RGB")
    longest = max(drawing.size)
    scale = min(max(longest, _SMALLEST), _LARGEST) / longest
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    heights = sorted(scale * (box.bottom - box.top) for box in boxes) or [0.0]
    # A label no higher than a third of a digit, and readable.
    font_size = int(min(max(heights[len(heights) // 2] / 3, 12), 40))
    strip = round(1.5 * font_size)
    canvas = Image.new("RGB", (size[0], size[1] + strip), _WHITE)
    canvas.paste(drawing.resize(size, Image.Resampling.BILINEAR), (0, strip))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(font_size)
    for box in boxes:
        colour = _BLUE if box.confidence >= _SURE else _ORANGE
        left, top, right, bottom = (round(scale * side) for side in (box.left, box.top, box.right, box.bottom))
        draw.rectangle((left, top + strip, max(left, right - 1), max(top, bottom - 1) + strip), outline=colour, width=2)
        text = box.label if box.confidence >= _SURE else f"{box.label} {box.confidence:.0%}"
        place = (left, top + strip - 1)
        draw.rectangle(draw.textbbox(place, text, font=font, anchor="lb"), fill=colour)
        draw.text(place, text, fill=_WHITE, font=font, anchor="lb")
    return canvas
