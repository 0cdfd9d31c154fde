"""Optuna study of a hyper-parameter search: storage, trials in several processes, results."""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from skconv.exceptions import OutputError, ParameterError, TrainingError, missing_package
from skconv.text import format_percent
from skconv.tuning.search_space import Setting

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

_HEARTBEAT, _GRACE = 3, 12  # seconds between heartbeats, and since the last one after which a trial is interrupted
_UNPRUNED_TRIALS = 5  # number of complete trials before pruning starts
_SQLITE_TIMEOUT = 60  # seconds to wait while another process writes
_ATTEMPTS, _PAUSE = 20, 0.5  # attempts to open a database that another process is creating; seconds between them

_REPORTS = 10  # reports to the pruner per trial, independent of the number of epochs
_UNPRUNED_REPORTS = 3  # warm-up reports of a trial, before it can be pruned: the learning rate still rises
_MIN_TRIALS_FOR_IMPORTANCE = 10

# Arguments: epoch, number of epochs, validation accuracy.
Report = Callable[[int, int, float], None]
# Train trial `number` with the given settings and return the validation accuracy.
Score = Callable[[int, Mapping[str, float], Report], float]


@dataclass(frozen=True)
class TrialResult:
    """Result of a complete or pruned trial."""

    number: int  # from 0; trial 0 has the settings of the recipe
    state: str  # "complete" or "pruned"
    valid_accuracy: float | None  # 0..1, after the last finished epoch; None if the trial was pruned before
    epochs: int  # number of epochs, including an incomplete last one
    seconds: float
    settings: Mapping[str, float]

    def to_row(self) -> dict[str, Any]:
        """Return the result as a row of a table, with one column per setting."""
        row = asdict(self)
        return {**row, **row.pop("settings")}

    def __str__(self) -> str:
        settings = ", ".join(f"{name} {value:.3g}" for name, value in self.settings.items())
        accuracy = format_percent(self.valid_accuracy or 0)
        return f"{self.number:>5}  {accuracy:>8}  {self.epochs:6}  {self.seconds:7.1f}  {settings}"


def check_optuna() -> None:
    """Raise `ParameterError` if Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise missing_package("the command tune", "optuna", "tune")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log and its warnings about experimental features."""
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
    """Convert database errors to `OutputError`."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise OutputError(f"The storage {hide_password(storage)} cannot be read or written: {reason}.") from error


def open_study(storage: str, name: str, facts: Mapping[str, Any]) -> Study:
    """Return the study `name` in the database at the URL `storage`; create the study if there is none.

    `facts` (data, recipe, seed) are stored with the study. Raise `ParameterError` if those of an existing study differ,
    because its trials are not comparable with new ones.
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    shown = hide_password(storage)
    try:
        study = optuna.create_study(
            storage=_open_database(storage),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS, n_warmup_steps=_UNPRUNED_REPORTS),
        )
        if "facts" not in study.user_attrs:
            study.set_user_attr("facts", dict(facts))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise ParameterError(
            f"The storage {shown} cannot be used: {error}. Pass the URL of a database, for example sqlite:///FILE."
        ) from error
    known = study.user_attrs["facts"]
    different = [key for key, value in facts.items() if known.get(key) != value]
    if different:
        raise ParameterError(
            f"The study '{name}' in {shown} was created with another {' and '.join(different)}; its trials are not "
            "comparable with new ones. Pass the same options as before, or another --out."
        )
    return study


def _open_database(storage: str) -> RDBStorage:
    import optuna
    from sqlalchemy.exc import IntegrityError, OperationalError

    create = partial(
        optuna.storages.RDBStorage,
        storage,
        engine_kwargs={"connect_args": {"timeout": _SQLITE_TIMEOUT}} if storage.startswith("sqlite") else {},
        heartbeat_interval=_HEARTBEAT,
        grace_period=_GRACE,
        heartbeat_stale_trial_callback=repeat_trial,
    )
    for _ in range(_ATTEMPTS - 1):
        try:
            return create()
        except (OperationalError, IntegrityError) as error:
            # Another process may be creating the tables; try again.
            if isinstance(error, OperationalError) and "already exists" not in str(error):
                raise
            time.sleep(_PAUSE)
    return create()


