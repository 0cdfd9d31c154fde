"""Recognition of handwritten numbers: candidate lattice and best path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from skconv.digits import BACKGROUND_LABEL
from skconv.digits.ocr.cuts import Box
from skconv.digits.ocr.readings import DigitReading, NumberReading
from skconv.digits.ocr.segmentation import Candidate, Line, Mark, find_lines
from skconv.inference import Alternative, OnnxClassifier

N_ALTERNATIVES = 2
# The constants of the lattice were tuned on synthetic rows of MNIST digits. Log-odds above 0 favour a cut.
MIN_PROBABILITY = 1e-4  # minimum of a class probability, so that one candidate cannot exclude a path
TOUCHING_LOG_ODDS, CONTACT_WEIGHT = -0.8, 0.4  # touching pieces: constant term, and term per stroke width of contact
GAP_LOG_ODDS, GAP_WEIGHT = 1.5, 20.0  # separate pieces: constant term, and term per row height of the gap
BACKGROUND_PRIOR_RATIO = 4.0  # prior of the background class among candidates, relative to that among whole images
BACKGROUND_WEIGHT, MIN_BACKGROUND = 0.3, 0.005  # exponent and minimum of the background probability
# Minimum height of a digit, in row heights: by default, and for 0 and 1. Many writers draw zeros half as tall.
MIN_HEIGHT, MIN_HEIGHT_OF = 0.65, {"0": 0.5, "1": 0.8}
PATH_EXPONENT = 0.05  # exponent of the path's posterior in the confidence of a reading


def read_image(model: OnnxClassifier, image: np.ndarray, name: str = "image") -> NumberReading:
    """Recognise the handwritten numbers in an image; `name` becomes the `input` of the reading.

    Image and errors are those of `find_strokes`. Each line is over-segmented, every candidate is classified, and the
    text is the most probable path through the lattice of candidates.

    References
    ----------
    C. J. C. Burges et al., "Shortest path segmentation: a method for training a neural network to recognize character
    strings", International Joint Conference on Neural Networks (1992), 165-172.
    """
    lines = find_lines(image)
    if not any(line.candidates for line in lines):
        return NumberReading(name, "", 1.0)
    scores = classify_candidates(model, lines)
    texts: list[str] = []
    digits: list[DigitReading] = []
    marks: list[Mark] = []
    confidence = 1.0
    for line, part in zip(lines, scores, strict=True):
        reading = _read_line(line, part, model.class_names)
        if reading.text:
            n_before = sum(len(text) + 1 for text in texts)
            marks += [Mark(n_before + mark.position, mark.box) for mark in reading.marks]
            texts.append(reading.text)
            digits += reading.digits
        confidence *= reading.confidence
    return NumberReading(name, "\n".join(texts), confidence, tuple(digits), tuple(marks))


class CandidateScores(NamedTuple):
    """Classification of the candidates of a line."""

    probabilities: np.ndarray  # (n, k), adjusted to the prior of the background class among candidates
    ood_scores: list[float | None]  # n out-of-distribution scores; None if the model has no score


def classify_candidates(model: OnnxClassifier, lines: Sequence[Line]) -> list[CandidateScores]:
    """Classify the candidates of all lines, at least one, in one batch."""
    crops = np.stack([candidate.digit for line in lines for candidate in line.candidates])
    probabilities, ood_scores = model.predict_with_ood(crops)
    probabilities = scale_background(probabilities, model.class_names)
    scores: list[float | None] = [None] * len(crops) if ood_scores is None else ood_scores.tolist()
    ends = np.cumsum([len(line.candidates) for line in lines]).tolist()
    return [CandidateScores(probabilities[start:end], scores[start:end]) for start, end in pairwise([0, *ends])]


def scale_background(probabilities: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Adjust probabilities to the higher prior of the background class among candidates."""
    ratios = np.array([BACKGROUND_PRIOR_RATIO if name == BACKGROUND_LABEL else 1.0 for name in names], np.float32)
    weighted = probabilities * ratios
    return weighted / weighted.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Edge:
    """Edge of the lattice: a candidate, interpreted as a digit or as a mark."""

    candidate: Candidate
    score: float  # log-likelihood
    probabilities: np.ndarray | None  # class probabilities, (k,); None for a mark
    ood_score: float | None = None


def _read_line(line: Line, scores: CandidateScores, names: tuple[str, ...]) -> NumberReading:
    path, posterior = find_best_path(make_edges(line, scores, names), len(line.cuts) - 1)
    return read_path(line, path, posterior, names)


