"""Let a recipe begin with the weights of a model."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ModelFileError
from skconv.recipes.editing import replace_section

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.model_io.fingerprints import TrainingFingerprints
    from skconv.recipes import Recipe


def initialize_from_model(
    plan: Recipe, model: str | os.PathLike[str], *, freeze_fraction: float, network: str | None
) -> Recipe:
    """Return the recipe, with its text, with its training made to begin with a model's weights.

    Parameters
    ----------
    plan : Recipe
        The recipe of the run.
    model : path-like
        A model folder, or the name of a bundled model.
    freeze : float
        As in `CNNClassifier`.
    network : str or None
        The network where one was asked for; None takes the model's.

    Raises
    ------
    ModelFileError
        There is no such model, or it is an ensemble.
    """
    from skconv.model_io.folder import find_model_folder, read_config

    config = read_config(find_model_folder(model))
    if "estimator" in config.parameters:
        raise ModelFileError(
            f"{model} holds an ensemble, which is no single network to begin with. Name another model."
        )
    if network is None:
        own = {"name": config.network.name, **config.network.options}
        plan = replace(plan, network=own, text=replace_section(plan.text, "network", own))
    training = {**plan.training, "init_from": os.fspath(model), "freeze_fraction": freeze_fraction}
    return replace(plan, training=training, text=replace_section(plan.text, "training", training))


def read_inherited_fingerprints(model: str | os.PathLike[str] | None) -> TrainingFingerprints | None:
    """Return the images that the model to begin with was trained on; None without one, or if it does not tell."""
    from skconv.model_io.fingerprints import read_fingerprints
    from skconv.model_io.folder import find_model_folder, read_config

    if model is None:
        return None
    folder = find_model_folder(model)
    return read_fingerprints(folder, read_config(folder))


def warn_if_leaked(model: str | os.PathLike[str] | None, dataset: Dataset) -> None:
    """Warn where the weights that a training begins with have been trained on images of the test split."""
    seen = read_inherited_fingerprints(model)
    if seen is None or dataset.test_images is None:
        return
    known = seen.count(dataset.test_images)
    if known:
        warnings.warn(
            f"The weights to begin with were trained on {known:,} of the {len(dataset.test_images):,} test images: "
            "the test accuracy will flatter. Begin with a model of other images, or take that model's seed.",
            stacklevel=2,
        )


def report_loaded_weights(estimator: Any) -> None:
    """Say on standard error which weights a fitted classifier began with, and which were new."""
    from skconv.estimators.initialization import is_learned

    names = estimator.net_.module_.state_dict()
    new = [name for name in names if name not in estimator.loaded_weights_ and is_learned(name)]
    told = f"; new: {', '.join(new)}" if new else ""
    n_all = len(estimator.loaded_weights_) + len(new)
    print(
        f"Took over {len(estimator.loaded_weights_)} of {n_all} tensors from {estimator.init_from}{told}.",
        file=sys.stderr,
    )
