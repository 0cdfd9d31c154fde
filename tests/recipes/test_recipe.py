"""Recipes: registered ones and files of the user."""

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skconv.data.dataset import Dataset
from skconv.estimators.persistence import load_network
from skconv.exceptions import RecipeError, UnknownNameError
from skconv.recipes import list_recipes, load_recipe
from skconv.recipes.schema import check_document


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_registered_recipe_matches_the_schema_and_creates_its_estimator(name):
    recipe = load_recipe(name)
    check_document(tomllib.loads(recipe.text), Path(name))
    estimator = recipe.create_estimator(random_state=3, device="cpu")
    assert estimator.random_state == 3
    member = estimator.estimator if recipe.ensemble else estimator
    assert member.network == recipe.network
    for key, value in recipe.training.items():
        assert member.get_params()[key] == value
    assert recipe.title and recipe.figures["measured"]


def test_recipe_usps_is_initialised_from_the_bundled_digit_model():
    recipe = load_recipe("usps")
    assert recipe.data.normalize == "digit"  # the preprocessing of that model
    estimator = recipe.create_estimator(random_state=0).set_params(max_epochs=0.01, false_alarm_rate=None)
    estimator.fit(np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8), np.arange(40) % 10)
    loaded = load_network("digits").state_dict()
    assert {name for name in loaded if name.startswith("blocks.")} <= set(estimator.loaded_weights_)


def test_load_recipe_reads_a_copied_file(tmp_path):
    original = load_recipe("standard")
    copy = load_recipe(write(tmp_path, original.text))
    assert (copy.network, copy.training, copy.augmentation) == (
        original.network, original.training, original.augmentation,
    )  # fmt: skip


def test_create_estimator_rejects_an_unknown_network():
    recipe = replace(load_recipe("standard"), network={"name": "fats"})
    with pytest.raises(UnknownNameError, match="Unknown network 'fats'"):
        recipe.create_estimator()


def test_load_recipe_suggests_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"Unknown recipe 'standart'\. Did you mean 'standard'\?"):
        load_recipe("standart")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("= 3", "not valid TOML"),
        ("[trainin]\nmax_epochs = 3", "Did you mean 'training'"),
        ("[training]\nepochs = 3", "Unknown key 'epochs'. Did you mean 'max_epochs'"),
        ("[training]\nmax_epochs = true", "expected a number above 0"),
        ("[training]\nbatch_size = 12.5", "expected an integer"),
        ("[augmentation]\nflip = 1", "expected true or false"),
        ("[augmentation]\nspin = 1", "no setting 'spin'"),
        ("[class_weight]\nseven = 0", "seven in [class_weight] is 0; expected a number above 0"),
        ("[prior]\nb = 2", "b in [prior] is 2; expected a number above 0"),
        ("[prior]\na = 0.2\nb = 0.2", "[prior] has 2 classes"),
        ('[data]\nnormalize = "garment"', "normalize in [data] is 'garment'; expected 'digit'"),
        ("[network]\ncrop = 2", "has no name"),
        ("training = 3", "expected a section"),
        ("[[augmentation]]\nrotation = 3\n[[augmentation]]\nspin = 1", "no setting 'spin'"),
        ("[ensemble]\nstratified = true", "folds = 5"),
        ("[ensemble]\nfolds = 1", "of at least 2, at most 1,000"),
        ("[data]\ntest_fraction = 0.3", "no split_seed"),
        ("[data]\nimage_size = [28]", "image_size in [data] is [28]; expected height and width"),
        ("[data]\nimage_size = [28.0, 28]", "expected height and width"),
        ("[training]\nrandom_state = -1", "random_state in [training] is -1"),
        ("[report]\nrecord_every = 0", "of at least 1"),
        ("title = 3", "title"),
        ("[training]\nmax_epochs = -1", "expected a number above 0"),
        ("[training]\nlearning_rate = 0.0", "expected a number above 0, at most 10"),
        ("[augmentation]\nrotation = -5", "expected a number from 0 to 180"),
        ('[training]\noptimizer = "adem"', "one of 'adamw', 'adam', 'muon'"),
        ('[training]\nclass_weight = "balanced"\n[class_weight]\na = 2', "Remove one"),
    ],
)
def test_load_recipe_locates_what_is_wrong(tmp_path, text, expected):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text))
    assert expected in str(caught.value) and "mine.toml" in str(caught.value)


def test_create_estimator_checks_parameters_against_each_other(tmp_path):
    with pytest.raises(RecipeError, match=r"mine.*validation_fraction"):
        load_recipe(write(tmp_path, "[training]\npatience = 2")).create_estimator()


def test_load_recipe_refuses_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match="not a file"):
        load_recipe(tmp_path / "pipe.toml")


def test_load_recipe_suggests_the_recipe_of_a_run_folder(tmp_path):
    (tmp_path / "recipe.toml").write_text("[training]\n")
    with pytest.raises(RecipeError, match=f"Did you mean {re.escape(str(tmp_path / 'recipe.toml'))}\\?"):
        load_recipe(tmp_path)


def test_load_recipe_raises_for_missing_and_binary_files(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a text file"):
        load_recipe(tmp_path / "binary.toml")


def test_class_weight_is_given_by_class_name(tmp_path):
    recipe = load_recipe(write(tmp_path, "[class_weight]\nb = 0.25\nnothing = 2\nunused = 3\n"))
    dataset = Dataset("two", np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 0]), ("a", "b", "unused"))
    assert recipe.create_estimator(dataset).class_weight == {1: 0.25}
    assert load_recipe("fast").create_estimator(dataset).class_weight is None


def test_biases_false_calibrates_by_a_temperature_alone(tmp_path):
    recipe = load_recipe(write(tmp_path, "[calibration]\nbiases = false\n\n[ensemble]\nfolds = 3\n"))
    assert recipe.create_member().calibrate == recipe.create_estimator().calibrate == "temperature"
    assert load_recipe("fast").create_member().calibrate is True


def test_ensemble_of_a_recipe_holds_out_copies_of_an_image_together(tmp_path):
    recipe = load_recipe(write(tmp_path, '[network]\nname = "fast"\n[training]\nmax_epochs = 0.01\n'))
    copy_of = np.random.default_rng(0).permutation(60) // 2
    images = np.random.default_rng(1).integers(0, 256, (30, 8, 8), np.uint8)[copy_of]
    ensemble = recipe.create_ensemble(recipe.create_member(random_state=0), folds=3).set_params(calibrate=False)
    ensemble.fit(images, copy_of % 2)
    parts = [set(copy_of[held_out]) for held_out in ensemble.held_out_indices_]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 30
