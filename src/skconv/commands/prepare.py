"""Preparation of the training commands: recipe, seed, settings and data, checked before training."""

from __future__ import annotations

import importlib.util
import os
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.data_summary import describe_data
from skconv.commands.options import select_changes
from skconv.commands.recipe_options import check_auto, choose_recipe, plan_candidate
from skconv.commands.recorded_call import describe_call
from skconv.distributed.process_group import check_distributed, check_not_distributed, is_distributed
from skconv.exceptions import ModelFileError, OutputError, ParameterError, missing_package
from skconv.files import escape_undecodable
from skconv.progress import is_interactive, print_progress
from skconv.text import parse_duration

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.model_io.records import TrainingFingerprints
    from skconv.recipes import Recipe

_SAVING_SECONDS, _SAVING_SHARE = 20.0, 0.3  # time for model and figures, and its maximum share of a time limit


@dataclass(frozen=True)
class PreparedRun:
    """Checked recipe, data and settings of a training command."""

    recipe: Recipe  # updated by the other arguments
    recipe_texts: Mapping[int, str]  # TOML that reproduces the run of a seed without other arguments
    seed: int  # first seed
    loaded: Dataset
    dataset: Dataset  # loaded data with the test split of the run
    device: str
    progress: bool
    command: str  # command line or Python call to record with the run
    start: float  # `time.monotonic()` at the start of the command
    create_candidate: Callable[[str], Recipe]  # returns a recipe by name with the options of the run
    is_selected: bool = False  # whether the recipe was selected by recipe `auto`
    trials: tuple[Mapping[str, Any], ...] = ()  # rows of the leaderboard of recipe `auto`

    @property
    def name(self) -> str:
        """Default name of the run folder, from data and recipe."""
        return f"{self.loaded.name}-{self.recipe.name}"

    def create_estimator(self, seed: int | None = None, *, n_left: int = 1) -> CNNClassifier | KFoldEnsembleClassifier:
        """Return the unfitted estimator of the recipe, by default with the first seed.

        Its time limit is the remaining time of the command, divided by `n_left`, the number of remaining runs.
        """
        estimator: Any = self.recipe.create_estimator(
            self.dataset,
            random_state=self.seed if seed is None else seed,
            device=self.device,
            verbose=int(self.progress),
        )
        member = estimator.estimator if self.recipe.ensemble else estimator
        if member.time_limit is not None:
            limit = parse_duration(member.time_limit)
            left = limit - (time.monotonic() - self.start) - get_saving_seconds(limit)
            member.set_params(time_limit=max(left / n_left, 1.0))
            estimator.n_scored_after = 0 if self.dataset.test_labels is None else len(self.dataset.test_labels)
        return estimator


def get_saving_seconds(limit: float) -> float:
    """Return the part of a time limit, in seconds, that is reserved for the model and the figures."""
    return min(_SAVING_SECONDS, _SAVING_SHARE * limit)


def prepare_run(function: Callable[..., Any], arguments: Mapping[str, Any], *, split: bool = True) -> PreparedRun:
    """Check the arguments of a training command, and load its recipe and data.

    Fast checks come first, so that nothing is downloaded before an invalid argument is reported. `arguments` are the
    ``locals()`` of the command function, including its ``options``. If `split`, a test split is held out from data
    without one; otherwise all images are used for training. Errors and warnings are those of `train`.
    """
    from skconv.estimators.parameters import choose_device
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run, with_seed

    start = time.monotonic()
    _check_current_folder()
    arguments = {**arguments, **arguments["options"]}
    command = escape_undecodable(arguments["command"] or describe_call(function, arguments))
    if function.__name__ != "train":
        check_not_distributed(function.__name__.replace("_", "-"))
    seeds = arguments.get("seeds", 1)
    check_integer("seeds", seeds, 1, 1000)
    device = arguments["device"]
    progress = is_interactive() if arguments["progress"] is None else arguments["progress"]
    original = load_recipe(arguments["recipe"] or choose_recipe(function, arguments))
    folds = arguments.get("folds")
    if folds is None and not split:
        folds = original.ensemble.get("folds", 5)
    if folds is not None:
        check_integer("folds", folds, 2, 1000)
    changes = {"source": arguments["source"], "folds": None if split else folds, **select_changes(arguments)}

    def plan(recipe: Recipe) -> Recipe:
        return plan_run(recipe, **changes)

    recipe, create_candidate = plan(original), partial(plan_candidate, original.name, plan)
    if recipe.auto:
        check_auto(function, arguments, original, recipe)
        for each in recipe.auto["candidates"]:
            create_candidate(each)  # raises for an unknown name
    seed = choose_seed(arguments["seed"], recipe)
    check_integer("seed", seed, 0, 2**31 - seeds)  # the last seed must also be below 2**31
    if arguments.get("init_from") is not None:
        recipe = _initialize_from_model(recipe, arguments)
    elif arguments.get("freeze_fraction") is not None:
        recipe = replace(recipe, training={**recipe.training, "freeze_fraction": arguments["freeze_fraction"]})
    choose_device(device)  # raises if it is not available
    if is_distributed():
        check_distributed(device)
        _check_supported(recipe, seeds=seeds, resume=arguments["resume"])
    recipe = _pin_network(recipe)
    recipe_texts = {each: with_seed(recipe, each, split_seed=seed).to_toml() for each in range(seed, seed + seeds)}
    if split and folds is not None:  # cross_validate has folds too, but no ensemble in its recipe
        recipe = replace(recipe, ensemble={**recipe.ensemble, "folds": folds})
    recipe.data.check()
    recipe.create_estimator(random_state=seed, device=device)
    _check_weights(recipe, arguments)
    loaded = recipe.data.load(progress=progress)
    dataset = _split(loaded, recipe, seed if split else None, folds)
    if progress:
        print_progress(describe_data(dataset, recipe))
    return PreparedRun(recipe, recipe_texts, seed, loaded, dataset, device, progress, command, start, create_candidate)


