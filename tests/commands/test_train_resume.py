"""`train(resume=True)`: an interrupted run ends with the same weights."""

import re

import pytest

from skconv.cli.main import main
from skconv.commands.train import train
from skconv.exceptions import ModelFileError, OutputError, ParameterError

pytestmark = pytest.mark.usefixtures("no_figures")


def command(recipe, out, *more):
    return ["train", "digits", "--recipe", str(recipe), "--out", str(out), "--seed", "0", *more]


def test_resumed_run_has_the_weights_of_an_uninterrupted_one(run, tiny_recipe, tmp_path, stop_at, capsys):
    out = tmp_path / "out"
    stop_at(30)
    assert main(command(tiny_recipe, out)) == 130
    err = capsys.readouterr().err
    assert err.endswith(f"To resume the run: skconv {' '.join(command(tiny_recipe, out))} --resume\n")
    assert [each.name for each in tmp_path.iterdir()] == ["out.checkpoint"]

    assert main(command(tiny_recipe, out)) == 1
    assert "Pass --resume to continue it" in capsys.readouterr().err

    stop_at(8)
    assert main(command(tiny_recipe, out, "--resume")) == 130
    assert capsys.readouterr().err.count("--resume") == 1
    stop_at(None)
    assert main(command(tiny_recipe, out, "--resume")) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    weights = "model/model.safetensors"
    assert (out / weights).read_bytes() == (tmp_path.__class__(run.folder) / weights).read_bytes()

    first = capsys.readouterr().out
    assert main(command(tiny_recipe, out, "--resume")) == 0  # finished: printed again, nothing trained
    assert re.sub(r"[\d.]+ s,", "", capsys.readouterr().out) == re.sub(r"[\d.]+ s,", "", first)

    with pytest.raises(OutputError, match="finished run with another seed"):
        train("digits", recipe=tiny_recipe, out=out, seed=1, resume=True)


def test_resume_continues_at_the_interrupted_seed(tiny_recipe, tmp_path, stop_at):
    out = tmp_path / "out"
    stop_at(60)  # a seed has 48 steps
    with pytest.raises(KeyboardInterrupt):
        train("digits", recipe=tiny_recipe, out=out, seeds=2)
    assert sorted(each.name for each in out.iterdir()) == ["seed-0", "seed-1.checkpoint"]
    stop_at(47)
    result = train("digits", recipe=tiny_recipe, out=out, seeds=2, resume=True)
    assert [each.seed for each in result.seeds] == [0, 1]
    assert sorted(each.name for each in out.iterdir()) == ["seed-0", "seed-1"]


def test_resume_with_another_recipe_raises_with_the_difference(tiny_recipe, tmp_path, stop_at):
    stop_at(5)
    with pytest.raises(KeyboardInterrupt):
        train("digits", recipe=tiny_recipe, out=tmp_path / "out")
    other = tmp_path / "other.toml"
    other.write_text(tiny_recipe.read_text() + "learning_rate = 0.02\n")
    with pytest.raises(ModelFileError, match=r"learning_rate \(--learning-rate\) was 0\.01 and is 0\.02"):
        train("digits", recipe=other, out=tmp_path / "out", resume=True)


def test_resume_without_out_raises(tiny_recipe):
    with pytest.raises(ParameterError, match="same --out"):
        train("digits", recipe=tiny_recipe, resume=True)


def test_resume_in_another_folder_raises(tiny_recipe, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="contains no run"):
        train("digits", recipe=tiny_recipe, out=tmp_path, resume=True)
    assert (tmp_path / "note.txt").read_text() == "mine"
