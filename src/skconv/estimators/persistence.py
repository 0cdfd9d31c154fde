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

from skconv.estimators.ood import read_ood
from skconv.estimators.parameters import choose_device
from skconv.estimators.saved_parameters import parameters_to_json, restore_parameters
from skconv.estimators.validation import to_image_tensor
from skconv.exceptions import MissingPackageError, ModelFileError, ParameterError
from skconv.files import expand_home
from skconv.model_io.config import DataConfig, InputConfig, ModelConfig, NetworkConfig, describe_environment
from skconv.model_io.folder import ONNX_NAME, WEIGHTS_NAME, find_model_folder, read_config, read_verified
from skconv.model_io.onnx import check_parity
from skconv.model_io.records import TrainingFingerprints, read_held_out
from skconv.model_io.saving import is_calibration, load_weights, read_weights, save_model
from skconv.networks.blocks import Network
from skconv.networks.ensemble import EnsembleNetwork
from skconv.networks.pretrained import PretrainedNetwork
from skconv.networks.spec import NetworkSpec, is_import_path
from skconv.training.config import TrainingConfig, build_net
from skconv.training.torch_state import standard_torch_state

Classifier = TypeVar("Classifier", bound=BaseEstimator)  # importing the subclasses would be circular

_N_RANDOM, _N_REAL = 32, 128  # images to check the ONNX graph: of each random kind, and of the data
_PRETRAINED_STEP = 4  # every fourth of these images is used for pretrained networks, which are slow in torch


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
    spec = classifier._network_spec  # the parameter may have changed since `fit`
    channels, height, width = classifier.image_shape_
    network = classifier.net_.module_
    config = ModelConfig(
        network=NetworkConfig(spec.name, spec.describe_options()),
        input=InputConfig(channels, height, width, classifier.pixel_range_, normalization, resize),
        classes=tuple(classifier.classes_.tolist()),
        class_names=tuple(class_names or map(str, classifier.classes_.tolist())),
        parameters=parameters_to_json(classifier),
        data=data or DataConfig("unnamed", "memory", "unknown", "", classifier.n_samples_fit_),
        scores=dict(scores or {}),
        environment=describe_environment(command, n_threads=getattr(classifier, "n_threads_", None)),
        ood=None if classifier.ood_ is None else classifier.ood_.to_config(),
    )
    return save_model(
        expand_home(folder),
        network,
        config,
        sample=_draw_sample(classifier, images),
        fingerprints=fingerprints,
        held_out=classifier.held_out_,
        score=None if classifier.ood_ is None else classifier.ood_.score,
        per_class=per_class,
    )


@standard_torch_state()
def load(cls: type[Classifier], folder: str | os.PathLike[str], *, network: Any, device: str) -> Classifier:
    """Load a classifier; see `CNNClassifier.load`."""
    path = find_model_folder(folder)
    config = read_config(path)
    if "estimator" in config.parameters:
        raise ModelFileError(f"{path} contains an ensemble. Load it with KFoldEnsembleClassifier.load.")
    spec = NetworkSpec(config.network.name, config.network.options).restore(network)
    classifier = cls(**restore_parameters(cls, config.parameters, path, spec), device=device)
    _restore_net(classifier, _load_network(path, config, spec), spec, config)
    classifier.held_out_, classifier.ood_ = read_held_out(path, config), read_ood(path, config)
    return classifier


