"""Single settings of a recipe: reading, checks, changes."""

import tomllib

import pytest

from skconv.exceptions import ParameterError
from skconv.recipes import load_recipe
from skconv.recipes.settings import change_recipe, parse_setting


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", 3),
        ("a.b=1e-3", 0.001),
        ("a.b = muon", "muon"),
        ('a.b="3"', "3"),
        ("a.b=a=b", "a=b"),
        ("a.b=1\nc=2", "1\nc=2"),
    ],
)
def test_value_is_toml_or_a_bare_string(text, value):
    assert parse_setting(text) == ("a.b", value)


def test_changes_are_written_to_the_recipe():
    settings = {
        "training.weight_decay": 0.1,
        "augmentation.rotation": 5,
        "network.name": "compact",
        "data.source": "usps",
    }
    recipe = change_recipe(load_recipe("fast"), {"epochs": 3.0, "batch_size": 64}, settings)
    document = tomllib.loads(recipe.to_toml())
    assert document["training"]["max_epochs"] == 3 and "min_steps" not in document["training"]
    assert (document["training"]["batch_size"], document["training"]["weight_decay"]) == (64, 0.1)
    assert (document["augmentation"], document["network"]) == ({"rotation": 5}, {"name": "compact"})
    assert document["data"]["source"] == "usps"


def test_none_removes_a_setting():
    recipe = change_recipe(load_recipe("standard"), {}, ["training.patience=3"])
    assert recipe.training["patience"] == 3
    assert "patience" not in change_recipe(recipe, {}, ["training.patience=none"]).training


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        ({}, ["training.false_alarm_rate=none"], "number above 0, at most 0.5.*'none'"),  # the default is not None
        ({"epochs": 0}, None, r"'epochs'.*above 0.*0"),
        ({"batch_size": True}, None, r"'batch_size'.*integer.*True"),
        ({"epochs": 1}, {"training.max_epochs": 2}, r"'epochs'.*training\.max_epochs"),
        ({}, {"training.optimizer": "sgd"}, r"training\.optimizer.*'muon'.*'sgd'"),
        ({}, {"training.optimiser": "adam"}, r"training\.optimiser.*optimizer"),
        ({}, {"patience": 3}, r"training\.patience"),
        ({}, {"figures.measured": 1}, "figures"),
        ({}, {"augmentation.rotate": 3}, r"augmentation\.rotate.*rotation"),
        ({}, {"class_weight.3": 0}, r"class_weight\.3.*above 0"),
        ({}, {"data.image_size": [28]}, r"data\.image_size.*\[28\]"),
        ({}, ["training.patience"], "section.key=value"),
        ({}, ["training.patience=1", "training.patience=2"], "twice"),
        ({}, "training.patience=1", "mapping"),
    ],
)
def test_wrong_setting_is_named_with_its_range(options, settings, words):
    with pytest.raises(ParameterError, match=words):
        change_recipe(load_recipe("fast"), options, settings)
