"""The Optuna study behind `tune`: opened or made, gone on with after a kill, shared between processes."""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from skconv.exceptions import OutputError, ParameterError, TrainingError, missing_package
from skconv.tuning.search_space import Setting

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

_HEARTBEAT, _GRACE = 3, 12  # seconds: how often a trial says that it runs, and after what silence it is taken for dead
_UNPRUNED_TRIALS = 5  # so many are run to their end, for the others to be measured by
_SQLITE_PATIENCE = 60  # seconds to wait for another process's writing
_ATTEMPTS, _PAUSE = 20, 0.5  # to open a database that another process is making, and the seconds between them

_REPORTS = 10  # trials may differ in epochs, and are compared after each tenth of them
_UNPRUNED_REPORTS = 3  # so many tenths say little: learning rates are still rising
_LEAST_FOR_IMPORTANCE = 10  # trials

# Reports the number of an epoch, that of all epochs, and the validation accuracy; a score trains with such settings.
Report = Callable[[int, int, float], None]
Score = Callable[[Mapping[str, float], Report], float]


def check_optuna() -> None:
    """Raise `ParameterError` where Optuna is missing."""
    if importlib.util.find_spec("optuna") is None:
        raise missing_package("the command tune", "optuna", "tune")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log, and its warnings about what it calls experimental, from the user's screen."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"optuna\.")
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def storage_errors(storage: str) -> Iterator[None]:
    """Turn what a database says into an `OutputError`."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise OutputError(f"The storage {hide_password(storage)} cannot be read or written: {reason}.") from error


def open_study(storage: str, name: str, facts: Mapping[str, Any]) -> Study:
    """Return the study of that name, made where there is none.

    Parameters
    ----------
    storage : str
        URL of a database, as SQLAlchemy takes it: ``sqlite:///runs/tune/study.db``.
    name : str
        Of the study in it.
    facts : mapping
        What makes the trials comparable: data, recipe, seed. They are kept with the study.

    Raises
    ------
    ParameterError
        The URL is none, or the study there was made of other data or settings.
    OutputError
        The database cannot be reached or written.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, OperationalError

    shown = hide_password(storage)
    connect = {"connect_args": {"timeout": _SQLITE_PATIENCE}} if storage.startswith("sqlite") else {}
    try:
        make = partial(
            optuna.storages.RDBStorage,
            storage,
            engine_kwargs=connect,
            heartbeat_interval=_HEARTBEAT,
            grace_period=_GRACE,
            heartbeat_stale_trial_callback=queue_again,
        )
        for left in reversed(range(_ATTEMPTS)):
            try:
                database = make()
                break
            except (OperationalError, IntegrityError) as error:
                # Else another process makes the tables in the same moment, one after the other.
                if not left or (isinstance(error, OperationalError) and "already exists" not in str(error)):
                    raise
                time.sleep(_PAUSE)
        study = optuna.create_study(
            storage=database,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS, n_warmup_steps=_UNPRUNED_REPORTS),
        )
        if "facts" not in study.user_attrs:
            study.set_user_attr("facts", dict(facts))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise ParameterError(
            f"The storage {shown} cannot be used: {error}. Give the URL of a database, as sqlite:///FILE."
        ) from error
    known = study.user_attrs["facts"]
    other = [key for key, value in facts.items() if known.get(key) != value]
    if other:
        raise ParameterError(
            f"The study '{name}' in {shown} was made with another {' and '.join(other)}: its trials cannot be compared "
            "with new ones. Give the same arguments as before, or another --out."
        )
    return study


def run_trials(
    study: Study,
    space: Mapping[str, Setting],
    score: Score,
    *,
    trials: int | None,
    minutes: float | None,
    seed: int,
    tell: Callable[[str], None],
) -> None:
    """Run trials until the study has so many, or the time is over; other processes may do the same.

    A trial that was cut off, by a kill or an interrupt, is repeated. One that trains when the time is over is ended
    like a bad one, unless no trial has come to its end yet.
    """
    import optuna

    end = None if minutes is None else time.monotonic() + 60 * minutes
    _requeue_cut_off(study, tell)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial({name: setting.own for name, setting in space.items()}, skip_if_exists=True)

    def is_over() -> bool:
        return end is not None and time.monotonic() >= end and bool(_count(study, complete_only=True))

    def objective(trial: Trial) -> float:
        # Its number decides a trial's random numbers: two processes never try the same.
        study.sampler = optuna.samplers.TPESampler(seed=(seed + trial.number) % 2**32)
        values = {name: setting.suggest(trial, name) for name, setting in space.items()}

        facts: dict[str, Any] = {"epochs": 0}

        def report(epoch: int, n_epochs: int, accuracy: float) -> None:
            facts["epochs"] = epoch
            trial.report(accuracy, _REPORTS * epoch // n_epochs)
            if is_over() or trial.should_prune():
                facts["ended"] = "the time was over" if is_over() else "worse than the median"
                raise optuna.TrialPruned

        try:
            return score(values, report)
        except TrainingError as error:
            facts["ended"] = "its loss was no longer a number"
            raise optuna.TrialPruned from error
        except KeyboardInterrupt:
            queue_again(study, study.get_trials(deepcopy=False)[trial.number])
            raise
        finally:
            for name, fact in facts.items():
                trial.set_user_attr(name, fact)

    def tell_trial(_: Study, trial: FrozenTrial) -> None:
        tell(_describe(trial, study))

    while not is_over() and (trials is None or _count(study) < trials):
        study.optimize(objective, n_trials=1, callbacks=[tell_trial])


def _requeue_cut_off(study: Study, tell: Callable[[str], None]) -> None:
    """Wait, where trials are said to be running, until it is known which of them another process really runs."""
    import optuna

    deadline = time.monotonic() + _GRACE + 1
    told = False
    while any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False)):
        if not told:
            tell(f"Some trials were cut off, or run in another process: {_GRACE} s to see which.")
            told = True
        optuna.storages.fail_stale_trials(study)
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)


def queue_again(study: Study, trial: FrozenTrial) -> None:
    """Let a trial that was cut off be repeated with the same settings."""
    import optuna

    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING, params=trial.params, distributions=trial.distributions
        )
    )


def hide_password(storage: str) -> str:
    """Return the URL of a database as it can be shown."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(storage).render_as_string(hide_password=True)
    except ArgumentError:
        return storage


def measure_importance(study: Study, seed: int) -> dict[str, float]:
    """Return how much of the differences in accuracy each setting explains, most first; nothing for too few trials."""
    import optuna

    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len({trial.value for trial in complete}) < 2 or len(complete) < _LEAST_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def _count(study: Study, *, complete_only: bool = False) -> int:
    states = {"COMPLETE"} if complete_only else {"COMPLETE", "PRUNED"}
    return sum(trial.state.name in states for trial in study.get_trials(deepcopy=False))


def _describe(trial: FrozenTrial, study: Study) -> str:
    if trial.state.name == "COMPLETE" and trial.value is not None:
        return f"trial {trial.number}: {trial.value:.2%} (best {study.best_value:.2%})"
    facts = trial.user_attrs
    when = f"after epoch {facts['epochs']}" if facts["epochs"] else "in its first epoch"
    return f"trial {trial.number}: ended {when}, {facts['ended']}"
