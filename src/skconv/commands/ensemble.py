"""`ensemble`: train one member per cross-validation fold and save the members as one model."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from skconv.commands import Result, format_interval
from skconv.commands.options import DEFAULTS, RunOptions
from skconv.commands.output_folder import lock_output
from skconv.commands.prepare import PreparedRun, prepare_run
from skconv.commands.resuming import (
    check_out,
    fit_folds,
    open_resumable_folder,
    read_finished_run,
    remove_checkpoints,
)
from skconv.commands.run_folder import check_can_save, score_run, write_run_folder
from skconv.model_io.folder import MODEL_FOLDER_NAME
from skconv.signature import expand_options
from skconv.text import format_percent


@dataclass(frozen=True)
class EnsembleResult(Result):
    """Result of `ensemble`.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder, model : str
        Run folder, and the model folder in it.
    test_accuracy, low, high : float or None
        Accuracy on the test images, 0..1, with its 95 % interval; None without a labelled test split.
    n : int
        Number of test images.
    class_size_range : list of int
        Minimum and maximum number of scored images per class; without a test split, of training images.
    balanced_accuracy, macro_f1 : float
        Mean recall and mean F1 of the classes on the scored images, 0..1.
    out_of_fold_accuracy : float
        Accuracy on the training images, each predicted by members that were not trained on it, 0..1.
    fold_accuracies : tuple of float
        Accuracy of each member on the fold it was not trained on, 0..1.
    fit_seconds : float
        Total wall-clock time of training the members.
    n_parameters, n_epochs : int
        Number of parameters of all members; maximum number of epochs of a member.
    """

    data: str
    recipe: str
    folder: str
    model: str
    test_accuracy: float | None
    low: float | None
    high: float | None
    n: int
    class_size_range: list[int]
    balanced_accuracy: float
    macro_f1: float
    out_of_fold_accuracy: float
    fold_accuracies: tuple[float, ...]
    fit_seconds: float
    n_parameters: int
    n_epochs: int

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], folder: Path, run: PreparedRun) -> Self:
        """Return the record of a run folder from the content of its ``scores.json``."""
        unscored = {"accuracy": None, "low": None, "high": None, "n": 0}
        test: Mapping[str, Any] = facts.get("test", unscored)
        scored: Mapping[str, Any] = facts.get("test") or facts["out_of_fold"]
        return cls(
            data=run.dataset.name,
            recipe=run.recipe.name,
            folder=str(folder),
            model=str(folder / MODEL_FOLDER_NAME),
            test_accuracy=test["accuracy"],
            **{name: test[name] for name in ("low", "high", "n")},
            **{name: scored[name] for name in ("class_size_range", "balanced_accuracy", "macro_f1")},
            fold_accuracies=tuple(facts["fold_accuracies"]),
            **{name: facts[name] for name in ("out_of_fold_accuracy", "fit_seconds", "n_parameters", "n_epochs")},
        )

    def __str__(self) -> str:
        from skconv.evaluation.score_table import describe_balance

        members, deviation = len(self.fold_accuracies), statistics.stdev(self.fold_accuracies)
        lines = [
            f"Trained {members} members on {self.data} with recipe {self.recipe} in {self.fit_seconds:.1f} s, "
            f"{self.n_parameters:,} parameters.",
            f"Out-of-fold accuracy {format_percent(self.out_of_fold_accuracy)} (of single members; standard deviation "
            f"over folds {format_percent(deviation)}).",
        ]
        if self.test_accuracy is not None and self.low is not None and self.high is not None:
            interval = format_interval(self.low, self.high, self.n)
            lines.append(f"Test accuracy of the ensemble {format_percent(self.test_accuracy)} ({interval}).")
        lines += describe_balance(self.class_size_range, self.balanced_accuracy, self.macro_f1)
        return "\n".join([*lines, f"Results in {self.folder}, the model in {self.model}."])


@expand_options(RunOptions, DEFAULTS)
@lock_output
def ensemble(
    source: str | os.PathLike[str] | None = None,
    *,
    folds: int | None = None,
    dask: str | None = None,
    resume: bool = False,
    **options: Unpack[RunOptions],
) -> EnsembleResult:
    """Train a k-fold ensemble on all training images and write a run folder.

    A labelled test split is scored once. Without one, all images are used for training, and the out-of-fold accuracy
    estimates the accuracy of a member. Probabilities are calibrated with the out-of-fold predictions. For a
    competition, the submission file is also written.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `skconv.load_dataset`; None uses the recipe's data.
    folds : int or None, default=None
        Number of members, 2..1000; None uses the recipe's number, or 5. Folds are stratified unless the recipe disables
        stratification.
    recipe, network, epochs, batch_size, learning_rate, time_limit, threads, settings
        As in `skconv.train`.
    device, progress, command
        As in `skconv.train`.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.
    out : path-like or None, default=None
        Run folder to create. None uses ``runs/DATA-RECIPE-ensemble``, with ``-2``, ``-3`` … if that exists.
    dask : str or None, default=None
        Address of a Dask scheduler, for example ``tcp://127.0.0.1:8786``, to train the folds on its workers. None
        trains them in this process. On machines of the same kind the scores are identical.
    resume : bool, default=False
        As in `skconv.train`; finished folds are not trained again. Not supported with `dask`, whose workers save no
        checkpoints.
    seed : int or None, default=None
        Seed of the folds and the members, 0..2**31 - 1; None uses the recipe's seed, or 0.

    Returns
    -------
    EnsembleResult
        Scores, times and folders.

    Raises
    ------
    SkconvError
        As in `skconv.train`; also a `ClusterError` if no scheduler or worker responds.

    Examples
    --------
    >>> result = ensemble("digits", folds=3, recipe="fast", out="runs/three")  # doctest: +SKIP
    >>> print(result.out_of_fold_accuracy)  # doctest: +SKIP
    """
    from skconv.recipes.recipe import encode_classes

    arguments, out = locals(), options["out"]
    check_out(out, resume=resume, dask=dask)
    run = prepare_run(ensemble, arguments, split=False)
    estimator: Any = run.create_estimator()
    with open_resumable_folder(out, f"{run.name}-ensemble", resume=resume) as folder:
        check_can_save(run, folder)
        finished = read_finished_run(folder, run, run.seed, partial(EnsembleResult.from_facts, folder=folder, run=run))
        if finished is not None:
            return finished
        fit_folds(estimator, run, folder, dask=dask)
        estimator.adjust_prior(encode_classes(run.recipe.prior, run.dataset))
        scored = score_run(estimator, run.dataset)
        facts = write_run_folder(folder, run, estimator=estimator, seed=run.seed, scored=scored)
        remove_checkpoints(folder)
    return EnsembleResult.from_facts(facts, folder, run)
