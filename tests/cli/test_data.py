"""`skconv data`: make competitions and check submissions."""

import json
import shutil

import pytest

import skconv
from skconv.cli.main import main
from skconv.competitions.making import write_competition
from skconv.data.dataset import Splits


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    """A competition of small digits in the form of Kaggle's."""
    digits = skconv.load_dataset("digits")
    folder = tmp_path_factory.mktemp("competition") / "digits"
    write_competition(
        "kaggle-digits", folder, Splits(digits.train_images[:100], [str(n) for n in digits.train_labels[:100]])
    )
    return folder


def test_submission_from_prediction_to_score(trained, competition, tmp_path, capsys):
    folder, _, _ = trained
    out = tmp_path / "submission.csv"
    assert main(["predict", str(folder), str(competition), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"Wrote the predictions of 40 images to {out}.\n"
    assert main(["data", str(competition), "--check", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"{out} is a valid submission to {competition}: 40 rows.\nAccuracy " in printed
    assert main(["data", str(competition), "--check", str(competition / "answers.csv"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["accuracy"] == 1.0 and record["rows"] == 40 and record["low"] < 1.0 == record["high"]


def test_submission_can_have_any_name_for_check(trained, competition, tmp_path, capsys):
    folder, _, _ = trained
    table, renamed = tmp_path / "mine.csv", tmp_path / "other name.txt"
    assert main(["predict", str(folder), str(competition), "--out", str(table)]) == 0
    assert "a name that begins with submission" in capsys.readouterr().err
    assert main(["data", str(competition), "--check", str(table)]) == 1
    assert "skconv predict --out submission.csv" in capsys.readouterr().err
    shutil.copy(competition / "answers.csv", renamed)
    assert main(["data", str(competition), "--check", str(renamed)]) == 0


def test_submission_without_answers_has_no_score(competition, tmp_path, capsys):
    shutil.copytree(competition, tmp_path / "competition")
    (tmp_path / "competition" / "answers.csv").unlink()
    arguments = ["data", str(tmp_path / "competition"), "--check", str(competition / "answers.csv")]
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith("\nNo score: the folder has no answers.csv.\n")
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] is None


def test_make_accepts_a_home_folder(competition, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    copy = lambda _, folder, **__: shutil.copytree(competition, folder)  # noqa: E731
    monkeypatch.setattr("skconv.competitions.making._make", copy)
    assert main(["data", "kaggle-digits", "--make=~/made", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "made")


@pytest.mark.slow
def test_make_writes_a_competition_that_data_home_finds(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(tmp_path / "cache"))
    monkeypatch.delenv("SKCONV_DATA", raising=False)
    folder = tmp_path / "home" / "kaggle-digits"
    assert main(["data", "kaggle-digits"]) == 0
    assert "made from: mnist" in capsys.readouterr().out
    assert main(["data", "kaggle-digits", "--make", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "kaggle-digits",
        "folder": str(folder),
        "files": ["answers.csv", "sample_submission.csv", "test.csv", "train.csv"],
    }
    assert main(["data", "kaggle-digits", "--data-home", str(tmp_path / "home")]) == 0
    assert f"found in: {folder}" in capsys.readouterr().out
    arguments = ["--check", str(folder / "sample_submission.csv"), "--data-home", str(tmp_path / "home")]
    assert main(["data", "kaggle-digits", *arguments]) == 0
    assert "Accuracy 9.861 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("ImageId", "Id"), ["line 1", "expected 'ImageId,Label'"]),
        (lambda text: text.replace("\n3,", "\n4,"), ["line 4", "the id is '4'; expected '3'"]),
        (lambda text: text + "\n", ["line 42", "after the last"]),
    ],
    ids=["header", "order", "trailing line"],
)
def test_wrong_submission_is_one_line(competition, tmp_path, capsys, change, words):
    path = tmp_path / "submission.csv"
    path.write_text(change((competition / "answers.csv").read_text()))
    assert main(["data", str(competition), "--check", str(path)]) == 1
    streams = capsys.readouterr()
    assert streams.out == "" and streams.err.startswith("Error: ") and streams.err.count("\n") == 1
    assert all(word in streams.err for word in [str(path), *words])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mnist", "--make", "made"], ["Unknown competition 'mnist'", "kaggle-digits"]),
        (["kaggle-digits", "--make", "full"], ["full exists and is not empty"]),
        (["full", "--check", "full/kept.csv"], ["full is not a competition", "kaggle-digits"]),
    ],
)
def test_invalid_competition_is_one_line_and_writes_nothing(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.csv").write_text("precious")
    assert main(["data", *arguments]) == 1
    streams = capsys.readouterr()
    assert streams.out == "" and streams.err.count("\n") == 1
    assert all(word in streams.err for word in words)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["full", "kept.csv"]


@pytest.mark.parametrize(
    "arguments", [["--make", "made"], ["--check", "s.csv"], ["kaggle-digits", "--make", "made", "--check", "s.csv"]]
)
def test_incomplete_arguments_are_exit_code_2(arguments, capsys):
    assert main(["data", *arguments]) == 2
    assert "Error: " in capsys.readouterr().err
