"""`train`: train a classifier with a recipe, score it on the test split, write a run folder."""

from __future__ import annotations

import os
import statistics
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from skconv.commands import Result, format_interval
from skconv.commands.data_summary import print_data
from skconv.commands.options import DEFAULTS, RunOptions
from skconv.commands.output_folder import lock_output
from skconv.commands.prepare import PreparedRun, fit_estimator, prepare_run, warn_if_leaked
from skconv.commands.recipe_selection import record_epochs, select_recipe
from skconv.commands.recorded_call import describe_resume
from skconv.commands.resuming import (
    check_out,
    fit_resumable,
    open_resumable_folder,
    read_finished_run,
    remove_checkpoints,
)
from skconv.commands.run_folder import SeedResult, check_can_save, score_run, write_run_folder
from skconv.distributed.process_group import is_distributed, is_main_process, join_process_group, main_process_only
from skconv.signature import expand_options
from skconv.text import format_count, format_percent

_MIN_TEST = 100  # images; the interval of an accuracy of 90 % is then 12 % wide


@dataclass(frozen=True)
class TrainResult(Result):
    """Result of `train`.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder : str
        Run folder; for several seeds, the folder that contains their run folders.
    seeds : tuple of SeedResult
        One record per seed, in order. `model` is that of the first seed, because selecting the best test accuracy would
        bias the estimate.
    """

    data: str
    recipe: str
    folder: str
    seeds: tuple[SeedResult, ...]

    @property
    def test_accuracy(self) -> float:
        """Mean test accuracy over the seeds, 0..1."""
        return statistics.fmean(each.test_accuracy for each in self.seeds)

    @property
    def fit_seconds(self) -> float:
        """Median time of `fit` over the seeds, in seconds."""
        return statistics.median(each.fit_seconds for each in self.seeds)

    @property
    def model(self) -> str:
        """Model folder of the first seed."""
        return self.seeds[0].model

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; for several seeds also ``test_accuracy_sd``."""
        first = self.seeds[0]
        record = {
            "test_accuracy": self.test_accuracy,
            "fit_seconds": self.fit_seconds,
            "n_parameters": first.n_parameters,
            "n_epochs": first.n_epochs,
            "model": self.model,
            "seeds": [asdict(each) for each in self.seeds],
        }
        if len(self.seeds) > 1:
            record["test_accuracy_sd"] = statistics.stdev(each.test_accuracy for each in self.seeds)
        return record

    def __str__(self) -> str:
        from skconv.evaluation.score_table import describe_balance

        first = self.seeds[0]
        balanced_accuracy, macro_f1 = (
            statistics.fmean(getattr(each, name) for each in self.seeds) for name in ("balanced_accuracy", "macro_f1")
        )
        if len(self.seeds) == 1:
            spread = format_interval(first.low, first.high, first.n)
        else:
            deviation = statistics.stdev(each.test_accuracy for each in self.seeds)
            spread = f"mean of {len(self.seeds)} seeds, standard deviation {format_percent(deviation)}, n = {first.n}"
        lines = [
            f"Trained on {self.data} with recipe {self.recipe}: {format_count(first.n_epochs, 'epoch')} in "
            f"{self.fit_seconds:.1f} s, {first.n_parameters:,} parameters, {first.precision}.",
            f"Test accuracy {format_percent(self.test_accuracy)} ({spread}).",
            *describe_balance(first.class_size_range, balanced_accuracy, macro_f1),
            f"Results in {self.folder}, the model in {self.model}.",
        ]
        return "\n".join(lines)


@main_process_only()
@expand_options(RunOptions, {**DEFAULTS, "recipe": None})
@lock_output
def train(
    source: str | os.PathLike[str] | None = None,
    *,
    seeds: int = 1,
    resume: bool = False,
    init_from: str | os.PathLike[str] | None = None,
    freeze_fraction: float | None = None,
    **options: Unpack[RunOptions],
) -> TrainResult:
    """Train a classifier, score it once on the test split and write a run folder.

    The test split is not used for training: early stopping and calibration use a validation split of the training
    images. Without a test split, a stratified 15 % of the images is held out. For a competition, the submission file
    is also written.

    Processes started by torchrun train one model together. The main process scores it and writes the run folder; the
    other processes exit with code 0.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `skconv.load_dataset`; None uses the recipe's data, split as in the recipe.
    recipe : str, path-like or None, default=None
        Name of a recipe, or TOML file. None uses "auto", which compares recipes on validation images within the time
        limit, 5 minutes by default, and trains the best one. For data sets in the format of MNIST, and if `network`,
        `epochs`, `batch_size`, `learning_rate`, `settings`, `init_from` or `freeze_fraction` is given, None uses
        "standard".
    network : str, class, callable or None, default=None
        Network to use instead of the recipe's.
    epochs : float, "auto" or None, default=None
        Number of passes over the training images, instead of the recipe's `max_epochs` and `min_steps`.
    batch_size, learning_rate : default=None
        As in `CNNClassifier`; None uses the recipe's values.
    time_limit : str, float or None, default=None
        Maximum time of the command in seconds, or a duration such as "10m". Fewer epochs are trained if necessary.
    threads : int, "auto" or None, default=None
        Number of processor threads, as `n_threads` of `CNNClassifier`; None uses the recipe's number.
    settings : mapping, sequence of str or None, default=None
        Other settings of the recipe to change, such as ``{"training.weight_decay": 0.1, "augmentation.rotation": 5}``
        or ``["training.weight_decay=0.1"]``. The ``recipe.toml`` of the run contains them.
    out : path-like or None, default=None
        Run folder to create. None uses ``runs/DATA-RECIPE``, with ``-2``, ``-3`` … if that exists.
    seeds : int, default=1
        Number of runs, 1..1000, with the seeds `seed`, `seed` + 1, …; their folders are ``out/seed-0`` ….
    seed : int or None, default=None
        First seed, 0..2**31 - 1; None uses the recipe's seed, or 0. It also determines the held-out test images, which
        are the same in all runs.
    resume : bool, default=False
        Continue an interrupted run in `out`, or start it. The final weights are identical to those of an uninterrupted
        run. Checkpoints of an unfinished run are in ``OUT.checkpoint``.
    init_from : path-like or None, default=None
        Model to initialise the weights from, as far as names and shapes match; classes and image size may differ. Its
        network is used unless `network` is given. With `progress`, a summary is printed.
    freeze_fraction : float or None, default=None
        As in `CNNClassifier`: the fraction of a pretrained network's stages that are not trained, 1 for the head only;
        with `init_from`, the fraction of training in which the loaded layers are unfrozen one by one. None uses the
        recipe's value.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Device to train on.
    progress : bool or None, default=None
        Report the progress and the remaining time, as ``CNNClassifier(verbose=1)`` does; None does so in a terminal
        or notebook.
    command : str or None, default=None
        Command to record with the model; None records this call.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.

    Returns
    -------
    TrainResult
        Scores, times and folders, one record per seed.

    Raises
    ------
    UnknownNameError, RecipeError, ParameterError
        If a name is unknown or a setting is out of range.
    SourceNotFoundError, DownloadError, DataError
        If the data cannot be found, downloaded or used.
    OutputError
        If the folder is not empty or cannot be written; raised before training where possible.
    ModelFileError
        If the checkpoint to resume belongs to a run with other settings.
    ProcessLostError
        If another process of a distributed run was killed or does not respond.

    Examples
    --------
    >>> result = train("digits", recipe="fast", out="runs/digits")  # doctest: +SKIP
    >>> print(result.test_accuracy, result.model)  # doctest: +SKIP
    """
    out = options["out"]
    check_out(out, resume=resume)
    run = prepare_run(train, locals())
    if run.recipe.report.get("describe_data"):
        member = run.recipe.create_member()
        print_data(run.dataset, batch_size=member.batch_size, validation_fraction=member.validation_fraction)
    warn_if_leaked(run.recipe, run.dataset)
    _warn_of_few_test_images(run)
    with open_resumable_folder(out, run.name, resume=resume) as folder:
        if is_main_process():
            check_can_save(run, folder)
        if run.recipe.auto:
            run = select_recipe(run, folder)
        command = describe_resume(run.command, folder)
        results = tuple(
            _train_seed(run, each, folder if seeds == 1 else folder / f"seed-{each}", command)
            for each in run.recipe_texts
        )
        remove_checkpoints(folder)  # of recipe `auto`, for all seeds
    return TrainResult(run.dataset.name, run.recipe.name, str(folder), results)


def _warn_of_few_test_images(run: PreparedRun) -> None:
    """Warn if the test images are few, and suggest cross-validation."""
    n_test = 0 if run.dataset.test_labels is None else len(run.dataset.test_labels)
    if n_test < _MIN_TEST:
        warnings.warn(
            f"The test split has {format_count(n_test, 'image')}, so the 95 % interval of the test accuracy will be "
            f"wide. To estimate the accuracy on all {len(run.dataset.train_labels):,} training images, use skconv "
            "cross-validate.",
            stacklevel=2,
        )


def _train_seed(run: PreparedRun, seed: int, folder: Path, resume: str) -> SeedResult:
    """Train with one seed, score on the test split and write the run folder, unless it is already finished.

    `resume` is the command to print, which resumes the run after an interruption.
    """
    from skconv.recipes.recipe import encode_classes

    number, total = list(run.recipe_texts).index(seed), len(run.recipe_texts)
    estimator: Any = run.create_estimator(seed, n_left=total - number)
    if total > 1:
        estimator.run_part = estimator.run_part.divide("seed", number + 1, total)
    dataset = run.dataset
    if is_distributed():
        with join_process_group(run.device):
            fit_estimator(estimator, dataset)
    else:
        finished = read_finished_run(folder, run, seed, partial(SeedResult.from_facts, folder=folder))
        if finished is not None:
            return finished
        fit_resumable(estimator, run, folder, resume=resume)
    if not is_main_process():
        raise SystemExit
    run = record_epochs(run, estimator, seed)
    estimator.adjust_prior(encode_classes(run.recipe.prior, dataset))
    scored = score_run(estimator, dataset)
    facts = write_run_folder(folder, run, estimator=estimator, seed=seed, scored=scored)
    remove_checkpoints(folder)
    return SeedResult.from_facts(facts, folder)
