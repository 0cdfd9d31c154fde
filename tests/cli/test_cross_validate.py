"""`skconv cross-validate`, end to end."""

import json

import numpy as np
import pytest

from skconv.cli.main import main


def test_cross_validate_prints_one_json_object_and_records_the_command(tiny_recipe, tmp_path, capsys):
    out = tmp_path / "folds"
    arguments = ["cross-validate", "digits", "--folds", "2", "--recipe", str(tiny_recipe), "--out", str(out)]
    assert main([*arguments, "--seed", "3", "--json"]) == 0
    streams = capsys.readouterr()
    record = json.loads(streams.out)
    assert record["folder"] == str(out) and record["n_folds"] == 2
    assert "Traceback" not in streams.err
    command = json.loads((out / "scores.json").read_text())["command"]
    assert command.startswith("skconv cross-validate digits --folds 2") and command.endswith("--seed 3 --json")


def test_cross_validate_prints_a_table(tiny_recipe, tmp_path, capsys):
    arguments = ["cross-validate", "digits", "--folds", "2", "--recipe", str(tiny_recipe)]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "test images were not used" in printed and "validation loss" in printed and "mean" in printed


@pytest.mark.parametrize("folds", ["1", "many"])
def test_invalid_folds_is_exit_code_2(folds, capsys):
    assert main(["cross-validate", "digits", "--folds", folds]) == 2
    assert "--folds" in capsys.readouterr().err


def test_class_with_too_few_images_is_one_line(tiny_recipe, tmp_path, capsys):
    images = np.arange(44 * 64).reshape(44, 8, 8) % 251
    np.savez(tmp_path / "few.npz", X=images, y=np.array(["rare"] * 4 + ["common"] * 40))
    arguments = ["cross-validate", str(tmp_path / "few.npz"), "--recipe", str(tiny_recipe)]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: few: class 'rare'") and "fewer than the 5 folds" in line
    assert [path.name for path in tmp_path.iterdir()] == ["few.npz"]


def test_interrupted_run_is_130_and_writes_nothing(tiny_recipe, tmp_path, monkeypatch, capsys):
    from skconv.training.net import ClassifierNet

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ClassifierNet, "train_step", interrupt)
    arguments = ["cross-validate", "digits", "--recipe", str(tiny_recipe), "--out", str(tmp_path / "runs" / "out")]
    assert main(arguments) == 130
    assert capsys.readouterr().err.endswith(f"To run it again: skconv {' '.join(arguments)}\n")
    assert list(tmp_path.iterdir()) == []
