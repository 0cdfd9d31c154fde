"""Annotated images: boxes with labels and confidences, drawn with Pillow alone because matplotlib loads slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_MIN_SIDE, _MAX_SIDE = 640, 1600  # pixels of the longer side: legible labels, and a photo that fits on a screen
_HIGH_CONFIDENCE = 0.9
# Blue and orange are distinguishable with any colour vision deficiency, and in grey.
_BLUE, _ORANGE, _WHITE = (0, 90, 181), (200, 80, 0), (255, 255, 255)


@dataclass(frozen=True)
class Box:
    """A labelled rectangle on an image.

    Parameters
    ----------
    left, top, right, bottom : int
        In pixels; right and bottom are exclusive.
    label : str
    confidence : float
        0..1; below 0.9 the box is orange and the label shows the percentage.
    """

    left: int
    top: int
    right: int
    bottom: int
    label: str
    confidence: float


def draw_boxes(image: np.ndarray, boxes: Sequence[Box]) -> Image.Image:
    """Draw labelled boxes on an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
    boxes : sequence of Box

    Returns
    -------
    PIL.Image.Image
        RGB, longer side 640 to 1600 pixels, with a white strip at the top for the labels of the first line.

    Examples
    --------
    >>> draw_boxes(np.full((40, 200), 255, np.uint8), [Box(10, 5, 30, 35, "7", 0.98)]).size
    (640, 176)
    """
    drawing = Image.fromarray(image).convert("RGB")
    longest = max(drawing.size)
    scale = min(max(longest, _MIN_SIDE), _MAX_SIDE) / longest
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    heights = sorted(scale * (box.bottom - box.top) for box in boxes) or [0.0]
    font_size = int(min(max(heights[len(heights) // 2] / 3, 12), 40))  # a third of the median box, if legible
    strip = round(1.5 * font_size)
    canvas = Image.new("RGB", (size[0], size[1] + strip), _WHITE)
    canvas.paste(drawing.resize(size, Image.Resampling.BILINEAR), (0, strip))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(font_size)
    for box in boxes:
        colour = _BLUE if box.confidence >= _HIGH_CONFIDENCE else _ORANGE
        left, top, right, bottom = (round(scale * side) for side in (box.left, box.top, box.right, box.bottom))
        draw.rectangle((left, top + strip, max(left, right - 1), max(top, bottom - 1) + strip), outline=colour, width=2)
        text = box.label if box.confidence >= _HIGH_CONFIDENCE else f"{box.label} {box.confidence:.0%}"
        anchor = (left, top + strip - 1)
        draw.rectangle(draw.textbbox(anchor, text, font=font, anchor="lb"), fill=colour)
        draw.text(anchor, text, fill=_WHITE, font=font, anchor="lb")
    return canvas
