"""`ensemble` and `cross_validate` with ``resume=True``: an interrupted run ends with the same results."""

import hashlib
import re
import signal

import pytest

from skconv.cli.main import main
from skconv.commands.cross_validate import cross_validate
from skconv.commands.ensemble import ensemble
from skconv.exceptions import ModelFileError, OutputError, ParameterError
from skconv.training.net import ClassifierNet

pytestmark = pytest.mark.usefixtures("no_figures")
COMMANDS = {"ensemble": ensemble, "cross-validate": cross_validate}
COMPARED = {"ensemble": ["model/model.safetensors", "out_of_fold.csv"], "cross-validate": ["out_of_fold.csv"]}


@pytest.fixture
def steps(monkeypatch):
    """Return the list of trained steps; the signal of an entry in `interrupts` is received in that step, from 1."""
    done = Steps()
    step = ClassifierNet.train_step

    def counted(*arguments, **keywords):
        done.append(None)
        if len(done) in done.interrupts:
            signal.raise_signal(done.interrupts[len(done)])
        return step(*arguments, **keywords)

    monkeypatch.setattr(ClassifierNet, "train_step", counted)
    return done


class Steps(list):
    """Trained steps."""

    def __init__(self):
        self.interrupts = {}


def digests(folder, name):
    return [hashlib.sha256((folder / each).read_bytes()).hexdigest() for each in COMPARED[name]]


def without_times(text):
    text = text.split("Results in", maxsplit=1)[0]
    return re.sub(r"\d+\.\d (?= +\d+\n)|[\d.]+ s,", "", text)


@pytest.mark.parametrize("name", COMMANDS)
def test_resumed_folds_have_the_results_of_an_uninterrupted_run(name, tiny_recipe, tmp_path, steps, capsys):
    def command(out, *more):
        return [name, "digits", "--folds", "3", "--recipe", str(tiny_recipe), "--out", str(out), *more]

    assert main(command(tmp_path / "plain")) == 0
    n_steps = len(steps)
    printed = capsys.readouterr().out

    out = tmp_path / "out"
    steps.clear()
    steps.interrupts = {n_steps // 3 + 5: signal.SIGTERM}  # in the second fold
    assert main(command(out)) == 130
    assert capsys.readouterr().err.endswith(f"To resume the run: skconv {' '.join(command(out))} --resume\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.checkpoint", "plain"]
    assert sorted(each.name for each in (tmp_path / "out.checkpoint").iterdir()) == ["fold-1", "fold-2"]
    assert main(command(out)) == 1
    assert "Pass --resume to continue it" in capsys.readouterr().err

    steps.interrupts = {len(steps) + 3: signal.SIGINT}
    assert main(command(out, "--resume")) == 130
    captured = capsys.readouterr().err
    assert "Fold 1/3 was finished before the interruption" in captured and captured.count("--resume") == 1
    assert main(command(out, "--resume")) == 0
    assert len(steps) == n_steps  # no step was trained twice
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "plain"]
    assert digests(out, name) == digests(tmp_path / "plain", name)
    assert without_times(capsys.readouterr().out) == without_times(printed)

    assert main(command(out, "--resume")) == 0  # finished: printed again, nothing trained
    captured = capsys.readouterr()
    assert without_times(captured.out) == without_times(printed) and len(steps) == n_steps
    assert f"{out} is complete: nothing to resume" in captured.err
    with pytest.raises(OutputError, match="finished run with another seed"):
        COMMANDS[name]("digits", folds=3, recipe=tiny_recipe, out=out, seed=1, resume=True)
    with pytest.raises(OutputError, match=r"another (recipe|number of folds)"):
        COMMANDS[name]("digits", folds=2, recipe=tiny_recipe, out=out, resume=True)
    with pytest.raises(OutputError, match="another recipe"):
        COMMANDS[name]("digits", folds=3, recipe=tiny_recipe, out=out, batch_size=32, resume=True)
    other = {"ensemble": "cross-validate", "cross-validate": "ensemble"}[name]
    with pytest.raises(OutputError, match="no run that can be resumed"):
        COMMANDS[other]("digits", folds=3, recipe=tiny_recipe, out=out, resume=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_resume_with_another_recipe_raises_with_the_difference(name, tiny_recipe, tmp_path, stop_at):
    stop_at(5)
    with pytest.raises(KeyboardInterrupt):
        COMMANDS[name]("digits", folds=2, recipe=tiny_recipe, out=tmp_path / "out")
    with pytest.raises(ModelFileError, match=r"learning_rate \(--learning-rate\) was 0\.01 and is 0\.02"):
        COMMANDS[name]("digits", folds=2, recipe=tiny_recipe, out=tmp_path / "out", learning_rate=0.02, resume=True)
    stop_at(None)
    with pytest.raises(ModelFileError, match="training data differ"):
        COMMANDS[name]("digits", folds=3, recipe=tiny_recipe, out=tmp_path / "out", resume=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_resume_that_cannot_start_raises(name, tiny_recipe, tmp_path):
    with pytest.raises(ParameterError, match="same --out"):
        COMMANDS[name]("digits", recipe=tiny_recipe, resume=True)
    with pytest.raises(ParameterError, match="not supported with 'dask'"):
        COMMANDS[name]("digits", recipe=tiny_recipe, out=tmp_path / "out", dask="tcp://127.0.0.1:1", resume=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_interrupt_in_the_default_folder_prints_the_folder(name, tiny_recipe, tmp_path, monkeypatch, steps, capsys):
    monkeypatch.chdir(tmp_path)
    steps.interrupts = {3: signal.SIGINT}
    arguments = [name, "digits", "--folds", "2", "--recipe", str(tiny_recipe)]
    folder = {"ensemble": "runs/digits-tiny-ensemble", "cross-validate": "runs/digits-tiny-folds"}[name]
    assert main(arguments) == 130
    assert capsys.readouterr().err.endswith(f"skconv {' '.join(arguments)} --out {folder} --resume\n")
    assert main([*arguments, "--out", folder, "--resume"]) == 0
    assert [str(each) for each in (tmp_path / "runs").iterdir()] == [str(tmp_path / folder)]
