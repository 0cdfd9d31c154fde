"""`tune`: search the settings of a recipe by validation accuracy."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from skconv.commands import Result
from skconv.commands.options import DEFAULTS, RunOptions
from skconv.commands.output_folder import clean_name
from skconv.commands.prepare import PreparedRun, check_integer, prepare_run
from skconv.exceptions import ParameterError, TrainingError
from skconv.files import atomic_write, check_new_folder
from skconv.progress import print_progress
from skconv.signature import expand_options
from skconv.text import format_count, format_percent
from skconv.tuning.search_space import apply_settings, make_space
from skconv.tuning.study import (
    Report,
    TrialResult,
    check_optuna,
    hide_password,
    list_results,
    measure_importance,
    open_study,
    quiet_optuna,
    run_trials,
    storage_errors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study

    from skconv.data.dataset import Dataset
    from skconv.recipes import Recipe

_DEFAULT_TRIALS = 20
_N_PRINTED = 10  # number of trials printed


@dataclass(frozen=True)
class TuneResult(Result):
    """Result of `tune`.

    Parameters
    ----------
    data, recipe : str
        Names of the data and of the recipe that was tuned.
    folder : str
        Folder of the study.
    best_recipe : str
        Path of ``best.toml`` in that folder, the recipe with the best settings.
    storage : str
        URL of the study's database, without a password.
    trials : tuple of TrialResult
        Trials of all processes, sorted by number. Each has `number`, `state` ("complete", or "pruned" if it was stopped
        early), `valid_accuracy`, `epochs`, `seconds` and `settings`.
    importance : mapping
        Share of the variance of the accuracy explained by each setting, largest first; empty for few trials.
    n_train, n_valid : int
        Number of training and of validation images per trial; test images are excluded.
    """

    data: str
    recipe: str
    folder: str
    best_recipe: str
    storage: str
    trials: tuple[TrialResult, ...]
    importance: Mapping[str, float]
    n_train: int
    n_valid: int

    @property
    def ranking(self) -> list[TrialResult]:
        """Complete trials, best first; ties are in the order of their numbers."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: (-(trial.valid_accuracy or 0), trial.number))

    @property
    def best(self) -> TrialResult:
        """Complete trial with the highest validation accuracy."""
        return self.ranking[0]

    @property
    def n_pruned(self) -> int:
        """Number of trials that were stopped early."""
        return sum(trial.state == "pruned" for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "valid_accuracy": self.best.valid_accuracy,
            "settings": dict(self.best.settings),
            "n_trials": len(self.trials),
            "n_pruned": self.n_pruned,
            "trials": [asdict(trial) for trial in self.trials],
            "importance": dict(self.importance),
            "n_train": self.n_train,
            "n_valid": self.n_valid,
            "recipe": self.best_recipe,
            "storage": self.storage,
            "folder": self.folder,
        }

    def __str__(self) -> str:
        lines = [
            f"Searched the settings of recipe {self.recipe} on {self.data}: "
            f"{format_count(len(self.trials), 'trial')}, {self.n_pruned} "
            f"of them stopped early; {self.n_train:,} training images, {self.n_valid:,} validation images, no test "
            "images.",
            "",
            "trial  accuracy  epochs  seconds  settings",
            *map(str, self.ranking[:_N_PRINTED]),
            "",
        ]
        if self.importance:
            shares = ", ".join(
                f"{name} {format_percent(share, 0)}" for name, share in list(self.importance.items())[:5]
            )
            lines.append(f"Most important settings: {shares}.")
        own = next((trial for trial in self.trials if trial.number == 0 and trial.state == "complete"), None)
        if own is not None:
            recipe, best = own.valid_accuracy or 0, self.best.valid_accuracy or 0
            lines.append(
                f"Accuracy of the unchanged recipe {format_percent(recipe)}, of the best trial {format_percent(best)}."
            )
        return "\n".join([*lines, f"Train with the best settings: skconv train --recipe {self.best_recipe}"])


