"""CSV tables of predictions: results of `predict`, mistakes of a scored model, out-of-fold predictions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skconv.files import atomic_write, write_table

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.digits.ocr.readings import NumberReading
    from skconv.estimators import KFoldEnsembleClassifier
    from skconv.inference import Prediction

MISTAKES_NAME = "mistakes.csv"
OUT_OF_FOLD_NAME = "out_of_fold.csv"

_Column = tuple[str, Callable[["Prediction"], object]]  # header and value


def write_predictions(
    out: str | os.PathLike[str], predictions: Sequence[Prediction], class_names: Sequence[str]
) -> None:
    """Write one row per image: input, label, confidence, and a column for each optional field of the predictions."""
    columns: list[_Column] = [
        ("input", lambda each: each.input),
        ("label", lambda each: each.label),
        ("confidence", format_confidence),
    ]
    if any(each.ood_score is not None for each in predictions):
        columns += [
            ("ood_score", lambda each: "" if each.ood_score is None else f"{each.ood_score:.6g}"),
            ("unlike_training", lambda each: "" if each.unlike_training is None else str(each.unlike_training).lower()),
        ]
    if any(each.labels is not None for each in predictions):
        columns.append(("labels", lambda each: "|".join(each.labels or ())))
    for rank in range(max((len(each.top or ()) for each in predictions), default=0)):
        columns += _list_rank_columns(rank)
    if any(each.probabilities is not None for each in predictions):
        columns += [_make_probability_column(name) for name in class_names]
    if any(each.error is not None for each in predictions):
        columns.append(("error", lambda each: each.error or ""))
    header = [name for name, _ in columns]
    with atomic_write(out) as unfinished:
        write_table(unfinished, header, ([value(each) for _, value in columns] for each in predictions))


def format_confidence(record: Prediction | NumberReading) -> str:
    """Return the confidence for a CSV file, empty if the image could not be read."""
    return "" if record.error is not None else f"{record.confidence:.6f}"


def _list_rank_columns(rank: int) -> list[_Column]:
    """Return the columns of the class at a rank of the most probable classes, from 0."""
    return [
        (f"label_{rank + 1}", lambda each: each.top[rank].label if each.top else ""),
        (f"confidence_{rank + 1}", lambda each: f"{each.top[rank].confidence:.6f}" if each.top else ""),
    ]


def _make_probability_column(name: str) -> _Column:
    return f"probability_{name}", lambda each: f"{each.probabilities[name]:.6f}" if each.probabilities else ""


def write_mistakes(
    path: Path, names: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> None:
    """Write one row per wrongly classified image, the most confident mistake first: input, true, predicted, confidence.

    `names` and `labels`, indices into `class_names`, describe the images of the rows of `probabilities`.
    """
    from skconv.evaluation.metrics import MISTAKE_COLUMNS, list_mistakes

    rows = list_mistakes(names, labels, probabilities, class_names)
    write_table(path, MISTAKE_COLUMNS, rows)


def write_out_of_fold(path: Path, ensemble: KFoldEnsembleClassifier, dataset: Dataset) -> None:
    """Write one row per training image: input, label, predicted, fold, and the out-of-fold probability of each class.

    Prediction and probabilities are empty for an image that all members were trained on.
    """
    class_names, probabilities = dataset.class_names, ensemble.out_of_fold_proba_
    fold = np.zeros(len(probabilities), int)
    for number, held_out in enumerate(ensemble.held_out_indices_, 1):
        fold[held_out] = number
    names = dataset.list_names()
    rows: list[list[object]] = []
    for k, row in enumerate(probabilities):
        known = [class_names[row.argmax()], fold[k], *(f"{each:.6f}" for each in row)]
        rows.append([names[k], class_names[dataset.train_labels[k]], *(known if fold[k] else [""] * len(known))])
    header = ["input", "label", "predicted", "fold", *(f"probability_{name}" for name in class_names)]
    write_table(path, header, rows)
