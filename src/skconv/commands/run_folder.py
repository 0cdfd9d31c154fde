"""Write the folder of a training run: the model, its scores, the history and figures."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.competitions.submissions import write_submission
from skconv.exceptions import DataError
from skconv.files import atomic_dir
from skconv.reports.confusion import draw_confusion
from skconv.reports.curves import draw_curves, draw_folds
from skconv.reports.image_grids import draw_mistakes, draw_samples
from skconv.reports.style import save_figure

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.evaluation.metrics import Scores
    from skconv.model_io.held_out import HeldOut


@dataclass(frozen=True)
class Scored:
    """Images the run is judged by, with its predictions.

    Parameters
    ----------
    split : str
        ``"test"``, or ``"out_of_fold"`` for training images that each were predicted by the members of an ensemble
        that had not seen them.
    images : ndarray of uint8
        The images.
    labels : ndarray of int64, shape (n,)
        Their classes.
    probabilities : ndarray of float, shape (n, n_classes)
        The predictions.
    scores : Scores
        How good these are.
    """

    split: str
    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    scores: Scores


def score_test(estimator: CNNClassifier | KFoldEnsembleClassifier, dataset: Dataset) -> Scored:
    """Score a fitted estimator on the test split, once."""
    from skconv.evaluation.metrics import score_predictions

    if dataset.test_images is None or dataset.test_labels is None:
        raise DataError(f"{dataset.name} has no labelled test split to score on.")
    probabilities = estimator.predict_proba(dataset.test_images)
    scores = score_predictions(dataset.test_labels, probabilities, dataset.class_names)
    return Scored("test", dataset.test_images, dataset.test_labels, probabilities, scores)


def write_run_folder(
    folder: Path,
    *,
    estimator: CNNClassifier | KFoldEnsembleClassifier,
    dataset: Dataset,
    fingerprint: str,
    seed: int,
    scored: Scored,
    report: Mapping[str, Any],
    recipe_text: str,
    command: str,
    held_out: HeldOut | None = None,
) -> None:
    """Write everything a training run leaves, as a whole or not at all.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to make: ``model/``, ``scores.json``, ``history.csv``, ``recipe.toml`` and figures; for a competition
        also ``submission.csv``.
    estimator : CNNClassifier or KFoldEnsembleClassifier
        The fitted estimator.
    dataset : Dataset
        What it was fitted on.
    fingerprint : str
        That of the data as it was loaded, before a test split was held out.
    seed : int
        The seed of the run.
    scored : Scored
        What the run is judged by.
    report : mapping
        The recipe's section of that name.
    recipe_text : str
        The recipe as TOML.
    command : str
        The command or call that made the run.
    held_out : HeldOut, optional
        What the estimator answers to its validation images, if it is calibrated by them.

    Raises
    ------
    OutputError
        The folder cannot be written; nothing of it is left.
    """
    from skconv.commands.transfer import read_inherited_fingerprints
    from skconv.model_io.config import DataConfig
    from skconv.model_io.fingerprints import TrainingFingerprints

    measured = scored.scores.to_json()
    facts = {
        scored.split: measured,
        **_describe_folds(estimator),
        "data": {"name": dataset.name, "source": dataset.source, "n_train": len(dataset.train_labels)},
        "fit_seconds": estimator.fit_seconds_,
        "n_epochs": estimator.n_epochs_,
        "n_parameters": estimator.n_parameters_,
        "precision": estimator.precision_,
        "seed": seed,
        "command": command,
    }
    if held_out is not None:
        facts["calibration"] = {"temperature": held_out.temperature, "n": len(held_out.labels)}
    if report.get("train_accuracy"):
        facts["train_accuracy"] = float(estimator.score(dataset.train_images, dataset.train_labels))
        print(f"accuracy on all training images {facts['train_accuracy']:.2%}", file=sys.stderr)
    member: Any = getattr(estimator, "estimator_", estimator)  # what all members of an ensemble are copies of
    seen, before = TrainingFingerprints.from_images(dataset.train_images), read_inherited_fingerprints(member.init_from)
    with atomic_dir(folder) as unfinished:
        estimator.save(
            unfinished / "model",
            class_names=dataset.class_names,
            data=DataConfig(
                name=dataset.name,
                source=dataset.source,
                licence=dataset.licence,
                fingerprint=fingerprint,
                n_train=len(dataset.train_labels),
                scored_on=_describe_scored(scored, dataset, own=dataset.fingerprint == fingerprint),
            ),
            scores={f"{scored.split}_{name}": value for name, value in measured.items() if name != "per_class"},
            per_class=measured["per_class"],
            command=command,
            seen=seen if before is None else seen.union(before),
            held_out=held_out,
            normalization=dataset.normalization,
        )
        (unfinished / "scores.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (unfinished / "recipe.toml").write_text(recipe_text, encoding="utf-8")
        _write_histories(unfinished, estimator)
        _draw_figures(unfinished, estimator, dataset, scored, sample_rows=report.get("sample_rows", 4))
        if dataset.submission is not None:
            form = dataset.submission
            names = form.class_labels or dataset.class_names
            # An ensemble takes minutes to name these images: it does so once where they are what was scored.
            named = scored.images is form.images
            positions = (scored.probabilities if named else estimator.predict_proba(form.images)).argmax(axis=1)
            write_submission(unfinished / "submission.csv", form, [names[position] for position in positions])


def _describe_scored(scored: Scored, dataset: Dataset, *, own: bool) -> str:
    """Say for the card which images were scored; `own`: the data's training images were left as they came."""
    if scored.split == "out_of_fold":
        return "the training images, each by members that had not seen it"
    return f"the test split of {dataset.name}" if own else f"images of {dataset.name} held out before training"


def _describe_folds(estimator: Any) -> dict[str, Any]:
    if not hasattr(estimator, "histories_"):
        return {}
    return {"out_of_fold_accuracy": estimator.out_of_fold_score_, "fold_accuracies": list(estimator.fold_scores_)}


def _write_histories(folder: Path, estimator: Any) -> None:
    """Write one row an epoch, of an ensemble with the number of its fold, and one a recorded iteration."""
    if hasattr(estimator, "histories_"):
        histories, members = estimator.histories_, estimator.estimators_
        rows = [{"fold": fold, **row} for fold, history in enumerate(histories, start=1) for row in history]
    else:
        members, rows = [estimator], estimator.history_
    write_rows(folder / "history.csv", rows)
    for fold, member in enumerate(members, start=1):
        recorder = dict(member.net_.callbacks_).get("record_iterations")
        if recorder is not None and recorder.rows_:
            stem = "iterations" if len(members) == 1 else f"iterations-{fold}"
            write_rows(folder / f"{stem}.csv", recorder.rows_)
            save_figure(draw_curves(recorder.rows_, by="iteration"), folder / f"{stem}.png")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same keys as a CSV with a header; at least one."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _draw_figures(folder: Path, estimator: Any, dataset: Dataset, scored: Scored, *, sample_rows: int) -> None:
    names = dataset.class_names
    figures = {
        "samples": draw_samples(dataset.train_images, dataset.train_labels, names, rows=sample_rows),
        "curves": _draw_histories(estimator),
        "confusion": draw_confusion(scored.scores.confusion, names),
        "mistakes": draw_mistakes(scored.images, scored.labels, scored.probabilities, names),
    }
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")


def _draw_histories(estimator: Any) -> Figure:
    if not hasattr(estimator, "histories_"):
        return draw_curves(estimator.history_)
    return draw_folds(estimator.histories_)