def read_path(line: Line, path: list[Edge], posterior: float, names: tuple[str, ...]) -> NumberReading:
    """Return the digits and marks of a path through the lattice, given its posterior probability."""
    digits: list[DigitReading] = []
    marks: list[Mark] = []
    n_digits = [0]  # number of digits before each cut
    for edge in path:
        candidate = edge.candidate
        n_digits += [len(digits)] * (candidate.stop - candidate.start)
        if edge.probabilities is None:
            marks.append(Mark(len(digits), candidate.box))
        else:
            digits.append(_make_digit(edge, edge.probabilities, names))
            n_digits[-1] += 1
    for mark in line.marks:
        if not any(_contains(digit.box, mark.box) for digit in digits):
            marks.append(Mark(n_digits[mark.position], mark.box))
    marks.sort(key=lambda mark: (mark.position, mark.box))
    # The path's posterior has a small weight, because a wrong cut usually also lowers the confidence of the digits.
    confidence = posterior ** (PATH_EXPONENT if digits else 1) * math.prod(digit.confidence for digit in digits)
    return NumberReading("", "".join(digit.label for digit in digits), confidence, tuple(digits), tuple(marks))


def _contains(box: Box, other: Box) -> bool:
    return box[0] <= other[0] and box[1] <= other[1] and box[2] >= other[2] and box[3] >= other[3]


def make_edges(line: Line, classified: CandidateScores, names: tuple[str, ...]) -> list[Edge]:
    """Return the edges of the lattice: every candidate as a digit, and candidates of one piece also as a mark."""
    probabilities = classified.probabilities
    is_digit = np.array([name != BACKGROUND_LABEL for name in names])
    min_heights = np.array([MIN_HEIGHT_OF.get(name, MIN_HEIGHT) for name in names])[is_digit]
    background = probabilities[:, ~is_digit].sum(axis=1) if not is_digit.all() else 1 - probabilities.max(axis=1)
    cut, joined = _score_cuts(line)
    edges = []
    for k, candidate in enumerate(line.candidates):
        between = cut[candidate.stop] + joined[candidate.start + 1 : candidate.stop].sum()
        log_probability = np.log(np.maximum(probabilities[k, is_digit], MIN_PROBABILITY))
        scores = log_probability + _score_geometry(candidate, min_heights)
        scores -= BACKGROUND_WEIGHT * np.log(max(background[k], MIN_BACKGROUND))
        edges.append(Edge(candidate, float(scores.max() + between), probabilities[k], classified.ood_scores[k]))
        if candidate.stop == candidate.start + 1:
            # The penalty of a mark is 0 for low pieces, such as dots and dashes, and for pieces below the line.
            penalty = float(np.clip(10 * (candidate.height - 0.25 - max(0.0, candidate.sink - 0.2)), 0, 6))
            mark = penalty / 6 * np.log(max(background[k], MIN_PROBABILITY)) - penalty
            edges.append(Edge(candidate, float(mark + between), None))
    return edges


def _score_cuts(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each cut, the log-probabilities that it separates two digits and that it does not."""
    bonds = np.array([0, *line.bonds, 0], float)
    touching = TOUCHING_LOG_ODDS - CONTACT_WEIGHT * np.minimum(bonds, 4)
    log_odds = np.where(bonds > 0, touching, np.minimum(GAP_LOG_ODDS - GAP_WEIGHT * bonds, 4))
    cut, joined = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    cut[[0, -1]] = 0  # the ends of a line are certain cuts
    return cut, joined


def _score_geometry(candidate: Candidate, min_heights: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of a candidate's height and position for each digit class, shape (n_digits,)."""
    penalty = 12 * np.maximum(0, min_heights - candidate.height) + 2 * max(0.0, candidate.height - 2.4)
    return -penalty - 10 * max(0.0, abs(candidate.sink) - 0.3)


def find_best_path(edges: list[Edge], n_pieces: int) -> tuple[list[Edge], float]:
    """Return the most probable path through the lattice (Viterbi), and its posterior probability."""
    best = np.full(n_pieces + 1, -np.inf)
    total = np.full(n_pieces + 1, -np.inf)
    best[0] = total[0] = 0.0
    last: list[Edge | None] = [None] * (n_pieces + 1)
    for edge in sorted(edges, key=lambda edge: edge.candidate.start):
        start, stop = edge.candidate.start, edge.candidate.stop
        total[stop] = np.logaddexp(total[stop], total[start] + edge.score)
        if best[start] + edge.score > best[stop]:
            best[stop], last[stop] = best[start] + edge.score, edge
    path: list[Edge] = []
    edge_before = last[n_pieces]
    while edge_before is not None:
        path.append(edge_before)
        edge_before = last[edge_before.candidate.start]
    return path[::-1], float(np.exp(best[n_pieces] - total[n_pieces]))


def _make_digit(edge: Edge, probabilities: np.ndarray, names: tuple[str, ...]) -> DigitReading:
    order = [int(k) for k in np.argsort(-probabilities, kind="stable") if names[k] != BACKGROUND_LABEL]
    best, *others = [Alternative(names[k], float(probabilities[k])) for k in order[: N_ALTERNATIVES + 1]]
    return DigitReading(
        best.label, best.confidence, edge.candidate.box, tuple(others), edge.candidate.digit, edge.ood_score
    )