@expand_options(RunOptions, DEFAULTS)
def tune(
    source: str | os.PathLike[str] | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    fraction: float = 1.0,
    storage: str | None = None,
    **options: Unpack[RunOptions],
) -> TuneResult:
    """Search the settings of a recipe with Optuna, and write the best settings as a recipe.

    All trials train on the same 85 % of the training images and are scored on the remaining 15 %. The test images that
    `skconv.train` holds out with the same seed are not used. The first trial has the settings of the recipe. A trial is
    stopped if it is worse than the median of the previous trials after the same epoch.

    A second call with the same arguments continues the search and repeats interrupted trials. Processes with the same
    `out` or `storage` share their trials.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `skconv.load_dataset`; None uses the recipe's data, split as in the recipe.
    trials : int or None, default=None
        Total number of finished trials, 1..100000. None runs 20 trials, or as many as fit in `minutes`.
    minutes : float or None, default=None
        Time limit, above 0. A running trial is stopped at the limit, except the first.
    recipe, network, epochs, batch_size, learning_rate, threads, settings, device, command
        As in `skconv.train`. If the recipe is for an ensemble, a single member is tuned.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.
    fraction : float, default=1.0
        Share of the training images to search with, above 0. A smaller share makes trials faster, but the best settings
        for all images may differ.
    storage : str or None, default=None
        URL of the study's database, as for Optuna and SQLAlchemy; None uses the SQLite file ``study.db`` in `out`.
    out : path-like or None, default=None
        New or existing folder of the study; None uses ``runs/DATA-RECIPE-tune``.
    seed : int or None, default=None
        Seed of the splits, the trials and the search, 0..2**31 - 1; None uses the recipe's seed, or 0.
    progress : bool or None, default=None
        Report the progress of each trial, and each finished trial; None does so in a terminal or notebook.

    Returns
    -------
    TuneResult
        Trials and importance of each setting. The folder contains ``best.toml``, ``trials.csv``, ``tune.json`` and
        figures.

    Raises
    ------
    SkconvError
        As in `skconv.train`; also a `ParameterError` if Optuna is missing, or the study is of other data or settings.

    Examples
    --------
    >>> result = tune("digits", trials=30, recipe="fast", out="runs/search")  # doctest: +SKIP
    >>> train("digits", recipe=result.best_recipe)  # doctest: +SKIP
    """
    from skconv.data.splitting import hold_out_validation, take_fraction
    from skconv.recipes import load_recipe

    arguments, out = locals(), options["out"]
    trials = _check_budget(trials, minutes, fraction)
    if options["time_limit"] is not None:
        raise ParameterError("'time_limit' is not a parameter of tune. Pass 'minutes' (--minutes).")
    recipe = options["recipe"]
    if recipe is None or not load_recipe(recipe).auto:  # `prepare_run` refuses recipe `auto`
        check_optuna()
    run = prepare_run(tune, arguments)
    folder = _open_study_folder(out, f"{run.name}-tune")
    # Remove the test split, so that no trial can use it.
    dataset = take_fraction(run.dataset, fraction, seed=run.seed)
    splits = hold_out_validation(dataset, seed=run.seed)
    url = storage or f"sqlite:///{folder.absolute() / 'study.db'}"
    facts = {"data": run.loaded.fingerprint, "recipe": run.recipe.to_toml(), "fraction": fraction, "seed": run.seed}
    with quiet_optuna(), storage_errors(url):
        study = open_study(url, f"{dataset.name}-{run.recipe.name}", facts)
        _run_trials(study, run, splits, trials=trials, minutes=minutes)
        results, importance = list_results(study), measure_importance(study, run.seed)
    if not any(trial.state == "complete" for trial in results):
        raise TrainingError(
            f"None of {len(results)} trials completed: the loss became NaN or infinite in each. Use a recipe with a "
            "learning rate ten times lower, and check the images for extreme values."
        )
    result = TuneResult(
        data=dataset.name,
        recipe=run.recipe.name,
        folder=str(folder),
        best_recipe=str(folder / "best.toml"),
        storage=str(folder / "study.db") if storage is None else hide_password(storage),
        trials=results,
        importance=importance,
        n_train=len(splits[0].train_labels),
        n_valid=len(splits[1].train_labels),
    )
    _write_folder(result, run, fraction=fraction)
    return result