@standard_torch_state()
def load_ensemble(
    cls: type[Classifier],
    member_cls: type[BaseEstimator],
    folder: str | os.PathLike[str],
    *,
    network: Any,
    device: str,
) -> Classifier:
    """Load an ensemble; see `KFoldEnsembleClassifier.load`."""
    path = find_model_folder(folder)
    config = read_config(path)
    parameters = dict(config.parameters)
    described = parameters.pop("estimator", None)
    if not isinstance(described, Mapping):
        raise ModelFileError(f"{path} contains a single classifier, not an ensemble. Load it with CNNClassifier.load.")
    member = _restore_member(config, network)
    template = member_cls(**restore_parameters(member_cls, described, path, member), device=device)
    ensemble = cls(template, **restore_parameters(cls, parameters, path))
    restored = _load_network(path, config, _with_members(config, member))
    if not isinstance(restored, EnsembleNetwork):
        raise ModelFileError(f"{path} has the parameters of an ensemble, but a single network. Train again.")
    ensemble.estimator_ = template
    ensemble.estimators_ = [clone(template) for _ in restored.members]
    for classifier, each in zip(ensemble.estimators_, restored.members, strict=True):
        _restore_net(classifier, each, member, config)
    ensemble.held_out_, ensemble.estimators_[0].ood_ = read_held_out(path, config), read_ood(path, config)
    _restore_attributes(ensemble, restored, config)
    return ensemble


@standard_torch_state()
def load_network(folder: str | os.PathLike[str], network: Any = None) -> Network:
    """Return the network of a classifier or ensemble in a model folder, on the CPU.

    `network` is the user's class, function or module, as in `CNNClassifier.load`. Raise `ParameterError` if it is
    missing.
    """
    path = find_model_folder(folder)
    config = read_config(path)
    if config.network.name == "ensemble":
        return _load_network(path, config, _with_members(config, _restore_member(config, network)))
    return _load_network(path, config, NetworkSpec(config.network.name, config.network.options).restore(network))


def uses_own_code(config: ModelConfig) -> bool:
    """Return whether a model has a user's network, whose code is not part of the model folder."""
    options = config.network.options
    return is_import_path(config.network.name) or is_import_path(options.get("network"))


def _restore_member(config: ModelConfig, network: Any) -> NetworkSpec:
    """Return the network of the members of an ensemble; `network` is the user's, if they have one."""
    options = config.network.options
    return NetworkSpec(options.get("network", "plain"), options.get("network_options") or {}).restore(network)


def _with_members(config: ModelConfig, member: NetworkSpec) -> NetworkSpec:
    """Return the network of an ensemble whose members are the user's modules, or registered networks."""
    options = config.network.options
    if member.factory is not None:
        options = {**options, "network": member.factory, "network_options": member.options}
    return NetworkSpec(config.network.name, options)


def _restore_net(classifier: BaseEstimator, network: nn.Module, spec: NetworkSpec, config: ModelConfig) -> None:
    """Set the network and the other fitted attributes of an unfitted classifier."""
    classifier._network_spec = spec
    classifier._seed = int(check_random_state(classifier.random_state).randint(2**31 - 1))
    # The number of steps does not matter, because `partial_fit` creates another net.
    training = TrainingConfig(n_steps=1, device=choose_device(classifier.device))
    classifier.net_ = build_net(network, training, num_classes=len(config.classes)).initialize()
    classifier.held_out_ = classifier.ood_ = None
    _restore_attributes(classifier, network, config)


def _restore_attributes(classifier: BaseEstimator, network: nn.Module, config: ModelConfig) -> None:
    """Set the fitted attributes that describe the data and the size of the network."""
    classifier.classes_ = config.label_array
    classifier.image_shape_ = config.input.shape
    classifier.pixel_range_ = config.input.pixel_range
    classifier.n_features_in_ = math.prod(config.input.shape)
    classifier.n_samples_fit_ = config.data.n_train
    classifier.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())


def _load_network(path: Path, config: ModelConfig, spec: NetworkSpec) -> Network:
    """Create the network of a configuration and load its weights; raise `ModelFileError` if they do not fit."""
    channels, height, width = config.input.shape
    shape: dict[str, Any] = {"in_channels": channels, "image_size": (height, width), "num_classes": len(config.classes)}
    is_own_code = spec.factory is not None or callable(spec.options.get("network"))
    if not is_own_code:
        _check_size(path, spec, shape)
    with torch.random.fork_rng(devices=[]):
        network = spec.create(**shape)
    load_weights(path, network, passed=is_own_code)
    if is_own_code and ONNX_NAME in config.files:
        _compare_with_onnx(path, config, network)
    return network


