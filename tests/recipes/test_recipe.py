"""Recipes: every one that comes along can be used; one of the user's own is checked key by key."""

import os

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skconv.data.dataset import Dataset
from skconv.exceptions import RecipeError, UnknownNameError
from skconv.recipes import list_recipes, load_recipe


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_makes_its_estimator_and_states_its_figures(name):
    recipe = load_recipe(name)
    estimator = recipe.create_estimator(random_state=3, device="cpu")
    assert estimator.random_state == 3
    member = estimator.estimator if recipe.ensemble else estimator
    assert member.network == recipe.network
    for key, value in recipe.training.items():
        assert getattr(member, key) == value
    assert recipe.title and recipe.figures["measured"]


def test_a_copy_of_a_recipe_is_the_same_recipe(tmp_path):
    original = load_recipe("standard")
    copy = load_recipe(write(tmp_path, original.text))
    assert (copy.network, copy.training, copy.augmentation) == (
        original.network, original.training, original.augmentation,
    )  # fmt: skip


def test_the_network_can_be_exchanged():
    assert load_recipe("standard").create_estimator(network="fast").network == "fast"
    with pytest.raises(UnknownNameError, match="Unknown network 'fats'"):
        load_recipe("standard").create_estimator(network="fats")


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown recipe 'standart'\. Did you mean 'standard'\?"):
        load_recipe("standart")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 3", "not valid TOML"),
        ("[trainin]\nmax_epochs = 3", "Did you mean 'training'"),
        ("[training]\nepochs = 3", "Unknown key 'epochs'. Did you mean 'max_epochs'"),
        ("[training]\nmax_epochs = true", "expected a whole number"),
        ("[training]\nbatch_size = 12.5", "expected a whole number"),
        ("[augmentation]\nflip = 1", "expected true or false"),
        ("[augmentation]\nspin = 1", "Unknown key 'spin'"),
        ("[class_weight]\nseven = 0", "seven in [class_weight] is 0; expected a number above 0"),
        ("[prior]\nb = 2", "b in [prior] is 2; expected a number above 0"),
        ("[prior]\na = 0.2\nb = 0.2", "[prior] names one class"),
        ('[data]\nnormalize = "garment"', "normalize in [data] is 'garment'; expected 'digit'"),
        ("[network]\ncrop = 2", "needs a name"),
        ("training = 3", "must be a section"),
        ("[[augmentation]]\nrotation = 3\n[[augmentation]]\nspin = 1", "Unknown key 'spin'"),
        ("[ensemble]\nstratified = true", "folds = 5"),
        ("[ensemble]\nfolds = 1", "expected 2 to 1000"),
        ("[data]\ntest_fraction = 0.3", "needs a split_seed too"),
        ("[data]\nimage_size = [28]", "image_size in [data] is [28]; expected height and width"),
        ("[data]\nimage_size = [28.0, 28]", "expected height and width"),
        ("[training]\nrandom_state = -1", "random_state in [training] is -1"),
        ("[report]\nrecord_every = 0", "expected 1 to"),
        ("title = 3", "title"),
    ],
)
def test_a_file_that_cannot_be_followed_says_where(tmp_path, text, said):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text))
    assert said in str(caught.value) and "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[training]\nmax_epochs = -1",
        "[training]\nbatch_size = 0",
        "[training]\nlearning_rate = 0.0",
        "[augmentation]\nrotation = -5",
    ],
)
def test_negative_and_zero_numbers_are_told_when_the_estimator_is_made(tmp_path, text):
    with pytest.raises(RecipeError, match="mine"):
        load_recipe(write(tmp_path, text)).create_estimator()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match="not a file"):
        load_recipe(tmp_path / "pipe.toml")


def test_a_missing_or_binary_file_is_told(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not a text file"):
        load_recipe(tmp_path / "binary.toml")


def test_class_weights_go_by_the_names_of_the_classes_that_the_data_has(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[network]\nname = "fast"\n\n[class_weight]\nb = 0.25\nnothing = 2\n')
    recipe = load_recipe(path)
    dataset = Dataset("two", np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 0]), ("a", "b"))
    np.testing.assert_array_equal(recipe.weigh(dataset), [1, 0.25, 1])
    assert load_recipe("fast").weigh(dataset) is None


def test_prior_moves_the_odds_of_its_class_as_bayes_has_it(tmp_path):
    X, y = load_digits(return_X_y=True)
    names = tuple(map(str, range(10)))
    dataset = Dataset("digits", X.astype(np.uint8).reshape(-1, 8, 8)[:300], y[:300], names)
    path = tmp_path / "mine.toml"
    path.write_text('[network]\nname = "fast"\n\n[training]\nmax_epochs = 1\n\n[prior]\n3 = 0.01\n')
    recipe = load_recipe(path)
    classifier = recipe.create_estimator(random_state=0, device="cpu").fit(dataset.train_images, dataset.train_labels)
    before = classifier.predict_proba(dataset.train_images)[:, 3]
    recipe.correct_prior(classifier, dataset)
    after = classifier.predict_proba(dataset.train_images)[:, 3]
    share = (y[:300] == 3).mean()
    moved = (after / (1 - after)) / (before / (1 - before))
    np.testing.assert_allclose(moved, (0.01 / 0.99) / (share / (1 - share)), rtol=1e-3)
