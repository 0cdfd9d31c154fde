"""`cross_validate`: estimate a recipe's accuracy and its variance on folds of the training images."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from skconv.commands import Result
from skconv.commands.options import DEFAULTS, RunOptions
from skconv.commands.output_folder import lock_output
from skconv.commands.prediction_tables import OUT_OF_FOLD_NAME, write_out_of_fold
from skconv.commands.prepare import PreparedRun, prepare_run
from skconv.commands.resuming import (
    check_out,
    fit_folds,
    open_resumable_folder,
    read_finished_run,
    remove_checkpoints,
)
from skconv.commands.run_folder import write_rows
from skconv.files import atomic_dir
from skconv.signature import expand_options
from skconv.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.data.dataset import Dataset
    from skconv.estimators import KFoldEnsembleClassifier


@dataclass(frozen=True)
class FoldResult:
    """One fold of a cross-validation, scored with the final weights."""

    fold: int  # from 1
    accuracy: float  # on the held-out images, 0..1
    valid_loss: float  # mean cross-entropy of the held-out images, in nats
    fit_seconds: float
    n_epochs: int
    n_train: int
    n_valid: int


@dataclass(frozen=True)
class CrossValidationResult(Result):
    """Result of `cross_validate`.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder : str
        Folder of the results.
    folds : tuple of FoldResult
        One per fold, with `accuracy`, `valid_loss`, `fit_seconds`, `n_epochs`, `n_train` and `n_valid`.
    fit_seconds : float
        Total wall-clock time of training.
    n_train, n_test : int
        Number of images in all folds, and of unused test images.
    class_size_range : list of int
        Minimum and maximum number of images per class in all folds.
    balanced_accuracy, macro_f1 : float
        Mean recall and mean F1 of the classes on the images of all folds, 0..1.
    selected : bool
        Whether the recipe selects weights by the loss on the held-out images.
    """

    data: str
    recipe: str
    folder: str
    folds: tuple[FoldResult, ...]
    fit_seconds: float
    n_train: int
    n_test: int
    class_size_range: list[int]
    balanced_accuracy: float
    macro_f1: float
    selected: bool

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], folder: Path, run: PreparedRun) -> Self:
        """Return the record of a folder from the content of its ``scores.json``."""
        training = run.recipe.training
        return cls(
            data=run.dataset.name,
            recipe=run.recipe.name,
            folder=str(folder),
            folds=tuple(FoldResult(**row) for row in facts["folds"]),
            fit_seconds=facts["fit_seconds"],
            n_train=facts["data"]["n_train"],
            n_test=facts["data"]["n_test"],
            **{name: facts["out_of_fold"][name] for name in ("class_size_range", "balanced_accuracy", "macro_f1")},
            selected=training.get("restore_best") is not None or training.get("patience") is not None,
        )

    @property
    def accuracy(self) -> float:
        """Mean accuracy over the folds, 0..1."""
        return statistics.fmean(fold.accuracy for fold in self.folds)

    @property
    def accuracy_sd(self) -> float:
        """Standard deviation of the accuracy over the folds."""
        return statistics.stdev(fold.accuracy for fold in self.folds)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "accuracy": self.accuracy,
            "accuracy_sd": self.accuracy_sd,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "n_folds": len(self.folds),
            "folds": [asdict(fold) for fold in self.folds],
            "fit_seconds": self.fit_seconds,
            "folder": self.folder,
        }

    def __str__(self) -> str:
        from skconv.evaluation.score_table import describe_balance

        rows: list[Any] = [(each.accuracy, each.valid_loss, each.fit_seconds, each.n_epochs) for each in self.folds]
        columns = list(zip(*rows, strict=True))
        rows += [map(statistics.fmean, columns), map(statistics.stdev, columns)]
        labels = [*(each.fold for each in self.folds), "mean", "sd"]
        lines = [
            f"Cross-validated recipe {self.recipe} on {self.data}: {len(self.folds)} folds of {self.n_train:,} "
            f"training images; {self.n_test:,} test images were not used.",
            "",
            "fold  accuracy  validation loss  seconds  epochs",
            *(
                f"{label:>4}  {format_percent(accuracy):>8}  {loss:15.4f}  {seconds:7.1f}  {epochs:6.4g}"
                for label, (accuracy, loss, seconds, epochs) in zip(labels, rows, strict=True)
            ),
            "",
        ]
        if self.selected:
            lines.append(
                "The weights of each fold were selected on the images it is scored on: the accuracy is slightly "
                "optimistic."
            )
        lines += describe_balance(self.class_size_range, self.balanced_accuracy, self.macro_f1)
        lines.append(
            f"Accuracy {format_percent(self.accuracy)} ± {format_percent(self.accuracy_sd)}. Results in {self.folder}."
        )
        return "\n".join(lines)


@expand_options(RunOptions, DEFAULTS)
@lock_output
def cross_validate(
    source: str | os.PathLike[str] | None = None,
    *,
    folds: int = 5,
    dask: str | None = None,
    resume: bool = False,
    **options: Unpack[RunOptions],
) -> CrossValidationResult:
    """Cross-validate a recipe on the training images, and write scores and figures.

    The test images that `skconv.train` scores with the same recipe and seed are not used, so that they do not influence
    the choice of a recipe. No model is saved; `skconv.ensemble` saves the members as one model.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `skconv.load_dataset`; None uses the recipe's data, split as in the recipe.
    folds : int, default=5
        Number of folds, 2..1000; stratified unless the recipe disables stratification.
    recipe, network, epochs, batch_size, learning_rate, time_limit, threads, settings
        As in `skconv.train`.
    device, progress, command
        As in `skconv.train`.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.
    out : path-like or None, default=None
        Folder to create. None uses ``runs/DATA-RECIPE-folds``, with ``-2``, ``-3`` … if that exists.
    dask, resume
        As in `skconv.ensemble`.
    seed : int or None, default=None
        Seed of the test split, the folds and the members, 0..2**31 - 1; None uses the recipe's seed, or 0.

    Returns
    -------
    CrossValidationResult
        One record per fold, with mean and standard deviation.

    Raises
    ------
    SkconvError
        As in `skconv.train`; also a `DataError` if a class has fewer images than there are folds, and a `ClusterError`
        if no scheduler or worker responds.

    Examples
    --------
    >>> result = cross_validate("digits", folds=3, recipe="fast", out="runs/three")  # doctest: +SKIP
    >>> print(result.accuracy, result.accuracy_sd)  # doctest: +SKIP
    """
    arguments, out = locals(), options["out"]
    check_out(out, resume=resume, dask=dask)
    run = prepare_run(cross_validate, arguments)
    estimator: Any = run.create_estimator().set_params(calibrate=False)  # the scores are of uncalibrated members
    with open_resumable_folder(out, f"{run.name}-folds", resume=resume) as folder:
        read = partial(CrossValidationResult.from_facts, folder=folder, run=run)
        finished = read_finished_run(folder, run, run.seed, read)
        if finished is not None:
            return finished
        fit_folds(estimator, run, folder, dask=dask)
        result = read(_write_folder(folder, estimator, run))
        remove_checkpoints(folder)
    return result


def _score_folds(estimator: KFoldEnsembleClassifier, dataset: Dataset) -> tuple[FoldResult, ...]:
    """Score each member with its final weights on the images it was not trained on."""
    from skconv.evaluation.metrics import score_predictions

    results = []
    members = zip(estimator.estimators_, estimator.held_out_indices_, strict=True)
    for number, (member, held_out) in enumerate(members, 1):
        scores = score_predictions(dataset.train_labels[held_out], estimator.out_of_fold_proba_[held_out])
        results.append(
            FoldResult(
                fold=number,
                accuracy=scores.accuracy,
                valid_loss=scores.negative_log_likelihood,
                fit_seconds=member.fit_seconds_,
                n_epochs=member.n_epochs_,
                n_train=member.n_samples_fit_,
                n_valid=scores.n,
            )
        )
    return tuple(results)


def _write_folder(folder: Path, estimator: KFoldEnsembleClassifier, run: PreparedRun) -> dict[str, Any]:
    """Write scores, curves and recipe atomically, and return the content of ``scores.json``."""
    from skconv.evaluation.metrics import score_predictions
    from skconv.reports.class_curves import list_curve_figures
    from skconv.reports.curves import draw_folds
    from skconv.reports.scores import draw_confusion
    from skconv.reports.style import save_figures

    dataset = run.dataset
    scores = score_predictions(dataset.train_labels, estimator.out_of_fold_proba_, dataset.class_names)
    folds = _score_folds(estimator, dataset)
    accuracies, rows = [fold.accuracy for fold in folds], [asdict(fold) for fold in folds]
    facts = {
        "accuracy": statistics.fmean(accuracies),
        "accuracy_sd": statistics.stdev(accuracies),
        "folds": rows,
        "out_of_fold": scores.to_json(),
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "fingerprint": run.loaded.fingerprint,
            "n_train": len(dataset.train_labels),
            "n_test": 0 if dataset.test_labels is None else len(dataset.test_labels),
        },
        "fit_seconds": estimator.fit_seconds_,
        "precision": estimator.precision_,
        "seed": run.seed,
        "command": run.command,
    }
    with atomic_dir(folder) as unfinished:
        write_rows(unfinished / "folds.csv", rows)
        write_out_of_fold(unfinished / OUT_OF_FOLD_NAME, estimator, dataset)
        (unfinished / "scores.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (unfinished / "recipe.toml").write_text(run.recipe_texts[run.seed], encoding="utf-8")
        figures: dict[str, Callable[[], Figure]] = {
            "curves": partial(draw_folds, estimator.histories_),
            "confusion": partial(draw_confusion, scores.confusion, dataset.class_names),
            **list_curve_figures(dataset.train_labels, estimator.out_of_fold_proba_, dataset.class_names),
        }
        save_figures(unfinished, figures)
    return facts