def run_trials(
    study: Study,
    space: Mapping[str, Setting],
    score: Score,
    *,
    trials: int | None,
    minutes: float | None,
    seed: int,
    log: Callable[[str], None],
) -> None:
    """Run trials until the study has `trials` finished trials, or until the time limit of `minutes`.

    Other processes can run trials of the same study. Interrupted trials are repeated. At the time limit, the running
    trial is pruned, unless no trial is complete yet.
    """
    import optuna

    end = None if minutes is None else time.monotonic() + 60 * minutes
    _repeat_interrupted(study, log)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial({name: setting.default for name, setting in space.items()}, skip_if_exists=True)

    def is_over() -> bool:
        return end is not None and time.monotonic() >= end and bool(_count(study, complete_only=True))

    def objective(trial: Trial) -> float:
        # Derive the seed from the trial number, so that processes suggest different settings.
        study.sampler = optuna.samplers.TPESampler(seed=(seed + trial.number) % 2**32)
        values = {name: setting.suggest(trial, name) for name, setting in space.items()}

        facts: dict[str, Any] = {"epochs": 0}

        def report(epoch: int, n_epochs: int, accuracy: float) -> None:
            facts["epochs"] = epoch
            trial.report(accuracy, _REPORTS * epoch // n_epochs)
            if is_over() or trial.should_prune():
                facts["ended"] = "time limit reached" if is_over() else "worse than the median"
                raise optuna.TrialPruned

        try:
            return score(trial.number, values, report)
        except TrainingError as error:
            facts["ended"] = "the loss is NaN or infinite"
            raise optuna.TrialPruned from error
        except KeyboardInterrupt:
            repeat_trial(study, study.get_trials(deepcopy=False)[trial.number])
            raise
        finally:
            for name, fact in facts.items():
                trial.set_user_attr(name, fact)

    while not is_over() and (trials is None or _count(study) < trials):
        study.optimize(objective, n_trials=1, callbacks=[lambda study, trial: log(_describe(trial, study))])


def _repeat_interrupted(study: Study, log: Callable[[str], None]) -> None:
    """Queue interrupted trials again, after waiting for the heartbeats that distinguish running trials from them."""
    import optuna

    deadline = time.monotonic() + _GRACE + 1
    logged = False
    while any(trial.state.name == "RUNNING" for trial in study.get_trials(deepcopy=False)):
        if not logged:
            log(f"Some trials were interrupted or run in another process; waiting {_GRACE} s for their heartbeats.")
            logged = True
        optuna.storages.fail_stale_trials(study)
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)


def repeat_trial(study: Study, trial: FrozenTrial) -> None:
    """Queue a new trial with the settings of an interrupted trial."""
    import optuna

    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.WAITING, params=trial.params, distributions=trial.distributions
        )
    )


def hide_password(storage: str) -> str:
    """Return the URL of a database with its password masked."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(storage).render_as_string(hide_password=True)
    except ArgumentError:
        return storage


def list_results(study: Study) -> tuple[TrialResult, ...]:
    """Return the results of the complete and pruned trials of a study, sorted by number."""
    return tuple(
        TrialResult(
            number=trial.number,
            state=trial.state.name.lower(),
            # For a pruned trial, Optuna returns the last reported value, or None.
            valid_accuracy=trial.value,
            epochs=trial.user_attrs.get("epochs", 0),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
            settings=dict(trial.params),
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in ("COMPLETE", "PRUNED")
    )


def measure_importance(study: Study, seed: int) -> dict[str, float]:
    """Return the share of the accuracy's variance explained by each setting, in descending order.

    The result is empty for fewer than ten complete trials, or if all have the same accuracy.
    """
    import optuna

    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len({trial.value for trial in complete}) < 2 or len(complete) < _MIN_TRIALS_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def _count(study: Study, *, complete_only: bool = False) -> int:
    states = {"COMPLETE"} if complete_only else {"COMPLETE", "PRUNED"}
    return sum(trial.state.name in states for trial in study.get_trials(deepcopy=False))


def _describe(trial: FrozenTrial, study: Study) -> str:
    if trial.state.name == "COMPLETE" and trial.value is not None:
        return f"trial {trial.number}: {format_percent(trial.value)} (best {format_percent(study.best_value)})"
    facts = trial.user_attrs
    when = f"after epoch {facts['epochs']}" if facts["epochs"] else "in its first epoch"
    return f"trial {trial.number}: stopped {when}, {facts['ended']}"