def _check_size(path: Path, spec: NetworkSpec, shape: Mapping[str, Any]) -> None:
    """Raise `ModelFileError` if a registered network cannot be created, or has more weights than the file."""
    try:
        with torch.device("meta"):  # allocates no memory, because an altered configuration could require terabytes
            shapes = spec.create(**shape).state_dict()
    except MissingPackageError:
        raise
    except ParameterError as error:
        raise ModelFileError(f"{path / 'config.json'}: {error} Train again with this version.") from error
    n_bytes = sum(tensor.nbytes for name, tensor in shapes.items() if not is_calibration(name))
    file_size = (path / WEIGHTS_NAME).stat().st_size
    if n_bytes > file_size:
        raise ModelFileError(
            f"The network of {path} has {n_bytes:,} bytes of weights, but {WEIGHTS_NAME} has {file_size:,} bytes. "
            "Copy the model folder again, or train again."
        )


def _compare_with_onnx(path: Path, config: ModelConfig, network: Network) -> None:
    """Raise `ModelFileError` if a user's network predicts something else than the folder's ONNX graph."""
    images = _draw_random(network, config.input.shape, config.input.pixel_range)
    content = read_verified(path / ONNX_NAME, config.files[ONNX_NAME])
    try:
        check_parity(network.eval(), content, config, images)
    except ModelFileError as error:
        raise ModelFileError(
            f"The network {config.network.name} that was passed predicts something else than {path / ONNX_NAME}. Pass "
            "the class of the trained network, with the same options. If its __init__ draws tensors at random, make "
            "them parameters or persistent buffers, and assign layers to attributes or a torch.nn.ModuleList."
        ) from error


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


def describe_loaded_weights(network: Network, loaded: Sequence[str], model: Any) -> str:
    """Return a line with the number of tensors loaded from `model`, or the pretrained network, and the other names."""
    new = [name for name in network.state_dict() if name not in loaded and is_learned(name)]
    initialised = f"; initialised: {', '.join(new)}" if new else ""
    source = "the pretrained network" if model is None else model
    return f"Loaded {len(loaded)} of {len(loaded) + len(new)} tensors from {source}{initialised}."


def _draw_sample(classifier: Classifier, images: np.ndarray | None) -> np.ndarray:
    """Return images to check the ONNX graph: an evenly spaced sample of `images`, and random images."""
    network = classifier.net_.module_
    step = _PRETRAINED_STEP if isinstance(network, PretrainedNetwork) else 1
    random = _draw_random(network, classifier.image_shape_, classifier.pixel_range_)[::step]
    if images is None:
        return random
    real = to_image_tensor(np.asarray(images[:: -(-len(images) // _N_REAL) * step]))
    classifier._check_image_shape(real, images.shape)
    return np.concatenate([random, real.numpy().astype(np.float32)])


def _draw_random(network: Network, shape: tuple[int, int, int], pixel_range: tuple[float, float] | None) -> np.ndarray:
    """Return random images, float32 (n, channels, height, width).

    They are noise with the statistics of the training images, and blocks of uniform brightness over their range, for
    which the predictions are more confident.
    """
    layer = network.input_normalization
    mean, std = layer.mean.cpu().numpy(), layer.std.cpu().numpy()
    channels, height, width = shape
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((_N_RANDOM, *shape), dtype=np.float32) * std + mean
    low, high = pixel_range or (0.0, 255.0)
    blocks = generator.uniform(low, high, (_N_RANDOM, channels, 4, 4)).astype(np.float32)
    rows, columns = (np.arange(side) * 4 // side for side in (height, width))
    return np.concatenate([noise, blocks[:, :, rows[:, None], columns]])
