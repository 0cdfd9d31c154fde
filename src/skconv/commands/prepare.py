"""Preparation of the training commands: recipe, seed, settings and data, checked before training."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import math
import os
import re
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from skconv.commands.options import select_changes
from skconv.distributed.process_group import check_distributed, check_not_distributed, is_distributed, is_main_process
from skconv.exceptions import ModelFileError, OutputError, ParameterError, missing_package
from skconv.files import escape_undecodable, lock_folder, reserve_folder
from skconv.progress import is_interactive, print_progress
from skconv.text import parse_duration

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.model_io.records import TrainingFingerprints
    from skconv.recipes import Recipe

P = ParamSpec("P")
R = TypeVar("R")

_N_PRINTED_LABELS = 10
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
            left = limit - (time.monotonic() - self.start) - min(_SAVING_SECONDS, _SAVING_SHARE * limit)
            member.set_params(time_limit=max(left / n_left, 1.0))
            estimator.n_scored_after = 0 if self.dataset.test_labels is None else len(self.dataset.test_labels)
        return estimator


def prepare_run(function: Callable[..., Any], arguments: Mapping[str, Any], *, split: bool = True) -> PreparedRun:
    """Check the arguments of a training command, and load its recipe and data.

    Fast checks come first, so that nothing is downloaded before an invalid argument is reported. `arguments` are the
    ``locals()`` of the command function, including its ``options``. If `split`, a test split is held out from data
    without one; otherwise all images are used for training. Errors and warnings are those of `train`.
    """
    from skconv.data.splitting import check_folds
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
    recipe = load_recipe(arguments["recipe"])
    folds = arguments.get("folds")
    if folds is None and not split:
        folds = recipe.ensemble.get("folds", 5)
    if folds is not None:
        check_integer("folds", folds, 2, 1000)
    recipe = plan_run(
        recipe,
        source=arguments["source"],
        folds=None if split else folds,
        **select_changes(arguments),
    )
    seed = choose_seed(arguments["seed"], recipe)
    check_integer("seed", seed, 0, 2**31 - seeds)  # the last seed must also be below 2**31
    if arguments.get("init_from") is not None:
        recipe = _initialize_from_model(recipe, arguments)
    elif arguments.get("freeze_fraction"):
        raise ParameterError(
            f"'freeze_fraction' is {arguments['freeze_fraction']}, but no weights are loaded: name their model in "
            "'init_from' (--init-from)."
        )
    choose_device(device)  # raises if it is not available
    if is_distributed():
        check_distributed(device)
        _check_supported(recipe, seeds=seeds, resume=arguments["resume"])
    recipe_texts = {each: with_seed(recipe, each, split_seed=seed).to_toml() for each in range(seed, seed + seeds)}
    if split and folds is not None:  # cross_validate has folds too, but no ensemble in its recipe
        recipe = replace(recipe, ensemble={**recipe.ensemble, "folds": folds})
    recipe.data.check()
    recipe.create_estimator(random_state=seed, device=device)
    loaded = recipe.data.load(progress=progress)
    dataset = recipe.data.split(loaded, seed) if split else loaded
    if folds is not None:
        check_folds(dataset, folds)
    if progress:
        print_progress(describe_data(dataset, recipe))
    return PreparedRun(recipe, recipe_texts, seed, loaded, dataset, device, progress, command, start)


def fit_estimator(estimator: Any, dataset: Dataset) -> None:
    """Fit an estimator on the training images, with the validation split of the data if there is one."""
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
        if ":" in config.network.name:  # a model folder must not select the code to run
            raise ParameterError(
                f"{model} has the network {config.network.name}, whose code is not part of a model folder. Pass "
                f"--network {config.network.name} if you trust this code."
            )
        network = {"name": config.network.name, **config.network.options}
        recipe = replace(recipe, network=network)
    path = str(Path(model).absolute()) if Path(model).exists() else os.fspath(model)  # else the name of a bundled model
    initial = {"init_from": path, "freeze_fraction": arguments["freeze_fraction"]}
    return replace(recipe, training={**recipe.training, **initial})


def _check_supported(recipe: Recipe, *, seeds: int, resume: bool) -> None:
    """Raise `ParameterError` for options that distributed training does not support."""
    unsupported = {
        f"{seeds} seeds": seeds > 1,
        f"the ensemble of recipe {recipe.name}": bool(recipe.ensemble),
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


def describe_data(dataset: Dataset, recipe: Recipe) -> str:
    """Return a line that describes the data and the recipe of a run."""
    height, width = dataset.image_shape[:2]
    n_test = 0 if dataset.test_labels is None else len(dataset.test_labels)
    tested = f" and {n_test:,} test" if n_test else ""
    return (
        f"{dataset.name}: {len(dataset.train_labels):,} training{tested} images of {width}×{height}, "
        f"{len(dataset.class_names)} classes; recipe {recipe.name}."
    )


def print_data(dataset: Dataset, *, batch_size: int, validation_fraction: float = 0.0) -> None:
    """Print the shapes of the data and of one batch, the first labels and the first image to standard error."""
    channels = 1 if len(dataset.image_shape) == 2 else 3
    height, width = dataset.image_shape[:2]
    n_train = len(dataset.train_labels) - math.ceil(validation_fraction * len(dataset.train_labels))
    lines = [f"{dataset.name}: training images {dataset.train_images.shape}, labels {dataset.train_labels.shape}"]
    if dataset.test_images is not None and dataset.test_labels is not None:
        lines.append(f"test images {dataset.test_images.shape}, labels {dataset.test_labels.shape}")
    labels = ", ".join(dataset.class_names[label] for label in dataset.train_labels[:_N_PRINTED_LABELS])
    lines += [
        f"one batch: images ({min(batch_size, n_train)}, {channels}, {height}, {width})",
        f"first labels: {labels}",
        "first image:",
        np.array2string(dataset.train_images[0], threshold=100, edgeitems=4),
    ]
    print("\n".join(lines), file=sys.stderr)


def open_run_folder(out: str | os.PathLike[str] | None, name: str) -> AbstractContextManager[Path]:
    """Return a context manager with the run folder: `out`, or a new folder ``runs/NAME``, reserved while it is open."""
    if out is not None:
        return nullcontext(Path(out))
    return reserve_folder(Path("runs"), clean_name(name), is_taken=_has_checkpoint)


def get_checkpoint_path(folder: Path) -> Path:
    """Return the folder of a run's checkpoints: ``runs/first.checkpoint`` for the run folder ``runs/first``."""
    return folder.with_name(f"{folder.name}.checkpoint")


