"""Texts of a figure, and search for texts that overlap."""


def overlaps(figure, texts) -> list[tuple[str, str]]:
    """Return pairs of visible texts that overlap, and texts outside of the figure."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text() and text.get_visible()]
    found = [
        (first, second)
        for position, (first, box) in enumerate(boxes)
        for second, other in boxes[position + 1 :]
        if min(box.x1, other.x1) - max(box.x0, other.x0) > 1 and min(box.y1, other.y1) - max(box.y0, other.y0) > 1
    ]
    outside = [
        (text, "outside")
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1
    ]
    return found + outside


def texts_of(figure) -> list[str]:
    """Return the texts drawn in the first panel of a figure."""
    return [text.get_text() for text in figure.axes[0].texts]
