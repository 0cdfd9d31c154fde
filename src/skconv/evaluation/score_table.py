"""Scores as text: rows with a name, a value and a note, and the tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from skconv.evaluation.metrics import Scores
from skconv.evaluation.paired import ClassDifference
from skconv.text import align_columns, format_count, format_percent

CLASS_COLUMNS = ("class", "images", "first", "second", "second - first", "95 % interval", "p")

_MAX_ROWS = 30  # rows of the printed table; with more classes, only those with the lowest F1 are shown
_MAX_RATIO = 3  # of class sizes; with a larger ratio, the accuracy hides the errors of small classes


class ScoreRow(NamedTuple):
    """One score as text."""

    name: str
    value: str
    note: str = ""


def is_imbalanced(class_size_range: Sequence[int]) -> bool:
    """Return whether the largest class has more than 3 times the images of the smallest, from both numbers of images.

    Examples
    --------
    >>> is_imbalanced([10, 30]), is_imbalanced([10, 31])
    (False, True)
    """
    smallest, largest = class_size_range
    return largest > _MAX_RATIO * smallest


def describe_balance(class_size_range: Sequence[int], balanced_accuracy: float, macro_f1: float) -> list[str]:
    """Return a line with the scores in which every class counts alike, or no line if the classes are balanced.

    Examples
    --------
    >>> describe_balance([5, 1200], 0.8125, 0.79)
    ['Balanced accuracy 81.25 %, macro F1 0.7900 (5 to 1,200 images per class).']
    """
    if not is_imbalanced(class_size_range):
        return []
    sizes = _format_sizes(class_size_range)
    return [f"Balanced accuracy {format_percent(balanced_accuracy)}, macro F1 {macro_f1:.4f} ({sizes})."]


def list_agreement(scores: Scores) -> list[ScoreRow]:
    """Return the scores in which every class counts alike, and those for ordered classes."""
    rows = [
        ScoreRow("balanced accuracy", format_percent(scores.balanced_accuracy), _format_sizes(scores.class_size_range)),
        ScoreRow("macro F1", f"{scores.macro_f1:.4f}"),
        ScoreRow("Cohen's kappa", _format(scores.cohen_kappa), _explain_kappa(scores.cohen_kappa)),
    ]
    return rows + list_order(scores)


def list_order(scores: Scores) -> list[ScoreRow]:
    """Return the scores for ordered classes, or no row if the names of the classes have no order."""
    if scores.order is None or scores.mean_absolute_error is None:
        return []
    return [
        ScoreRow("quadratic kappa", _format(scores.quadratic_kappa), f"the classes look ordered: {scores.order}"),
        ScoreRow("mean absolute error", f"{scores.mean_absolute_error:.4f}"),
    ]


def list_ranking(scores: Scores) -> list[ScoreRow]:
    """Return the areas under the curves."""
    n_classes = len(scores.per_class)
    n_ranked = sum(score.roc_auc is not None for score in scores.per_class)
    if not n_ranked:
        note = "all images are of one class"
    elif n_classes == 2:
        note = f"of class {_shorten(scores.per_class[1].name)}"
    elif n_ranked < n_classes:
        note = f"mean of the {n_ranked} of {n_classes} classes that have images, each against the rest"
    else:
        note = f"mean of {n_classes} classes, each against the rest"
    return [
        ScoreRow("ROC AUC", _format(scores.roc_auc), note),
        ScoreRow("average precision", _format(scores.average_precision)),
    ]


def format_scores(scores: Scores) -> str:
    """Return the scores as a table for a terminal, with at most the 30 classes of lowest F1.

    Scores in which every class counts alike are included if the classes are imbalanced.

    Examples
    --------
    >>> import numpy as np
    >>> from skconv.evaluation import score_predictions
    >>> print(format_scores(score_predictions(np.array([0, 1]), np.eye(2), ["cat", "dog"])))
    accuracy             100.00 %  (95 % interval 34.24 to 100.00 %, n = 2)
    ROC AUC                1.0000  (of class dog)
    average precision      1.0000
    log loss               0.0000
    Brier score            0.0000
    calibration error      0.0000
    <BLANKLINE>
    class  precision  recall      F1  images
    cat       1.0000  1.0000  1.0000       1
    dog       1.0000  1.0000  1.0000       1
    """
    interval = f"95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, n = {scores.n:,}"
    rows = [
        ScoreRow("accuracy", format_percent(scores.accuracy), interval),
        *(list_agreement(scores) if is_imbalanced(scores.class_size_range) else list_order(scores)),
        *list_ranking(scores),
        ScoreRow("log loss", f"{scores.negative_log_likelihood:.4f}"),
        ScoreRow("Brier score", f"{scores.brier:.4f}"),
        ScoreRow("calibration error", f"{scores.expected_calibration_error:.4f}"),
    ]
    lines = [f"{row.name:<19}  {row.value:>8}{f'  ({row.note})' if row.note else ''}" for row in rows]
    return "\n".join([*lines, "", *_tabulate_classes(scores)])


def format_p_value(p_value: float) -> str:
    """Return a p value with a relation sign.

    Examples
    --------
    >>> format_p_value(0.0312), format_p_value(1e-9)
    ('= 0.0312', '< 0.0001')
    """
    return f"= {p_value:.4f}" if p_value >= 0.0001 else "< 0.0001"


def list_class_differences(differences: Sequence[ClassDifference]) -> list[list[str]]:
    """Return rows of text with the columns of `CLASS_COLUMNS`."""
    return [
        [
            each.name,
            f"{each.n:,}",
            format_percent(each.first),
            format_percent(each.second),
            f"{100 * each.difference:+.2f}",
            f"{100 * each.low:+.2f} to {100 * each.high:+.2f}",
            format_p_value(each.p_value).removeprefix("= "),
        ]
        for each in differences
    ]


def format_class_differences(differences: Sequence[ClassDifference]) -> list[str]:
    """Return the comparison per class as lines for a terminal, with at most the 30 classes of lowest p value."""
    shown, title = select_classes(differences, _MAX_ROWS), "Recall per class"
    if len(shown) < len(differences):
        title += f", the {len(shown)} of {len(differences)} classes with the lowest p"
    rows = [[_shorten(name), *others] for name, *others in list_class_differences(shown)]
    n_classes = "1 class" if len(differences) == 1 else f"{len(differences)} classes"
    return [
        f"{title}, with its difference in points. p: McNemar's test with Holm's correction for {n_classes}, which the "
        "intervals do not have.",
        *align_columns([CLASS_COLUMNS, *rows]),
    ]


def select_classes(differences: Sequence[ClassDifference], max_classes: int) -> list[ClassDifference]:
    """Return at most `max_classes` classes, those of lowest p value, in their original order."""
    ranked = sorted(range(len(differences)), key=lambda k: (differences[k].p_value, -abs(differences[k].difference)))
    return [differences[k] for k in sorted(ranked[:max_classes])]


def _tabulate_classes(scores: Scores) -> list[str]:
    shown, lines = scores.per_class, []
    if len(shown) > _MAX_ROWS:
        shown = tuple(sorted(shown, key=lambda score: score.f1)[:_MAX_ROWS])
        lines = [f"The {_MAX_ROWS} of {len(scores.per_class)} classes with the lowest F1:"]
    names = [_shorten(score.name) for score in shown]
    width = max(len("class"), *map(len, names))
    lines.append(f"{'class':<{width}}  precision  recall      F1  images")
    for name, score in zip(names, shown, strict=True):
        figures = f"{score.precision:9.4f}  {score.recall:6.4f}  {score.f1:6.4f}  {score.support:6,}"
        lines.append(f"{name:<{width}}  {figures}")
    return lines


def _format_sizes(class_size_range: Sequence[int]) -> str:
    smallest, largest = class_size_range
    if smallest == largest:
        return f"{format_count(largest, 'image')} per class"
    return f"{smallest:,} to {format_count(largest, 'image')} per class"


def _format(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _explain_kappa(kappa: float | None) -> str:
    return "all images and predictions are of one class" if kappa is None else ""


def _shorten(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 40 else name[:39] + "…"