def _has_checkpoint(folder: Path) -> bool:
    """Return whether an interrupted run can be resumed in the folder; warn if so."""
    checkpoint = get_checkpoint_path(folder)
    if checkpoint.exists():
        warnings.warn(
            f"{checkpoint} has the checkpoints of an interrupted run. To resume the run, pass --out {folder} --resume; "
            "to discard it, remove the checkpoints.",
            stacklevel=2,
        )
    return checkpoint.exists()


def add_options(command: str, folder: Path) -> str:
    """Return a command line that resumes the run in `folder`.

    Examples
    --------
    >>> add_options("skconv train mnist", Path("runs/mnist-standard"))
    'skconv train mnist --out runs/mnist-standard --resume'
    """
    words = shlex.split(command)
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        command += f" --out {shlex.quote(os.fspath(folder))}"
    return command if "--resume" in words else f"{command} --resume"


def lock_output(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command so that its folder `out` is locked from its start to its end."""

    @functools.wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        out: Any = kwargs.get("out")
        with lock_folder(out) if out is not None and is_main_process() else nullcontext():
            return command(*args, **kwargs)

    return call


def clean_name(name: str) -> str:
    """Replace characters that are unusual in file names by '-'."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def describe_call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return the Python call of a command, without default arguments."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if arguments[name] != parameter.default:
            given[name] = arguments[name]
    parts = []
    for name, value in given.items():
        text = repr(os.fspath(value) if isinstance(value, os.PathLike) else value)
        parts.append(text if name == "source" else f"{name}={text}")
    return f"skconv.{function.__name__}({', '.join(parts)})"
