"""Recipes of runs, and the TOML that is written from them."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from skconv.recipes import load_recipe
from skconv.recipes.editing import plan_run, with_seed

TEXT = """title = "Mine"  # of 2026

[network]  # small
name = "fast"
crop = 2  # pixels

# Tuned on a laptop.
[training]
max_epochs = 1
batch_size = 64  # fits the cache
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return load_recipe(path)


def test_to_toml_of_an_unchanged_recipe_is_its_text(recipe):
    assert recipe.to_toml() == TEXT


def test_to_toml_retains_comments_and_order(recipe):
    changed = replace(recipe, training={"batch_size": 64, "max_epochs": 3}, network={"name": "plain"})
    text = changed.to_toml()
    assert tomllib.loads(text)["training"] == {"max_epochs": 3, "batch_size": 64}
    assert tomllib.loads(text)["network"] == {"name": "plain"}
    for comment in ("# of 2026", "# small", "# Tuned on a laptop.", "# fits the cache"):
        assert comment in text
    assert text.index("[network]") < text.index("[training]")


def test_to_toml_adds_and_removes_sections(recipe):
    changed = replace(recipe, training={}, ensemble={"folds": 3})
    document = tomllib.loads(changed.to_toml())
    assert document == {"title": "Mine", "network": {"name": "fast", "crop": 2}, "ensemble": {"folds": 3}}


@pytest.mark.parametrize(
    "text",
    [
        'network = {name = "plain", stem = 1}\n',
        'network.name = "plain"\n',
        '[ network ]\nname = "plain"\n',
        '[network]\nname = "plain"\nwidths = [\n[1, 2]]\n',
        "[augmentation]\nflip = true\n",
    ],
)
def test_to_toml_edits_every_form_of_a_section(tmp_path, text):
    (tmp_path / "form.toml").write_text(text)
    changed = replace(load_recipe(tmp_path / "form.toml"), network={"name": "fast", "crop": 2})
    assert tomllib.loads(changed.to_toml())["network"] == {"name": "fast", "crop": 2}


def test_plan_run_needs_no_other_arguments():
    recipe = load_recipe("t3-kaggle-kfold")
    given = {"images": Path("images"), "label_column": "digit", "image_size": (28, 20), "data_home": Path("/data")}
    document = tomllib.loads(plan_run(recipe, source="my data.csv", network="fast", folds=3, **given).to_toml())
    assert document["data"] == {
        "source": "my data.csv", "images": str(Path("images").absolute()), "label_column": "digit",
        "image_size": [28, 20],
    }  # fmt: skip
    assert document["network"] == {"name": "fast"}
    assert document["ensemble"] == {**recipe.ensemble, "folds": 3}
    assert document["augmentation"] == recipe.augmentation
    assert "figures" not in document  # measured in other runs


def test_plan_run_distinguishes_paths_from_names():
    assert plan_run(load_recipe("fast"), source=Path("digits")).data.source == "./digits"
    assert plan_run(load_recipe("fast"), source="digits").data.source == "digits"


def test_plan_run_makes_paths_absolute(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert plan_run(recipe, source="./digits").data.source == str(tmp_path / "digits")
    assert plan_run(recipe, source="digits").data.source == "digits"  # the name of a data set


def test_with_seed_writes_the_seeds_that_are_not_default(recipe):
    assert with_seed(recipe, 0).to_toml() == TEXT
    document = tomllib.loads(with_seed(recipe, 6, split_seed=5).to_toml())
    assert document["training"]["random_state"] == 6 and document["data"] == {"split_seed": 5}
