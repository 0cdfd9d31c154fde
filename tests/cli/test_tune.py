"""`skconv tune`, end to end."""

import json

import pytest

pytest.importorskip("optuna")

from skconv.cli.main import main


def test_tune_prints_one_json_object_and_a_line_per_trial(tiny_recipe, tmp_path, capsys):
    out = tmp_path / "search"
    arguments = ["tune", "digits", "--recipe", str(tiny_recipe), "--trials", "2", "--out", str(out)]
    assert main([*arguments, "--fraction", "0.2", "--json"]) == 0
    streams = capsys.readouterr()
    record = json.loads(streams.out)
    assert record["n_trials"] == 2 and record["recipe"] == str(out / "best.toml")
    finished = [line.split(":")[0] for line in streams.err.splitlines() if ": " in line and line.startswith("trial")]
    assert finished == ["trial 0", "trial 1"]
    assert main([*arguments, "--fraction", "0.3"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("Error: The study 'digits-tiny'") and "another --out" in line


@pytest.mark.parametrize("option", [["--trials", "0"], ["--minutes", "-1"], ["--fraction", "2"]])
def test_invalid_budget_is_exit_code_2(option, capsys):
    assert main(["tune", "digits", *option]) == 2
    assert option[0] in capsys.readouterr().err