def _split(loaded: Dataset, recipe: Recipe, seed: int | None, folds: int | None) -> Dataset:
    """Return the data set with a test split, unless `seed` is None, after checks of its groups and folds."""
    from skconv.data.splitting import check_folds

    dataset = loaded if seed is None else recipe.data.split(loaded, seed)
    if dataset.groups is not None:
        holds_out = dataset.valid_images is None or loaded.test_images is None or folds is not None
        dataset = note_groups(dataset, holds_out=holds_out, is_random=bool(recipe.data.test_fraction))
    if folds is not None:
        check_folds(dataset, folds)
    return dataset


def _check_weights(recipe: Recipe, arguments: Mapping[str, Any]) -> None:
    """Raise an error if pretrained weights are not available, or layers are to be frozen that have no such weights."""
    has_weights = arguments.get("init_from") is not None or check_pretrained(recipe)
    if arguments.get("freeze_fraction") and not has_weights:
        raise ParameterError(
            f"'freeze_fraction' is {arguments['freeze_fraction']}, but no weights are loaded: name their model in "
            "'init_from' (--init-from), or use a pretrained network (--recipe pretrained)."
        )


def _pin_network(recipe: Recipe) -> Recipe:
    """Return the recipe with the commit or the absolute path of a network ``hf:…``, so that a rerun has its weights."""
    from skconv.networks.hub_files import make_absolute, pin_revision

    options = dict(recipe.network)
    name = make_absolute(options.pop("name"))
    return replace(recipe, network={"name": name, **pin_revision(name, options)})


def note_groups(dataset: Dataset, *, holds_out: bool = True, is_random: bool = False) -> Dataset:
    """Return the data set, with warnings about its groups; without groups if they are not held out together.

    `holds_out` is false if no training images are held out, and `is_random` is true if the test split is a random part
    of the images.
    """
    from skconv.data.group_splits import describe_groups, describe_random, describe_shared
    from skconv.data.splitting import find_first, find_separable

    if is_random:
        warnings.warn(describe_random(dataset), stacklevel=4)
        return replace(dataset, groups=None)
    shared = describe_shared(dataset)
    if shared is not None:
        warnings.warn(shared, stacklevel=4)
    joined = find_separable(dataset, find_first(dataset.train_images)) if holds_out else None
    if holds_out:
        n_groups = None if joined is None else len(set(joined.tolist()))
        warnings.warn(describe_groups(dataset, n_groups), stacklevel=4)
    return replace(dataset, groups=None) if joined is None else dataset


def fit_estimator(estimator: Any, dataset: Dataset) -> None:
    """Fit an estimator on the training images, with the validation split of the data if there is one.

    If the images are in groups, a validation split is held out here, because `fit` does not have the groups.
    """
    from skconv.data.splitting import hold_out_validation

    estimator.class_names = [dataset.class_names[label] for label in sorted(set(dataset.train_labels.tolist()))]
    fraction = getattr(estimator, "validation_fraction", 0)  # an ensemble has folds instead
    if dataset.groups is not None and dataset.valid_images is None and fraction:
        train, valid = hold_out_validation(dataset, seed=estimator.random_state or 0, fraction=fraction)
        dataset = replace(train, valid_images=valid.train_images, valid_labels=valid.train_labels)
    if dataset.valid_images is None:
        estimator.fit(dataset.train_images, dataset.train_labels)
    else:
        validation = {"X_val": dataset.valid_images, "y_val": dataset.valid_labels}
        estimator.fit(dataset.train_images, dataset.train_labels, **validation)


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise `ParameterError` unless a parameter is an integer from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ParameterError(f"The '{name}' parameter must be an integer from {low} to {high}. Got {value!r}.")


