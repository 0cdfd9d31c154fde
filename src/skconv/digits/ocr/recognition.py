"""`read_image`: the numbers in an image, from the lines and candidates found and a digit model's word on each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skconv.digits.ocr.segmentation import Box, Candidate, Line, Mark, find_lines
from skconv.exceptions import DataError
from skconv.inference import OnnxClassifier

NOTHING = "nothing"
ALTERNATIVES = 2
FLOOR = 1e-4  # a model's probabilities are not better known than that
# How likely two pieces are two digits, as the logarithm of the odds: found with rows of MNIST's digits.
TOUCHING, THICKER = -0.8, 0.4  # where ink joins them, and what each further width of the pen takes away
APART, WIDER = 1.5, 20.0  # where none does, and what each height of the row between them adds
PIECES = 4.0  # times as likely as in a whole image is "nothing" among candidates, most of which are pieces of digits
CONTRAST, CLEAREST = 0.3, 0.005  # how much it counts that the model does not see "nothing", and where that ends
# Of the row's height. Noughts, which may be most of a row, are often written half as tall as the rest.
LEAST_HEIGHT, LEAST_HEIGHT_OF = 0.65, {"0": 0.5, "1": 0.8}
PATH_SHARE = 0.05  # of the path's certainty, as an exponent, in the confidence of a reading


@dataclass(frozen=True)
class DigitReading:
    """One digit that was read.

    Parameters
    ----------
    label : str
        "0" to "9".
    confidence : float
        Its probability, 0..1: the model's, weighed for a piece of a row.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the image, right and bottom exclusive.
    alternatives : tuple of (str, float)
        The next labels with their probabilities.
    image : ndarray of uint8, shape (28, 28)
        What the model saw, light on dark.
    """

    label: str
    confidence: float
    box: Box
    alternatives: tuple[tuple[str, float], ...]
    image: np.ndarray = field(compare=False, repr=False)


@dataclass(frozen=True)
class NumberReading:
    """What was read in an image.

    Parameters
    ----------
    text : str
        The digits of each line, lines joined with a newline; empty where nothing is written.
    confidence : float
        How sure it is that the whole text is right, 0..1.
    digits : tuple of ReadDigit
        In the order of the text.
    marks : tuple of Mark
        Commas, dots and dashes; `position` counts the characters of the text before them.
    """

    text: str
    confidence: float
    digits: tuple[DigitReading, ...]
    marks: tuple[Mark, ...]


def check_digit_model(reader: OnnxClassifier) -> None:
    """Raise `DataError` unless a model names digits in grey images of 28×28."""
    if not reads_digits(reader):
        channels, height, width = reader.input_shape
        raise DataError(
            f"{reader.folder} names {', '.join(reader.class_names[:10])} in images of {height}×{width} with "
            f"{channels} channels; read takes a model of digits in grey images of 28×28. Name another, or none for "
            "the bundled one."
        )


def reads_digits(reader: OnnxClassifier) -> bool:
    """Tell whether a model names digits in grey images of 28×28."""
    return reader.input_shape == (1, 28, 28) and set(reader.class_names) - {NOTHING} <= set("0123456789")


def read_image(reader: OnnxClassifier, image: np.ndarray) -> NumberReading:
    """Read the numbers in an image.

    Parameters
    ----------
    reader : OnnxClassifier
        A model of digits, 28×28, normalised as MNIST; a class "nothing" helps it to tell digits from parts of them.
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        A strip or a page, as `open_image` returns it.

    Returns
    -------
    Reading

    Raises
    ------
    DataError
        The array is not one uint8 image, or the model takes other images.
    """
    lines = find_lines(image)
    crops = [candidate.digit for line in lines for candidate in line.candidates]
    if not crops:
        return NumberReading("", 1.0, (), ())
    probabilities = _expect_pieces(reader.predict_proba(np.stack(crops)), reader.class_names)
    texts: list[str] = []
    digits: list[DigitReading] = []
    marks: list[Mark] = []
    confidence, used = 1.0, 0
    for line in lines:
        scores = probabilities[used : used + len(line.candidates)]
        used += len(line.candidates)
        found = _read_line(line, scores, reader.class_names)
        if found.text:
            before = sum(len(text) + 1 for text in texts)
            marks += [Mark(before + mark.position, mark.box) for mark in found.marks]
            texts.append(found.text)
            digits += found.digits
        confidence *= found.confidence
    return NumberReading("\n".join(texts), confidence, tuple(digits), tuple(marks))


def _expect_pieces(probabilities: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return the probabilities where a candidate is so much likelier to be no digit than an image is."""
    weighed = probabilities * np.array([PIECES if name == NOTHING else 1.0 for name in names], np.float32)
    return weighed / weighed.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class _Step:
    """One step along a line: a candidate that is read, or passed over as a mark."""

    start: int
    stop: int
    score: float
    candidate: int
    is_digit: bool


