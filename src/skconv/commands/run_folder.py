"""Run folder: model, scores, history and figures of a training run."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.prediction_tables import MISTAKES_NAME, OUT_OF_FOLD_NAME, write_mistakes, write_out_of_fold
from skconv.commands.prepare import read_inherited_fingerprints
from skconv.competitions.submissions import write_submission
from skconv.exceptions import OutputError, ParameterError
from skconv.files import atomic_dir, escape_undecodable
from skconv.model_io.folder import MODEL_FOLDER_NAME
from skconv.model_io.onnx import import_onnxruntime
from skconv.reports.class_curves import list_curve_figures
from skconv.reports.curves import draw_curves, draw_folds, draw_leaderboard
from skconv.reports.image_grids import draw_mistakes, draw_samples
from skconv.reports.scores import draw_confusion
from skconv.reports.style import save_figures
from skconv.reports.training_sections import LEADERBOARD_NAME
from skconv.text import format_percent

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from skconv.commands.prepare import PreparedRun
    from skconv.data.dataset import Dataset, SubmissionForm
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.evaluation.metrics import Scores

_FIGURES_BYTES = 2**23  # approximate size of figures, scores and histories
_N_WEIGHTS = 10  # copies of the weights in the model, its ONNX graph and two checkpoints with the optimizer's state


@dataclass(frozen=True)
class SeedResult:
    """Scores and settings of one training run.

    Parameters
    ----------
    seed : int
        Seed of this run.
    test_accuracy, low, high : float
        Accuracy on the test images, 0..1, with its 95 % interval.
    n : int
        Number of test images.
    fit_seconds : float
        Wall-clock time of `fit`, without loading data and scoring.
    n_epochs, n_parameters : int
        Number of epochs and number of trainable parameters.
    precision : str
        ``"fp32"`` or ``"bf16"``.
    model : str
        Model folder.
    class_size_range : list of int
        Minimum and maximum number of test images per class.
    balanced_accuracy, macro_f1 : float
        Mean recall and mean F1 of the classes on the test images, 0..1.
    """

    seed: int
    test_accuracy: float
    low: float
    high: float
    n: int
    fit_seconds: float
    n_epochs: int
    n_parameters: int
    precision: str
    model: str
    class_size_range: list[int]
    balanced_accuracy: float
    macro_f1: float

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], folder: Path) -> SeedResult:
        """Return the record of a run folder from the content of its ``scores.json``."""
        test = facts["test"]
        return cls(
            test_accuracy=test["accuracy"],
            **{name: test[name] for name in ("low", "high", "n", "class_size_range", "balanced_accuracy", "macro_f1")},
            **{name: facts[name] for name in ("seed", "fit_seconds", "n_epochs", "n_parameters", "precision")},
            model=str(folder / MODEL_FOLDER_NAME),
        )


@dataclass(frozen=True)
class ScoredImages:
    """Scored images of a run, with predictions and scores."""

    split: str  # "test" or "out_of_fold"
    images: np.ndarray
    labels: np.ndarray
    names: list[str]  # as in `Dataset.list_names`
    probabilities: np.ndarray
    scores: Scores


def score_run(estimator: Any, dataset: Dataset) -> ScoredImages:
    """Score a fitted estimator on the test split; without one, an ensemble on its out-of-fold predictions."""
    from skconv.evaluation.metrics import score_predictions

    names = dataset.list_names()
    if dataset.test_images is not None and dataset.test_labels is not None:
        split, images, labels = "test", dataset.test_images, dataset.test_labels
        names = names[-len(labels) :]
        probabilities = estimator.predict_proba(images)
    else:
        split, images, labels = "out_of_fold", dataset.train_images, dataset.train_labels
        names = names[: len(labels)]
        probabilities = estimator.out_of_fold_proba_
    scores = score_predictions(labels, probabilities, dataset.class_names)
    return ScoredImages(split, images, labels, names, probabilities, scores)


def write_run_folder(
    folder: Path,
    run: PreparedRun,
    *,
    estimator: CNNClassifier | KFoldEnsembleClassifier,
    seed: int,
    scored: ScoredImages,
) -> dict[str, Any]:
    """Write a run folder atomically, and return the content of ``scores.json``.

    The folder contains ``model/``, ``scores.json``, ``history.csv``, ``mistakes.csv``, ``recipe.toml`` and figures; for
    an ensemble also ``out_of_fold.csv``, for a competition ``submission.csv``.
    """
    from skconv.model_io.config import DataConfig
    from skconv.model_io.records import TrainingFingerprints

    dataset, metrics = run.dataset, scored.scores.to_json()
    facts = _collect_scores(run, estimator, seed, scored, metrics)
    member: Any = getattr(estimator, "estimator_", estimator)  # an ensemble's template, or the classifier
    seen = TrainingFingerprints.from_images(dataset.train_images)
    if dataset.valid_images is not None:
        seen = seen.union(TrainingFingerprints.from_images(dataset.valid_images))
    inherited = read_inherited_fingerprints(member.init_from)
    with atomic_dir(folder) as unfinished:
        estimator.save(
            unfinished / MODEL_FOLDER_NAME,
            class_names=dataset.class_names,
            data=DataConfig(
                name=dataset.name,
                source=escape_undecodable(dataset.source),
                licence=dataset.licence,
                fingerprint=run.loaded.fingerprint,
                n_train=len(dataset.train_labels),
                scored_on=_describe_scored(scored, run),
            ),
            scores={
                f"{scored.split}_{name}": value for name, value in metrics.items() if isinstance(value, int | float)
            },
            per_class=metrics["per_class"],
            command=run.command,
            fingerprints=seen if inherited is None else seen.union(inherited),
            normalization=dataset.preprocessing,
            images=scored.images,
            resize=dataset.resize,
        )
        (unfinished / "scores.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (unfinished / "recipe.toml").write_text(run.recipe_texts[seed], encoding="utf-8")
        _write_histories(unfinished, estimator)
        write_mistakes(
            unfinished / MISTAKES_NAME, scored.names, scored.labels, scored.probabilities, dataset.class_names
        )
        if hasattr(estimator, "out_of_fold_proba_"):
            write_out_of_fold(unfinished / OUT_OF_FOLD_NAME, estimator, dataset)
        if run.trials:
            write_rows(unfinished / LEADERBOARD_NAME, run.trials)
            save_figures(unfinished, {"leaderboard": partial(draw_leaderboard, run.trials)})
        _draw_figures(unfinished, estimator, dataset, scored, sample_rows=run.recipe.report.get("sample_rows", 4))
        if dataset.submission is not None:
            _write_submission(unfinished / "submission.csv", dataset.submission, dataset.class_names, estimator, scored)
    return facts


def _write_submission(
    path: Path,
    form: SubmissionForm,
    class_names: Sequence[str],
    estimator: CNNClassifier | KFoldEnsembleClassifier,
    scored: ScoredImages,
) -> None:
    """Write the submission of a competition with the most probable label of each image."""
    names = form.class_labels or class_names
    # Predictions of an ensemble take minutes: reuse the scored ones if they are of the same images.
    known = scored.probabilities if scored.images is form.images else estimator.predict_proba(form.images)
    write_submission(path, form, [names[best] for best in known.argmax(axis=1)])


def _collect_scores(
    run: PreparedRun, estimator: Any, seed: int, scored: ScoredImages, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``scores.json``."""
    dataset = run.dataset
    facts: dict[str, Any] = {scored.split: metrics}
    if hasattr(estimator, "out_of_fold_score_"):
        facts["out_of_fold_accuracy"] = estimator.out_of_fold_score_
        facts["fold_accuracies"] = list(estimator.fold_scores_)
    facts |= {
        "data": {"name": dataset.name, "source": dataset.source, "n_train": len(dataset.train_labels)},
        "fit_seconds": estimator.fit_seconds_,
        "n_epochs": estimator.n_epochs_,
        "n_parameters": estimator.n_parameters_,
        "precision": estimator.precision_,
        "seed": seed,
        "command": run.command,
    }
    held_out = estimator.held_out_
    if held_out is not None:
        facts["calibration"] = {"temperature": held_out.temperature, "n": len(held_out.labels)}
    if run.recipe.report.get("train_accuracy"):
        facts["train_accuracy"] = float(estimator.score(dataset.train_images, dataset.train_labels))
        print(f"Accuracy on all training images: {format_percent(facts['train_accuracy'])}", file=sys.stderr)
    return facts


