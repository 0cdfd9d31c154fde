"""`train` with the recipe `auto`."""

import csv
import tomllib

import numpy as np
import pytest

from skconv.auto.selection import Search
from skconv.cli.main import main
from skconv.commands import recipe_selection
from skconv.commands.recipe_options import choose_recipe
from skconv.commands.train import train
from skconv.exceptions import ParameterError
from skconv.reports.training_sections import show_leaderboard


@pytest.fixture
def shades(tmp_path):
    """Return a CSV file of 240 images of three shades."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["dark", "light", "mid"], 80)
    levels = {"dark": 0, "mid": 80, "light": 160}
    path = tmp_path / "shades.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *(f"pixel{k}" for k in range(144))])
        for label in labels:
            writer.writerow([label, *rng.integers(0, 60, 144) + levels[label]])
    return path


AUTO = ["--set", 'auto.candidates=["fast", "t1-usps-skorch"]', "--time-limit", "15s"]


@pytest.fixture
def no_longer_trials(monkeypatch):
    """Skip the trials of more epochs, which use the whole time limit."""
    monkeypatch.setattr(Search, "_choose_epochs", lambda _, best: best)


@pytest.mark.usefixtures("no_longer_trials")
def test_auto_writes_leaderboard_and_plain_recipe(shades, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", str(shades), "--recipe", "auto", *AUTO, "--out", str(out)]) == 0
    assert "The command ends in about 1" in capsys.readouterr().err
    rows = list(csv.DictReader((out / "leaderboard.csv").open()))
    assert {row["recipe"] for row in rows} == {"fast", "t1-usps-skorch"} and (out / "leaderboard.png").exists()
    recipe = tomllib.loads((out / "recipe.toml").read_text())
    assert "auto" not in recipe and recipe["network"]["name"] in {"fast", "t1_skorch"}
    assert len(show_leaderboard(out)) == 1
    again = tmp_path / "again"
    assert main(["train", "--recipe", str(out / "recipe.toml"), "--epochs", "1", "--out", str(again)]) == 0
    assert not (again / "leaderboard.csv").exists()
    assert not list(tmp_path.glob("*.checkpoint"))


def test_recipes_for_few_images_are_left_out_of_many_with_a_message(shades, tmp_path, monkeypatch):
    monkeypatch.setattr("skconv.auto.trials.MAX_FEW", 100)
    monkeypatch.setattr(Search, "run", lambda _, candidates: pytest.fail(" ".join(each.name for each in candidates)))
    settings = {"auto.candidates": ["photos", "natural"]}
    with (
        pytest.warns(UserWarning, match="photos is left out: it is for up to 100 training images"),
        pytest.raises(pytest.fail.Exception, match=r"^natural$"),
    ):
        train(shades, recipe="auto", settings=settings, out=tmp_path / "run")


@pytest.mark.usefixtures("no_figures", "no_longer_trials")
def test_resumed_run_reads_its_selection(shades, tmp_path, monkeypatch):
    out, settings = tmp_path / "run", {"auto.candidates": ["fast"]}

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("skconv.commands.train.fit_resumable", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(shades, recipe="auto", settings=settings, time_limit="10s", out=out)
    monkeypatch.setattr(recipe_selection, "_make_candidates", interrupt)  # not called again
    first = train(shades, recipe="auto", settings=settings, time_limit="10s", out=out, resume=True)
    again = train(shades, recipe="auto", settings=settings, time_limit="10s", out=out, resume=True)
    assert first.test_accuracy == again.test_accuracy
    assert (out / "leaderboard.csv").exists() and not list(tmp_path.glob("*.checkpoint"))


@pytest.mark.parametrize(
    ("options", "recipe"),
    [({}, "auto"), ({"epochs": 1}, "standard"), ({"network": "fast"}, "standard"), ({"recipe": "fast"}, "fast")],
)
def test_default_recipe_depends_on_the_options(shades, tmp_path, monkeypatch, options, recipe):
    class Prepared(Exception):
        pass

    def stop(run):
        raise Prepared(run.recipe.name)

    monkeypatch.setattr("skconv.commands.train._warn_of_few_test_images", stop)
    with pytest.raises(Prepared, match=recipe):
        train(shades, **options)


@pytest.mark.parametrize(
    ("source", "recipe"),
    [("mnist", "standard"), ("cifar10", "auto"), ("medmnist:breastmnist", "auto"), ("mnist.csv", "auto")],
)
def test_default_recipe_depends_on_the_named_data_set(source, recipe):
    options = ("network", "epochs", "batch_size", "learning_rate", "settings", "init_from", "freeze_fraction")
    assert choose_recipe(train, {"source": source, **dict.fromkeys(options)}) == recipe


def test_named_data_sets_use_standard(tmp_path, monkeypatch):
    monkeypatch.setattr("skconv.commands.train._warn_of_few_test_images", lambda run: pytest.fail(run.recipe.name))
    with pytest.raises(pytest.fail.Exception, match="standard"):
        train("digits")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "fast"}, "'network'"),
        ({"freeze_fraction": 0.5}, "'freeze_fraction'"),
        ({"settings": {"auto.candidates": ["nothing"]}}, "candidate .nothing."),
        ({"settings": {"auto.candidates": ["auto"]}}, "compares recipes itself"),
        ({"settings": {"training.time_limit": None}}, "time_limit"),
        ({"settings": {"training.max_epochs": 3}}, "training.max_epochs"),
        ({"settings": {"training.validation_fraction": 0.3}}, "training.validation_fraction"),
        ({"settings": {"network.name": "fast"}}, "chooses network"),
        ({"settings": {"ensemble.folds": 3}}, "chooses ensemble"),
        ({"settings": {"auto.candidates": []}}, "auto.candidates"),
    ],
)
def test_auto_refuses_contradictions(shades, tmp_path, arguments, message):
    with pytest.raises(ParameterError, match=message) as caught:
        train(shades, recipe="auto", out=tmp_path / "run", **arguments)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_auto_is_for_train_only(shades, tmp_path):
    from skconv.commands.ensemble import ensemble

    with pytest.raises(ParameterError, match="skconv train"):
        ensemble(shades, recipe="auto", out=tmp_path / "run")