def _check_budget(trials: int | None, minutes: float | None, fraction: float) -> int | None:
    """Return the total number of trials, None for no limit; raise `ParameterError` for values out of range."""
    if trials is not None:
        check_integer("trials", trials, 1, 100_000)
    for name, value, high in (("minutes", minutes, 1e6), ("fraction", fraction, 1)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= high
        ):
            raise ParameterError(f"The '{name}' parameter must be a number above 0, at most {high:g}. Got {value!r}.")
    return _DEFAULT_TRIALS if trials is None and minutes is None else trials


def _open_study_folder(out: str | os.PathLike[str] | None, name: str) -> Path:
    """Return the folder of the study, created if needed; raise `OutputError` if it has other content."""
    folder = Path("runs", clean_name(name)) if out is None else Path(out)
    if not any((folder / known).exists() for known in ("study.db", "tune.json")):
        check_new_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run_trials(
    study: Study, run: PreparedRun, splits: tuple[Dataset, Dataset], *, trials: int | None, minutes: float | None
) -> None:
    """Run the trials of a search on the training and validation images in `splits`."""
    space = make_space(run.recipe)
    max_epochs = _count_epochs(run.recipe, len(splits[0].train_labels))
    recipe = replace(run.recipe, training={**run.recipe.training, "max_epochs": max_epochs})

    def score(number: int, values: Mapping[str, float], report: Report) -> float:
        return _score_trial(run, apply_settings(recipe, space, values), splits, report, number)

    def log(line: str) -> None:
        if run.progress:
            print_progress(line)

    run_trials(study, space, score, trials=trials, minutes=minutes, seed=run.seed, log=log)


def _count_epochs(recipe: Recipe, n_train: int) -> float:
    """Return the recipe's number of epochs; "auto" is resolved, so that all trials have the same number."""
    from skconv.training.config import count_steps

    member = recipe.create_member()
    if isinstance(member.max_epochs, str):
        n_batches = -(-n_train // member.batch_size)
        return count_steps(member.max_epochs, n_batches, n_images=n_train, optimizer=member.optimizer)[1]
    return member.max_epochs


def _score_trial(
    run: PreparedRun,
    trial: Recipe,
    splits: tuple[Dataset, Dataset],
    report: Report,
    number: int,
) -> float:
    """Train with the settings of a trial and return the validation accuracy of the final weights."""
    from skconv.training.callbacks import ReportAccuracy
    from skconv.training.progress import RunPart

    train, valid = ((split.train_images, split.train_labels) for split in splits)
    estimator = trial.create_member(splits[0], random_state=run.seed, device=run.device, verbose=int(run.progress))
    estimator.run_part = RunPart(f"trial {number}", first=False)
    callbacks = [*estimator.callbacks, ("report_accuracy", ReportAccuracy(report))]
    # `fit` receives the validation images and must not hold out others.
    estimator.set_params(validation_fraction=0.0, callbacks=callbacks, calibrate=False, false_alarm_rate=None)
    estimator.fit(*train, X_val=valid[0], y_val=valid[1])
    return float(estimator.score(*valid))


def _write_folder(result: TuneResult, run: PreparedRun, *, fraction: float) -> None:
    """Write the best recipe, the trials and figures; each file atomically, because processes share the folder."""
    from skconv.commands.run_folder import write_rows
    from skconv.recipes.editing import with_seed
    from skconv.reports.curves import draw_importance, draw_trials
    from skconv.reports.style import save_figures

    folder = Path(result.folder)
    best = apply_settings(run.recipe, make_space(run.recipe), result.best.settings)
    facts = {**result.to_json(), "fraction": fraction, "seed": run.seed, "command": run.command}
    with atomic_write(folder / "best.toml") as path:
        # Record the seed: with another one, the test split could contain images of the search.
        path.write_text(with_seed(best, run.seed).to_toml(), encoding="utf-8")
    with atomic_write(folder / "trials.csv") as path:
        write_rows(path, [trial.to_row() for trial in result.trials])
    with atomic_write(folder / "tune.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    figures = {"trials": partial(draw_trials, result.trials)}
    if result.importance:
        figures["importance"] = partial(draw_importance, result.importance)
    save_figures(folder, figures)