def _read_line(line: Line, probabilities: np.ndarray, names: tuple[str, ...]) -> NumberReading:
    path, certainty = _find_best_path(_make_steps(line, probabilities, names), len(line.cuts) - 1)
    digits: list[DigitReading] = []
    marks: list[Mark] = []
    ends = [0]  # how many digits are read before each cut that the path goes through
    for step in path:
        ends += [len(digits)] * (step.stop - step.start)
        box = line.candidates[step.candidate].box
        if step.is_digit:
            digits.append(_describe(line.candidates[step.candidate], probabilities[step.candidate], names))
            ends[-1] += 1
        else:
            marks.append(Mark(len(digits), box))
    for mark in line.marks:
        if not any(_holds(digit.box, mark.box) for digit in digits):
            marks.append(Mark(ends[mark.position], mark.box))
    marks.sort(key=lambda mark: (mark.position, mark.box))
    # The digits tell more than the path: what is cut wrongly is seldom a sure digit.
    confidence = certainty ** (PATH_SHARE if digits else 1) * math.prod(digit.confidence for digit in digits)
    return NumberReading("".join(digit.label for digit in digits), confidence, tuple(digits), tuple(marks))


def _holds(box: Box, other: Box) -> bool:
    return box[0] <= other[0] and box[1] <= other[1] and box[2] >= other[2] and box[3] >= other[3]


def _make_steps(line: Line, probabilities: np.ndarray, names: tuple[str, ...]) -> list[_Step]:
    """Return every step that a path along a line may take, with the logarithm of its probability."""
    is_digit = np.array([name != NOTHING for name in names])
    least = np.array([LEAST_HEIGHT_OF.get(name, LEAST_HEIGHT) for name in names])[is_digit]
    nothing = probabilities[:, ~is_digit].sum(axis=1) if not is_digit.all() else 1 - probabilities.max(axis=1)
    cut, joined = _weigh_bonds(line)
    steps = []
    for k, candidate in enumerate(line.candidates):
        inside = cut[candidate.stop] + joined[candidate.start + 1 : candidate.stop].sum()
        likely = np.log(np.maximum(probabilities[k, is_digit], FLOOR)) + _fit_place(candidate, least)
        likely -= CONTRAST * np.log(max(nothing[k], CLEAREST))
        steps.append(_Step(candidate.start, candidate.stop, float(likely.max() + inside), k, True))
        if candidate.stop == candidate.start + 1:
            against = _doubt_mark(candidate)
            unlike = against / 6 * np.log(max(nothing[k], FLOOR))
            steps.append(_Step(candidate.start, candidate.stop, float(unlike - against + inside), k, False))
    return steps


def _weigh_bonds(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each cut, the logarithm of the probability that it parts two digits, and that it parts none."""
    bonds = np.array([0, *line.bonds, 0], float)
    odds = np.where(bonds > 0, TOUCHING - THICKER * np.minimum(bonds, 4), np.minimum(APART - WIDER * bonds, 4))
    parted, joined = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    parted[[0, -1]] = 0  # where a line begins and ends there is nothing to decide
    return parted, joined


def _doubt_mark(candidate: Candidate) -> float:
    """Return how much speaks against a mark: dots and flat dashes are marks and what hangs low, tall ink is not."""
    return float(np.clip(10 * (candidate.height - 0.25 - max(0.0, candidate.sink - 0.2)), 0, 6))


def _fit_place(candidate: Candidate, least: np.ndarray) -> np.ndarray:
    """Return, for each digit, the logarithm of how well height and place fit: a 1 is tall, a comma hangs low.

    `least` has the height, in heights of the row, that each digit has at least.
    """
    against = 12 * np.maximum(0, least - candidate.height) + 2 * max(0.0, candidate.height - 2.4)
    return -against - 10 * max(0.0, abs(candidate.sink) - 0.3)


def _find_best_path(steps: list[_Step], length: int) -> tuple[list[_Step], float]:
    """Return the path with the highest score, and its share of the likelihood of all paths."""
    best = np.full(length + 1, -np.inf)
    total = np.full(length + 1, -np.inf)
    best[0] = total[0] = 0.0
    last: list[_Step | None] = [None] * (length + 1)
    for step in sorted(steps, key=lambda step: step.start):
        score = best[step.start] + step.score
        total[step.stop] = np.logaddexp(total[step.stop], total[step.start] + step.score)
        if score > best[step.stop]:
            best[step.stop], last[step.stop] = score, step
    path: list[_Step] = []
    before = last[length]
    while before is not None:
        path.append(before)
        before = last[before.start]
    return path[::-1], float(np.exp(best[length] - total[length]))


def _describe(candidate: Candidate, probabilities: np.ndarray, names: tuple[str, ...]) -> DigitReading:
    order = [int(k) for k in np.argsort(-probabilities, kind="stable") if names[k] != NOTHING]
    label, *others = [(names[k], float(probabilities[k])) for k in order[: ALTERNATIVES + 1]]
    return DigitReading(label[0], label[1], candidate.box, tuple(others), candidate.digit)
