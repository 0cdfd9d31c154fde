"""`ensemble`: train one member per cross-validation fold and save the members as one model."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from typing import Any, Unpack

from skconv.commands import Result, format_interval
from skconv.commands.options import DEFAULTS, RunOptions
from skconv.commands.output_folder import lock_output, open_run_folder
from skconv.commands.prepare import fit_estimator, prepare_run, use_workers
from skconv.commands.run_folder import check_can_save, score_run, write_run_folder
from skconv.files import check_new_folder
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
    out_of_fold_accuracy: float
    fold_accuracies: tuple[float, ...]
    fit_seconds: float
    n_parameters: int
    n_epochs: int

    def __str__(self) -> str:
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
        return "\n".join([*lines, f"Results in {self.folder}, the model in {self.model}."])


@expand_options(RunOptions, DEFAULTS)
@lock_output
def ensemble(
    source: str | os.PathLike[str] | None = None,
    *,
    folds: int | None = None,
    dask: str | None = None,
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
    skip_unreadable, exclude, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.
    out : path-like or None, default=None
        Run folder to create. None uses ``runs/DATA-RECIPE-ensemble``, with ``-2``, ``-3`` … if that exists.
    dask : str or None, default=None
        Address of a Dask scheduler, for example ``tcp://127.0.0.1:8786``, to train the folds on its workers. None
        trains them in this process. On machines of the same kind the scores are identical.
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
    if out is not None:
        check_new_folder(out)
    run = prepare_run(ensemble, arguments, split=False)
    dataset = run.dataset
    estimator: Any = run.create_estimator()
    with open_run_folder(out, f"{run.name}-ensemble") as folder:
        check_can_save(run, folder)
        with use_workers(dask):
            fit_estimator(estimator, dataset)
        estimator.adjust_prior(encode_classes(run.recipe.prior, dataset))
        scored = score_run(estimator, dataset)
        write_run_folder(folder, run, estimator=estimator, seed=run.seed, scored=scored)
    scores, tested = scored.scores, scored.split == "test"
    return EnsembleResult(
        data=dataset.name,
        recipe=run.recipe.name,
        folder=str(folder),
        model=str(folder / "model"),
        test_accuracy=scores.accuracy if tested else None,
        low=scores.low if tested else None,
        high=scores.high if tested else None,
        n=scores.n if tested else 0,
        out_of_fold_accuracy=estimator.out_of_fold_score_,
        fold_accuracies=tuple(float(score) for score in estimator.fold_scores_),
        fit_seconds=estimator.fit_seconds_,
        n_parameters=estimator.n_parameters_,
        n_epochs=estimator.n_epochs_,
    )