def choose_seed(seed: int | None, recipe: Recipe) -> int:
    """Return `seed`, or the recipe's if it is None; raise `ParameterError` if it is out of range."""
    if seed is None:
        return recipe.seed
    check_integer("seed", seed, 0, 2**31 - 1)
    return seed


def _initialize_from_model(recipe: Recipe, arguments: Mapping[str, Any]) -> Recipe:
    """Return the recipe with network and initial weights from the model in `init_from`."""
    from skconv.model_io.folder import find_model_folder, read_config

    model = arguments["init_from"]
    config = read_config(find_model_folder(model))
    if "estimator" in config.parameters:
        raise ModelFileError(f"{model} is an ensemble; expected a single network. Pass another model as --init-from.")
    if arguments["network"] is None:
        if ":" in config.network.name:  # a model folder must not select code to run or files to download
            raise ParameterError(
                f"{model} has the network {config.network.name}, which is not part of a model folder. Pass "
                f"--network {config.network.name} if you trust it."
            )
        network = {"name": config.network.name, **config.network.options}
        recipe = replace(recipe, network=network)
    path = str(Path(model).absolute()) if Path(model).exists() else os.fspath(model)  # else the name of a bundled model
    initial = {"init_from": path, "freeze_fraction": arguments["freeze_fraction"] or 0.0}
    return replace(recipe, training={**recipe.training, **initial})


def check_pretrained(recipe: Recipe) -> bool:
    """Return whether the recipe has a pretrained network; raise an error if its weights are not available."""
    import torch

    from skconv.networks.hub_files import HUB
    from skconv.networks.pretrained import PretrainedNetwork
    from skconv.networks.spec import NetworkSpec

    spec = NetworkSpec.from_recipe(recipe.network)
    if spec.factory is not None:  # a user's module
        return False
    shape: Any = {"in_channels": 3, "image_size": (32, 32), "num_classes": 2}
    try:
        with torch.device("meta"):  # without memory and random numbers
            is_pretrained = isinstance(spec.create(**shape), PretrainedNetwork)
    except (ParameterError, RuntimeError):  # RuntimeError: plug-ins that compute with their weights
        if spec.name.startswith(HUB):
            raise
        return False  # the network does not accept this size, unlike all pretrained networks
    if is_pretrained:
        with torch.random.fork_rng(devices=[]):
            network: Any = spec.create(**shape)
        network.load_pretrained()
    return is_pretrained


def _check_supported(recipe: Recipe, *, seeds: int, resume: bool) -> None:
    """Raise `ParameterError` for options that distributed training does not support."""
    unsupported = {
        f"{seeds} seeds": seeds > 1,
        f"the ensemble of recipe {recipe.name}": bool(recipe.ensemble),
        "the recipe auto": bool(recipe.auto),
        "resume": resume,
    }
    for what, requested in unsupported.items():
        if requested:
            raise ParameterError(f"Distributed training does not support {what}. Run it without torchrun.")


def read_inherited_fingerprints(model: str | os.PathLike[str] | None) -> TrainingFingerprints | None:
    """Return the training fingerprints of the `init_from` model, or None if there are none."""
    from skconv.model_io.folder import find_model_folder, read_config
    from skconv.model_io.records import read_fingerprints

    if model is None:
        return None
    folder = find_model_folder(model)
    return read_fingerprints(folder, read_config(folder))


def warn_if_leaked(recipe: Recipe, dataset: Dataset) -> None:
    """Warn if the initial weights were trained on images of the test split."""
    seen = read_inherited_fingerprints(recipe.training.get("init_from"))
    if seen is None or dataset.test_images is None:
        return
    n_seen = seen.count(dataset.test_images)
    if n_seen:
        warnings.warn(
            f"The initial weights were trained on {n_seen:,} of the {len(dataset.test_images):,} test images: the test "
            "accuracy will be too high. Use a model trained on other images, or the seed that it was trained with.",
            stacklevel=2,
        )


def _check_current_folder() -> None:
    """Raise `OutputError` if the current folder was removed, because torch's libraries then end the process."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise OutputError(
            "The current folder was removed. Change to another folder (cd), and run the command again."
        ) from error


def use_workers(dask: str | None) -> AbstractContextManager[None]:
    """Return a context manager that trains folds on Dask workers, or in this process if `dask` is None."""
    if dask is None:
        return nullcontext()
    for package in ("dask", "distributed"):
        if importlib.util.find_spec(package) is None:
            raise missing_package("the parameter 'dask'", package, "dask")
    from skconv.parallel import dask_workers

    return dask_workers(dask)
