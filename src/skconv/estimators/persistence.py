"""Saving and loading of fitted classifiers as model folders."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from torch import nn

from skconv.estimators.parameters import check_parameters, choose_device
from skconv.estimators.validation import to_image_tensor
from skconv.exceptions import ModelFileError, ParameterError, SkconvError
from skconv.files import expand_home
from skconv.model_io.config import DataConfig, InputConfig, ModelConfig, NetworkConfig, describe_environment
from skconv.model_io.folder import find_model_folder, read_config
from skconv.model_io.records import TrainingFingerprints, read_held_out
from skconv.model_io.saving import is_calibration, load_weights, read_weights, save_model
from skconv.networks import create_network
from skconv.networks.blocks import Network
from skconv.networks.ensemble import EnsembleNetwork
from skconv.training.augmentation import describe_augmentation
from skconv.training.config import TrainingConfig, build_net
from skconv.training.torch_state import standard_torch_state

Classifier = TypeVar("Classifier", bound=BaseEstimator)  # importing the subclasses would be circular

_N_RANDOM, _N_REAL = 32, 128  # images to check the ONNX graph: of each random kind, and of the data
_NOT_SAVED = (
    "callbacks",
    "checkpoint",
    "device",
    "n_jobs",
    "n_threads",
    "time_limit",
    "verbose",
)  # parameters specific to a process


def save(
    classifier: Classifier,
    folder: str | os.PathLike[str],
    *,
    class_names: Sequence[str] | None = None,
    data: DataConfig | None = None,
    scores: Mapping[str, float] | None = None,
    per_class: Sequence[Mapping[str, Any]] = (),
    command: str = "",
    fingerprints: TrainingFingerprints | None = None,
    normalization: str | None = None,
    resize: str | None = None,
    images: np.ndarray | None = None,
) -> ModelConfig:
    """Save a fitted classifier and return the configuration; see `BaseImageClassifier.save`."""
    name, options = classifier._network_spec  # the parameter may have changed since `fit`
    channels, height, width = classifier.image_shape_
    network = classifier.net_.module_
    config = ModelConfig(
        network=NetworkConfig(name, dict(options)),
        input=InputConfig(channels, height, width, classifier.pixel_range_, normalization, resize),
        classes=tuple(classifier.classes_.tolist()),
        class_names=tuple(class_names or map(str, classifier.classes_.tolist())),
        parameters=parameters_to_json(classifier),
        data=data or DataConfig("unnamed", "memory", "unknown", "", classifier.n_samples_fit_),
        scores=dict(scores or {}),
        environment=describe_environment(command),
    )
    return save_model(
        expand_home(folder),
        network,
        config,
        sample=_draw_sample(classifier, images),
        fingerprints=fingerprints,
        held_out=classifier.held_out_,
        per_class=per_class,
    )


@standard_torch_state()
def load(cls: type[Classifier], folder: str | os.PathLike[str], *, device: str) -> Classifier:
    """Load a classifier; see `CNNClassifier.load`."""
    path = find_model_folder(folder)
    config = read_config(path)
    if "estimator" in config.parameters:
        raise ModelFileError(f"{path} contains an ensemble. Load it with KFoldEnsembleClassifier.load.")
    classifier = cls(**_restore_parameters(cls, config.parameters, path), device=device)
    spec = (config.network.name, config.network.options)
    _restore_net(classifier, _load_network(path, config), spec, config)
    classifier.held_out_ = read_held_out(path, config)
    return classifier


@standard_torch_state()
def load_ensemble(
    cls: type[Classifier], member_cls: type[BaseEstimator], folder: str | os.PathLike[str], *, device: str
) -> Classifier:
    """Load an ensemble; see `KFoldEnsembleClassifier.load`."""
    path = find_model_folder(folder)
    config = read_config(path)
    parameters = dict(config.parameters)
    described = parameters.pop("estimator", None)
    if not isinstance(described, Mapping):
        raise ModelFileError(f"{path} contains a single classifier, not an ensemble. Load it with CNNClassifier.load.")
    template = member_cls(**_restore_parameters(member_cls, described, path), device=device)
    ensemble = cls(template, **_restore_parameters(cls, parameters, path))
    network = _load_network(path, config)
    if not isinstance(network, EnsembleNetwork):
        raise ModelFileError(f"{path} has the parameters of an ensemble, but a single network. Train again.")
    options = config.network.options
    spec = (options.get("network", "plain"), options.get("network_options") or {})
    ensemble.estimator_ = template
    ensemble.estimators_ = [clone(template) for _ in network.members]
    for classifier, member in zip(ensemble.estimators_, network.members, strict=True):
        _restore_net(classifier, member, spec, config)
    ensemble.held_out_ = read_held_out(path, config)
    _restore_attributes(ensemble, network, config)
    return ensemble


@standard_torch_state()
def load_network(folder: str | os.PathLike[str]) -> Network:
    """Return the network of a classifier or ensemble in a model folder, on the CPU."""
    path = find_model_folder(folder)
    return _load_network(path, read_config(path))


def _restore_net(
    classifier: BaseEstimator, network: nn.Module, spec: tuple[str, dict[str, Any]], config: ModelConfig
) -> None:
    """Set the network and the other fitted attributes of an unfitted classifier."""
    classifier._network_spec = spec
    classifier._seed = int(check_random_state(classifier.random_state).randint(2**31 - 1))
    # The number of steps does not matter, because `partial_fit` creates another net.
    training = TrainingConfig(n_steps=1, device=choose_device(classifier.device))
    classifier.net_ = build_net(network, training, num_classes=len(config.classes)).initialize()
    classifier.held_out_ = None
    _restore_attributes(classifier, network, config)


def _restore_attributes(classifier: BaseEstimator, network: nn.Module, config: ModelConfig) -> None:
    """Set the fitted attributes that describe the data and the size of the network."""
    classifier.classes_ = config.label_array
    classifier.image_shape_ = config.input.shape
    classifier.pixel_range_ = config.input.pixel_range
    classifier.n_features_in_ = math.prod(config.input.shape)
    classifier.n_samples_fit_ = config.data.n_train
    classifier.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())


def _load_network(path: Path, config: ModelConfig) -> Network:
    """Create the network of a configuration and load its weights; raise `ModelFileError` if the file is too small."""
    channels, height, width = config.input.shape

    def create() -> Network:
        return create_network(
            config.network.name,
            in_channels=channels,
            image_size=(height, width),
            num_classes=len(config.classes),
            **config.network.options,
        )

    try:
        with torch.device("meta"):  # allocates no memory, because an altered configuration could require terabytes
            shapes = create().state_dict()
    except ParameterError as error:
        raise ModelFileError(f"{path / 'config.json'}: {error} Train again with this version.") from error
    n_bytes = sum(tensor.nbytes for name, tensor in shapes.items() if not is_calibration(name))
    file_size = (path / "model.safetensors").stat().st_size
    if n_bytes > file_size:
        raise ModelFileError(
            f"The network of {path} has {n_bytes:,} bytes of weights, but model.safetensors has {file_size:,} bytes. "
            "Copy the model folder again, or train again."
        )
    with torch.random.fork_rng(devices=[]):
        network = create()
    load_weights(path, network)
    return network


def load_matching_weights(network: nn.Module, model: str | os.PathLike[str]) -> list[str]:
    """Load the weights of a model folder whose names and shapes match a network, and return their names.

    Raise `ModelFileError` if the model does not exist or none of its weights match.
    """
    folder = find_model_folder(model)
    config = read_config(folder)
    saved, fresh = read_weights(folder), network.state_dict()
    names = [
        name
        for name, tensor in fresh.items()
        if is_learned(name) and name in saved and saved[name].shape == tensor.shape
    ]
    if not any(fresh[name].is_floating_point() for name in names):
        raise ModelFileError(
            f"None of the {len(saved)} weights in {folder} matches the network in name and shape. "
            f"The model was trained with network='{config.network.name}'. Pass this network, or another model."
        )
    network.load_state_dict({name: saved[name] for name in names}, strict=False)
    return names


def is_learned(name: str) -> bool:
    """Return whether a tensor is learned, and not part of input normalisation or calibration."""
    return not is_calibration(name) and "input_normalization" not in name.split(".")


def parameters_to_json(classifier: Classifier) -> dict[str, Any]:
    """Return the parameters as JSON values, without those in `_NOT_SAVED`."""
    parameters = classifier.get_params(deep=False)
    for name in _NOT_SAVED:
        parameters.pop(name, None)
    if parameters.get("init_from") is not None:
        parameters["init_from"] = os.fspath(parameters["init_from"])
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = None
    if "estimator" in parameters:
        members = {"estimator": parameters_to_json(classifier.estimator_), "cv": len(classifier.estimators_)}
        return parameters | members
    parameters["augmentation"] = describe_augmentation(parameters["augmentation"])
    if isinstance(parameters["class_weight"], Mapping):  # keys of a JSON object are strings
        parameters["class_weight"] = [
            [label.item() if isinstance(label, np.generic) else label, float(weight)]
            for label, weight in parameters["class_weight"].items()
        ]
    return parameters


def _restore_parameters(cls: type[Classifier], parameters: Mapping[str, Any], path: Path) -> dict[str, Any]:
    restored = dict(parameters)
    unknown = sorted(set(restored) - set(cls._get_param_names()))
    if unknown:
        raise ModelFileError(
            f"{path / 'config.json'} has the unknown parameter '{unknown[0]}'. "
            "Load the model with the version of skconv that saved it."
        )
    try:
        if isinstance(restored.get("class_weight"), list):
            restored["class_weight"] = dict(restored["class_weight"])
        check_parameters(restored)
        check_random_state(restored.get("random_state"))
    except (SkconvError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path / 'config.json'}: {error} Copy the model folder again, or train again.") from error
    return restored


def _draw_sample(classifier: Classifier, images: np.ndarray | None) -> np.ndarray:
    """Return images to check the ONNX graph: an evenly spaced sample of `images`, and random images.

    The random images are noise with the statistics of the training images, and blocks of uniform brightness over their
    range, for which the predictions are more confident.
    """
    layer = classifier.net_.module_.input_normalization
    mean, std = layer.mean.cpu().numpy(), layer.std.cpu().numpy()
    channels, height, width = classifier.image_shape_
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((_N_RANDOM, channels, height, width), dtype=np.float32) * std + mean
    low, high = classifier.pixel_range_ or (0.0, 255.0)
    blocks = generator.uniform(low, high, (_N_RANDOM, channels, 4, 4)).astype(np.float32)
    rows, columns = (np.arange(side) * 4 // side for side in (height, width))
    parts = [noise, blocks[:, :, rows[:, None], columns]]
    if images is not None:
        real = to_image_tensor(np.asarray(images[:: -(-len(images) // _N_REAL)]))
        classifier._check_image_shape(real, images.shape)
        parts.append(real.numpy().astype(np.float32))
    return np.concatenate(parts)
