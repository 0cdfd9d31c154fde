"""`tune`: search the settings of a recipe by validation accuracy."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from skconv.commands.prepare import PreparedRun, check_integer, clean_name, prepare_run
from skconv.data.spec import DataOptions
from skconv.exceptions import ParameterError, TrainingError
from skconv.files import atomic_write, check_new_folder
from skconv.tuning.results import TrialResult, TuneResult
from skconv.tuning.search_space import apply_settings, make_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study

    from skconv.data.dataset import Dataset
    from skconv.recipes import Recipe
    from skconv.tuning.study import Report

_DEFAULT_TRIALS = 20


def tune(
    source: str | os.PathLike[str] | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    recipe: str | os.PathLike[str] = "standard",
    network: str | None = None,
    fraction: float = 1.0,
    storage: str | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    device: str = "auto",
    progress: bool = False,
    command: str | None = None,
    **data: Unpack[DataOptions],
) -> TuneResult:
    """Search the settings of a recipe with Optuna, and write the best ones as a recipe.

    Each trial trains on 85 % of the training images and is scored on the other 15 %, the same ones in all trials. The
    test images that `skconv.train` would use with the same seed are left out. The first trial has the settings of the
    recipe; trials that are worse than the median of the others after the same epoch are stopped.

    A second call with the same arguments continues the search and repeats interrupted trials. Processes with the same
    `out` or `storage` share their trials.

    Parameters
    ----------
    source : str, path-like or None, default=None
        As in `skconv.load_dataset`; None uses the recipe's data, split as in the recipe.
    trials : int or None, default=None
        Number of finished trials to reach, 1..100000; 20 if `minutes` is None too.
    minutes : float or None, default=None
        Time limit, above 0. The trial that is running then is stopped, unless it is the first.
    recipe, network, device, command, **data
        As in `skconv.train`. If the recipe is for an ensemble, a single member is tuned.
    fraction : float, default=1.0
        Share of the training images to search with, above 0. A smaller share makes trials faster, but its best
        settings suit that number of images.
    storage : str or None, default=None
        URL of the study's database, as for Optuna and SQLAlchemy; None uses the SQLite file ``study.db`` in `out`.
    out : path-like or None, default=None
        New or existing folder of the study; None uses ``runs/DATA-RECIPE-tune``.
    seed : int or None, default=None
        Seed of the splits, the trainings and the search, 0..2**31 - 1; None uses the recipe's, or 0.
    progress : bool, default=False
        Print each finished trial to standard error.

    Returns
    -------
    TuneResult
        The trials, and the importance of each setting. The folder has ``best.toml``, ``trials.csv``, ``tune.json``
        and figures.

    Raises
    ------
    SkconvError
        As in `skconv.train`; also a `ParameterError` if Optuna is missing, or the study is of other data or settings.

    Examples
    --------
    >>> result = tune("digits", trials=30, recipe="fast", out="runs/search")  # doctest: +SKIP
    >>> train("digits", recipe=result.best_recipe)  # doctest: +SKIP
    """
    from skconv.data.dataset import hold_out_validation, take_fraction
    from skconv.tuning.study import check_optuna

    arguments = locals()
    trials = _check_budget(trials, minutes, fraction)
    check_optuna()
    run = prepare_run(tune, arguments)
    folder = _open_study_folder(out, f"{run.name}-tune")
    dataset = replace(run.dataset, test_images=None, test_labels=None)  # a trial cannot read what is not there
    train, valid = hold_out_validation(take_fraction(dataset, fraction, seed=run.seed), seed=run.seed)
    url = storage or f"sqlite:///{folder.absolute() / 'study.db'}"
    study = _search(run, train, valid, url, fraction=fraction, trials=trials, minutes=minutes)
    result = _collect(study, run, train, valid, folder, storage)
    _write_folder(result, run, fraction=fraction)
    return result


def _check_budget(trials: int | None, minutes: float | None, fraction: float) -> int | None:
    """Return the number of trials to reach; None for no limit."""
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


def _search(
    run: PreparedRun,
    train: Dataset,
    valid: Dataset,
    storage: str,
    *,
    fraction: float,
    trials: int | None,
    minutes: float | None,
) -> Study:
    from skconv.tuning.study import open_study, quiet_optuna, run_trials, storage_errors

    recipe, seed = run.recipe, run.seed
    space = make_space(recipe)
    max_epochs = _count_epochs(recipe, len(train.train_labels))
    facts = {"data": run.loaded.fingerprint, "recipe": recipe.to_toml(), "fraction": fraction, "seed": seed}

    def score(values: Mapping[str, float], report: Report) -> float:
        return _score_trial(run, apply_settings(recipe, space, values), train, valid, report, max_epochs)

    def log(line: str) -> None:
        if run.progress:
            print(line, file=sys.stderr)

    with quiet_optuna(), storage_errors(storage):
        study = open_study(storage, f"{train.name}-{recipe.name}", facts)
        run_trials(study, space, score, trials=trials, minutes=minutes, seed=seed, log=log)
    return study


def _count_epochs(recipe: Recipe, n_train: int) -> float:
    """Return the recipe's epochs as a number: "auto" depends on the batch size, and trials are compared by epoch."""
    from skconv.training.config import count_steps

    member = recipe.create_member()
    if isinstance(member.max_epochs, str):
        n_batches = -(-n_train // member.batch_size)
        return count_steps(member.max_epochs, n_batches, n_images=n_train, optimizer=member.optimizer)[1]
    return member.max_epochs


def _score_trial(
    run: PreparedRun, trial: Recipe, train: Dataset, valid: Dataset, report: Report, max_epochs: float
) -> float:
    """Train with the settings of a trial and return the validation accuracy of the final weights."""
    from skconv.training.callbacks import ReportAccuracy

    estimator = trial.create_member(train, random_state=run.seed, device=run.device)
    callbacks = [*estimator.callbacks, ("report_accuracy", ReportAccuracy(report))]
    # The validation images are passed to fit: none are split off the training images.
    estimator.set_params(validation_fraction=0.0, max_epochs=max_epochs, callbacks=callbacks, calibrate=False)
    estimator.fit(
        train.train_images,
        train.train_labels,
        validation=(valid.train_images, valid.train_labels),
    )
    return float(estimator.score(valid.train_images, valid.train_labels))


def _collect(
    study: Study, run: PreparedRun, train: Dataset, valid: Dataset, folder: Path, storage: str | None
) -> TuneResult:
    from skconv.tuning.study import hide_password, measure_importance, quiet_optuna

    trials = study.get_trials(deepcopy=False)
    results = tuple(TrialResult.from_optuna(trial) for trial in trials if trial.state.name in ("COMPLETE", "PRUNED"))
    if not any(trial.state == "complete" for trial in results):
        raise TrainingError(
            f"None of {len(results)} trials was completed: the loss became NaN or infinite in each. Use a recipe with "
            "a ten times lower learning rate, and check the images for extreme values."
        )
    with quiet_optuna():
        importance = measure_importance(study, run.seed)
    return TuneResult(
        data=train.name,
        recipe=run.recipe.name,
        folder=str(folder),
        best_recipe=str(folder / "best.toml"),
        storage=str(folder / "study.db") if storage is None else hide_password(storage),
        trials=results,
        importance=importance,
        n_train=len(train.train_labels),
        n_valid=len(valid.train_labels),
    )


def _write_folder(result: TuneResult, run: PreparedRun, *, fraction: float) -> None:
    """Write the best recipe, the trials and figures; each file atomically, because processes share the folder."""
    from skconv.commands.run_folder import write_rows
    from skconv.reports.curves import draw_importance, draw_trials
    from skconv.reports.style import save_figure

    folder = Path(result.folder)
    facts = {**result.to_json(), "fraction": fraction, "seed": run.seed, "command": run.command}
    with atomic_write(folder / "best.toml") as path:
        path.write_text(_write_recipe(result, run), encoding="utf-8")
    with atomic_write(folder / "trials.csv") as path:
        write_rows(path, [trial.to_row() for trial in result.trials])
    with atomic_write(folder / "tune.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    save_figure(draw_trials(result.trials), folder / "trials.png")
    if result.importance:
        save_figure(draw_importance(result.importance), folder / "importance.png")


def _write_recipe(result: TuneResult, run: PreparedRun) -> str:
    """Return the recipe as TOML with the settings of the best trial and the seed of the test split."""
    from skconv.recipes.editing import with_seed

    best = apply_settings(run.recipe, make_space(run.recipe), result.best.settings)
    return with_seed(best, run.seed).to_toml()
