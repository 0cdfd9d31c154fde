"""`tune`: search the settings of a recipe by their validation accuracy."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.train import check_whole_number, choose_seed, describe_call, warn_if_busy
from skconv.distributed.process_group import check_not_distributed
from skconv.exceptions import ParameterError, TrainingError
from skconv.files import atomic_write, check_new_folder
from skconv.tuning.results import TrialResult, TuneResult
from skconv.tuning.search_space import apply_settings, make_space

if TYPE_CHECKING:
    from optuna import Study

    from skconv.data.dataset import Dataset
    from skconv.recipes import Recipe
    from skconv.tuning.study import Report

_TRIALS = 20  # where neither a number nor a time is given


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
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
    command: str | None = None,
) -> TuneResult:
    """Search the settings of a recipe with Optuna, and write the best ones as a recipe.

    Each trial trains on 85 % of the training images and is scored on the rest, the same ones in all trials. The test
    split is never touched: what `skconv.train` with the same seed would score is left out. The first trial is the
    recipe as it is; trials worse than the median of the others after the same epoch are ended.

    Called again with the same arguments the search goes on, and a trial that was cut off is repeated. Processes with
    the same `out` or `storage` share their trials.

    Parameters
    ----------
    source : str, path-like or None, default=None
        What `skconv.load_dataset` takes; None takes the recipe's own data, split as the recipe says.
    trials : int or None, default=None
        Search until the study has so many finished trials, 1..100000. With neither this nor `minutes`: 20.
    minutes : float or None, default=None
        Search for so long, above 0; the trial that then trains is ended, unless it is the first.
    recipe, network, device, data_home, images, label_column, image_size, command
        As in `skconv.train`. Of a recipe for an ensemble a single member is tuned.
    fraction : float, default=1.0
        Share of the training images that the search uses, above 0; a part makes trials quicker, and the found
        settings good for fewer images.
    storage : str or None, default=None
        URL of the study's database, as Optuna and SQLAlchemy take it; None is the SQLite file ``study.db`` in `out`.
    out : path-like or None, default=None
        Folder of the study, gone on with where it holds one; None takes ``runs/DATA-RECIPE-tune``.
    seed : int or None, default=None
        Seed of the splits, of every training and of the search, 0..2**31 - 1; None takes the recipe's, 0 where it has
        none.
    progress : bool, default=False
        Tell each finished trial on standard error.

    Returns
    -------
    TuneResult
        The trials, the best of them, what mattered. The folder holds ``best.toml``, ``trials.csv``, ``tune.json``
        and figures.

    Raises
    ------
    SkconvError
        As `skconv.train`; a `ParameterError` also where Optuna is missing, or the study was made of other data or
        settings.

    Examples
    --------
    >>> result = tune("digits", trials=30, recipe="fast", out="runs/search")  # doctest: +SKIP
    >>> train("digits", recipe=result.best_recipe)  # doctest: +SKIP
    """
    from skconv.data.splitting import hold_out_validation, split_for_recipe, take_fraction
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run
    from skconv.tuning.study import check_optuna

    command = command or describe_call(tune, locals())
    check_not_distributed("tune")
    trials = _check_budget(trials, minutes, fraction)
    check_optuna()
    plan = plan_run(
        load_recipe(recipe),
        source=source,
        network=network,
        images=images,
        label_column=label_column,
        image_size=image_size,
    )
    seed = choose_seed(seed, plan)
    plan.check_source()
    plan.create_member(device=device)  # a wrong setting is told at once, not after a download
    loaded = plan.load_data(data_home=data_home, progress=progress)
    folder = _find_folder(out, f"{loaded.name}-{plan.name}-tune")
    dataset = split_for_recipe(loaded, plan, seed=seed)
    dataset = replace(dataset, test_images=None, test_labels=None)  # from here on nothing can look at them
    train, valid = hold_out_validation(take_fraction(dataset, fraction, seed=seed), seed=seed)
    warn_if_busy()
    study = _search(
        plan,
        train,
        valid,
        storage or f"sqlite:///{folder.absolute() / 'study.db'}",
        facts={"data": loaded.fingerprint, "recipe": plan.text, "fraction": fraction, "seed": seed},
        trials=trials,
        minutes=minutes,
        seed=seed,
        device=device,
        tell=_tell if progress else _be_silent,
    )
    result = _gather(study, plan, train, valid, folder, storage, seed)
    _write_folder(result, plan, fraction=fraction, seed=seed, command=command)
    return result


def _check_budget(trials: int | None, minutes: float | None, fraction: float) -> int | None:
    """Return the number of trials to stop at, None for none."""
    if trials is not None:
        check_whole_number("trials", trials, 1, 100_000)
    for name, value, most in (("minutes", minutes, 1e6), ("fraction", fraction, 1)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most
        ):
            raise ParameterError(f"The '{name}' parameter must be a number above 0, at most {most:g}. Got {value!r}.")
    return _TRIALS if trials is None and minutes is None else trials


def _find_folder(out: str | os.PathLike[str] | None, name: str) -> Path:
    """Return the folder of the study, made where there is none; one that holds anything else is refused."""
    folder = Path("runs", re.sub(r"[^\w.-]+", "-", name).strip("-.")) if out is None else Path(out)
    if not any((folder / known).exists() for known in ("study.db", "tune.json")):
        check_new_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _search(
    plan: Recipe,
    train: Dataset,
    valid: Dataset,
    storage: str,
    *,
    facts: Mapping[str, Any],
    trials: int | None,
    minutes: float | None,
    seed: int,
    device: str,
    tell: Callable[[str], None],
) -> Study:
    from skconv.tuning.study import open_study, quiet_optuna, run_trials, storage_errors

    space = make_space(plan)
    max_epochs = _count_epochs(plan, len(train.train_labels))

    def score(values: Mapping[str, float], report: Report) -> float:
        trial = apply_settings(plan, space, values)
        return _score(trial, train, valid, report, max_epochs=max_epochs, seed=seed, device=device)

    with quiet_optuna(), storage_errors(storage):
        study = open_study(storage, f"{train.name}-{plan.name}", facts)
        run_trials(study, space, score, trials=trials, minutes=minutes, seed=seed, tell=tell)
    return study


def _count_epochs(plan: Recipe, n_train: int) -> float:
    """Return the recipe's epochs as a number: "auto" depends on the batch size, and trials are compared by epochs."""
    from skconv.estimators.parameters import count_steps

    member = plan.create_member()
    if isinstance(member.max_epochs, str):
        n_batches = -(-n_train // member.batch_size)
        return count_steps(member.max_epochs, n_batches, n_images=n_train, optimizer=member.optimizer)[1]
    return member.max_epochs


def _score(
    trial: Recipe,
    train: Dataset,
    valid: Dataset,
    report: Report,
    *,
    max_epochs: float,
    seed: int,
    device: str,
) -> float:
    """Train with the settings of a trial and return the validation accuracy of the weights that remain."""
    from skconv.training.callbacks import ReportAccuracy

    estimator = trial.create_member(random_state=seed, device=device)
    callbacks = [*estimator.callbacks, ("report_accuracy", ReportAccuracy(report))]
    # Validation is given from outside: a fraction on top of it would only take images away.
    estimator.set_params(validation_fraction=0.0, max_epochs=max_epochs, callbacks=callbacks)
    estimator.fit(
        train.train_images,
        train.train_labels,
        sample_weight=trial.weigh(train),
        validation=(valid.train_images, valid.train_labels),
    )
    return float(estimator.score(valid.train_images, valid.train_labels))


def _gather(
    study: Study, plan: Recipe, train: Dataset, valid: Dataset, folder: Path, storage: str | None, seed: int
) -> TuneResult:
    from skconv.tuning.study import hide_password, measure_importance, quiet_optuna

    results = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name in ("COMPLETE", "PRUNED"):
            reported = list(trial.intermediate_values.values())[-1:]
            results.append(
                TrialResult(
                    number=trial.number,
                    state=trial.state.name.lower(),
                    valid_accuracy=trial.value if trial.state.name == "COMPLETE" else next(iter(reported), None),
                    epochs=trial.user_attrs.get("epochs", 0),
                    seconds=trial.duration.total_seconds() if trial.duration else 0.0,
                    settings=dict(trial.params),
                )
            )
    if not any(trial.state == "complete" for trial in results):
        raise TrainingError(
            f"None of {len(results)} trials came to its end: the loss was lost in each. Try a recipe with a learning "
            "rate ten times lower, and look for extreme values in the images."
        )
    with quiet_optuna():
        importance = measure_importance(study, seed)
    return TuneResult(
        data=train.name,
        recipe=plan.name,
        folder=str(folder),
        best_recipe=str(folder / "best.toml"),
        storage=str(folder / "study.db") if storage is None else hide_password(storage),
        trials=tuple(results),
        importance=importance,
        n_train=len(train.train_labels),
        n_valid=len(valid.train_labels),
    )


def _write_folder(result: TuneResult, plan: Recipe, *, fraction: float, seed: int, command: str) -> None:
    """Write the best recipe, the trials and figures; each file as a whole, since other processes may write them too."""
    from skconv.commands.run_folder import write_rows
    from skconv.reports.search import draw_importance, draw_trials
    from skconv.reports.style import save_figure

    folder = Path(result.folder)
    facts = {**result.to_json(), "fraction": fraction, "seed": seed, "command": command}
    with atomic_write(folder / "best.toml") as path:
        path.write_text(_write_recipe(result, plan, seed), encoding="utf-8")
    with atomic_write(folder / "trials.csv") as path:
        write_rows(path, [trial.to_row() for trial in result.trials])
    with atomic_write(folder / "tune.json") as path:
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    save_figure(draw_trials(result.trials), folder / "trials.png")
    if result.importance:
        save_figure(draw_importance(result.importance), folder / "importance.png")


def _write_recipe(result: TuneResult, plan: Recipe, seed: int) -> str:
    """Return the recipe as text with the settings of the best trial, and the seed that kept the test images out."""
    from skconv.recipes.editing import replace_section, write_seed

    best = apply_settings(plan, make_space(plan), result.best.settings)
    text = replace_section(plan.text, "network", best.network)
    text = replace_section(text, "training", best.training)
    if not isinstance(best.augmentation, list):
        text = replace_section(text, "augmentation", best.augmentation)
    return write_seed(replace(best, text=text), seed)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _be_silent(line: str) -> None:
    """Tell nothing."""