def _describe_scored(scored: ScoredImages, run: PreparedRun) -> str:
    """Return a description of the scored images for the model card."""
    if scored.split == "out_of_fold":
        return "the training images, each predicted by members not trained on it"
    own = run.dataset.fingerprint == run.loaded.fingerprint
    return f"the test split of {run.dataset.name}" if own else f"images of {run.dataset.name} held out before training"


def _write_histories(folder: Path, estimator: Any) -> None:
    """Write one CSV row per epoch, with the fold number for an ensemble, and one per recorded iteration."""
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
            save_figures(folder, {stem: partial(draw_curves, recorder.rows_, by="iteration")})


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one or more rows with the same keys as a CSV file with a header."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _draw_figures(folder: Path, estimator: Any, dataset: Dataset, scored: ScoredImages, *, sample_rows: int) -> None:
    names, is_ensemble = dataset.class_names, hasattr(estimator, "histories_")
    figures: dict[str, Callable[[], Figure]] = {
        "samples": partial(draw_samples, dataset.train_images, dataset.train_labels, names, rows=sample_rows),
        "curves": partial(draw_folds, estimator.histories_)
        if is_ensemble
        else partial(draw_curves, estimator.history_),
        "confusion": partial(draw_confusion, scored.scores.confusion, names),
        "mistakes": partial(draw_mistakes, scored.images, scored.labels, scored.probabilities, names),
        **list_curve_figures(scored.labels, scored.probabilities, names),
    }
    save_figures(folder, figures)


def check_can_save(run: PreparedRun, folder: Path) -> None:
    """Raise an error before training if the model could not be saved, because a package or disk space is missing."""
    try:
        import onnx  # noqa: F401

        import_onnxruntime()
    except ImportError as error:
        raise ParameterError(
            f"A package required to save a model cannot be imported: {error}. Install the packages again: "
            "pip install --force-reinstall onnx onnxruntime"
        ) from error
    need = _estimate_size(run)
    try:
        free = shutil.disk_usage(next(each for each in (folder, *folder.absolute().parents) if each.exists())).free
    except OSError:  # some file systems do not report the free space
        return
    if free < need:
        raise OutputError(
            f"The disk of {folder} has {free / 2**20:.0f} MiB free; the model and checkpoints of this run need about "
            f"{need / 2**20:.0f} MiB. Free disk space, or choose another folder with --out."
        )


def _estimate_size(run: PreparedRun) -> int:
    """Return the approximate size of a run folder and its checkpoints in bytes."""
    import torch

    from skconv.networks.spec import NetworkSpec

    with torch.random.fork_rng(devices=[]):
        spec = NetworkSpec.from_recipe(run.recipe.network)
        network = spec.create_for(run.dataset.image_shape, len(run.dataset.class_names))
    n_bytes = sum(each.numel() * each.element_size() for each in network.parameters())
    return _FIGURES_BYTES + n_bytes * (_N_WEIGHTS + 2 * run.recipe.ensemble.get("folds", 0))
