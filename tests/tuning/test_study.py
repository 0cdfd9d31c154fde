"""Optuna study in a SQLite file, with a score that needs no training."""

import subprocess
import sys

import pytest

pytest.importorskip("optuna")

from skconv.exceptions import OutputError, ParameterError, TrainingError
from skconv.tuning import study as module
from skconv.tuning.search_space import Setting
from skconv.tuning.study import measure_importance, open_study, quiet_optuna, run_trials, storage_errors

SPACE = {
    "learning_rate": Setting("training", 0.01, 0.001, 0.1),
    "rotation": Setting("augmentation", 5.0, 0.0, 20.0, 1.0),
    "batch_size": Setting("training", 64, choices=(32, 64, 128)),
}
FACTS = {"data": "ab12", "seed": 0}

RUN = """
import sys
sys.path.insert(0, {folder!r})
from test_study import FACTS, SPACE, score
from skconv.tuning.study import open_study, quiet_optuna, run_trials
with quiet_optuna():
    run_trials(open_study({url!r}, "s", FACTS), SPACE, score, trials=6, minutes=None, seed=0, log=print)
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def run(url):
    """Return a function that opens the study, runs it up to a number of trials, and returns them."""

    def run(score, *, trials=None, minutes=None, log=lambda line: None):
        with quiet_optuna(), storage_errors(url):
            study = open_study(url, "s", FACTS)
            run_trials(study, SPACE, score, trials=trials, minutes=minutes, seed=0, log=log)
            return study.get_trials()

    return run


def score(number, values, report):
    return 0.9 - abs(values["rotation"] - 8) / 100


def settings(trials):
    return [tuple(trial.params.values()) for trial in trials]


def test_first_trial_has_the_settings_of_the_recipe(run):
    trials = run(score, trials=4)
    assert trials[0].params == {name: setting.default for name, setting in SPACE.items()}
    assert all(0.001 <= trial.params["learning_rate"] <= 0.1 for trial in trials)
    assert {trial.params["batch_size"] for trial in trials} <= {32, 64, 128}
    assert all(trial.params["rotation"] == round(trial.params["rotation"]) for trial in trials)


def test_bad_trials_are_pruned_after_the_first_ones(run):
    logged = []

    def grow_worse(number, values, report):
        for epoch in (2, 4, 6, 20):
            report(epoch, 20, 0.9 - len(logged) / 10)
        return 0.9 - len(logged) / 10

    trials = run(grow_worse, trials=7, log=logged.append)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 5 + ["PRUNED"] * 2
    assert logged[0] == "trial 0: 90.00 % (best 90.00 %)"
    # In the first three tenths of the epochs the learning rate still rises: no pruning.
    assert logged[-1] == "trial 6: stopped after epoch 6, worse than the median"


def test_study_continues_after_its_last_trial(run):
    first = run(score, trials=2)
    both = run(score, trials=3)
    assert settings(both[:2]) == settings(first) and len(both) == 3
    assert len(run(score, trials=3)) == 3


def test_search_in_parts_equals_the_search_in_one(run, tmp_path):
    run(score, trials=2)
    parts = run(score, trials=4)
    with quiet_optuna():
        study = open_study(f"sqlite:///{tmp_path / 'whole.db'}", "s", FACTS)
        run_trials(study, SPACE, score, trials=4, minutes=None, seed=0, log=lambda line: None)
        assert settings(study.get_trials()) == settings(parts)


def test_interrupted_trial_is_repeated(run):
    def interrupt(number, values, report):
        raise KeyboardInterrupt

    run(score, trials=2)
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, trials=5)
    trials = run(score, trials=5)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 2 + ["FAIL"] + ["COMPLETE"] * 3
    assert trials[2].params == trials[3].params


def test_trial_of_a_dead_process_is_repeated(run, url, monkeypatch):
    monkeypatch.setattr(module, "_HEARTBEAT", 1)
    monkeypatch.setattr(module, "_GRACE", 1)
    run(score, trials=1)
    with quiet_optuna():  # as after a kill: a running trial whose heartbeats end
        study = open_study(url, "s", FACTS)
        interrupted = study.ask()
        for name, setting in SPACE.items():
            setting.suggest(interrupted, name)
        study._storage.record_heartbeat(interrupted._trial_id)
    logged = []
    trials = run(score, trials=3, log=logged.append)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[1].params == trials[2].params
    assert logged[0].startswith("Some trials were interrupted or run in another process")


def test_two_processes_share_a_study(url, tmp_path):
    from pathlib import Path

    script = RUN.format(folder=str(Path(__file__).parent), url=url)
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    logged = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    with quiet_optuna():
        trials = open_study(url, "s", FACTS).get_trials()
    finished = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert 6 <= len(finished) <= 7  # both may have started their last trial
    assert sum(len(each.splitlines()) for each in logged) >= len(finished)
    assert len({trial.params["learning_rate"] for trial in finished}) >= len(finished) - 1


def test_diverged_training_is_a_pruned_trial(run):
    def lose(number, values, report):
        raise TrainingError("The training loss became nan")

    logged = []
    assert [trial.state.name for trial in run(lose, trials=2, log=logged.append)] == ["PRUNED", "PRUNED"]
    assert logged[0] == "trial 0: stopped in its first epoch, the loss is NaN or infinite"


def test_time_limit_ends_the_search_after_one_complete_trial(run):
    trials = run(score, minutes=1e-9)
    assert [trial.state.name for trial in trials] == ["COMPLETE"]


def test_importance_finds_the_setting_that_matters(run, url):
    run(score, trials=2)
    with quiet_optuna():
        study = open_study(url, "s", FACTS)
        assert measure_importance(study, 0) == {}  # too few trials
        run_trials(study, SPACE, score, trials=15, minutes=None, seed=0, log=lambda line: None)
        importance = measure_importance(study, 0)
    assert next(iter(importance)) == "rotation" and importance["rotation"] > 0.5
    assert sum(importance.values()) == pytest.approx(1)


def test_study_of_other_data_is_refused(url):
    with quiet_optuna():
        open_study(url, "s", FACTS)
        with pytest.raises(ParameterError, match="created with another data"):
            open_study(url, "s", {**FACTS, "data": "cd34"})


@pytest.mark.parametrize(
    ("storage", "error", "message"),
    [
        ("here", ParameterError, "URL of a database"),
        ("nobase://here", ParameterError, "URL of a database"),
        ("sqlite:////nowhere/at/all/study.db", OutputError, "cannot be read or written"),
    ],
)
def test_invalid_storage_raises(storage, error, message):
    with quiet_optuna(), pytest.raises(error, match=message), storage_errors(storage):
        open_study(storage, "s", FACTS)


def test_hide_password_masks_the_password():
    assert module.hide_password("mysql://me:secret@host/base") == "mysql://me:***@host/base"
