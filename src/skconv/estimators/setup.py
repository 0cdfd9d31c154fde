"""Training set-up of a `CNNClassifier`: network, configuration, callbacks and checkpoints."""

from __future__ import annotations

import hashlib
import inspect
import math
import time
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback
from torch import nn

from skconv.distributed.process_group import ProcessGroup, get_process_group
from skconv.estimators.network_choice import choose_network, is_auto
from skconv.estimators.ood import count_images, fit_ood
from skconv.estimators.parameters import choose_device
from skconv.estimators.persistence import describe_loaded_weights, load_matching_weights
from skconv.estimators.running import calibrate_net, run_net, torch_seed
from skconv.estimators.saved_parameters import parameters_to_json
from skconv.estimators.splitting import Splits
from skconv.exceptions import ParameterError
from skconv.model_io.checkpoints import CheckpointFolder
from skconv.model_io.config import describe_environment
from skconv.networks.blocks import Network
from skconv.networks.custom import ModuleNetwork, describe_adaptation
from skconv.networks.ood_score import scores_single_view
from skconv.networks.pretrained import PretrainedNetwork, load_pretrained_weights
from skconv.networks.spec import NetworkSpec
from skconv.progress import print_progress
from skconv.text import format_count, parse_duration
from skconv.training.augmentation import make_augmentation
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.callbacks import PrintEpochs
from skconv.training.checkpointing import Checkpointing
from skconv.training.config import TrainingConfig, build_net, check_optimizer_and_criterion, count_steps
from skconv.training.freezing import Unfreeze
from skconv.training.hardware import choose_precision
from skconv.training.progress import TrainingProgress
from skconv.training.threads import use_threads
from skconv.training.time_limit import MEASURED_MAX, MEASURED_SHARE, TimeLimit, measure_steps

Classifier = Any  # a CNNClassifier; importing it would be circular

_SHARED_PARAMETERS = (  # parameters that are also fields of `TrainingConfig`
    "batch_size", "weight_decay", "ema_decay", "optimizer", "criterion", "schedule", "patience", "restore_best",
)  # fmt: skip
_MIN_STEPS = 20  # planned steps; fewer hardly train a network
_PACKAGES = ("skconv", "torch", "skorch")  # packages whose version can affect the weights
_NOT_DESCRIBED = ("precision", "false_alarm_rate")  # the precision used is recorded; the rate affects no weights


def make_network(classifier: Classifier, train: ImageDataset) -> Network:
    """Return a network with random, pretrained or loaded weights and the input normalisation of the training images.

    Set the attributes of the classifier that describe it.
    """
    classifier.planned_fraction_ = 1.0
    classifier._seed = int(check_random_state(classifier.random_state).randint(2**31 - 1))
    chosen = choose_network(classifier, train) if is_auto(classifier.network) else classifier.network
    classifier._network_spec = spec = NetworkSpec.read(chosen, classifier._select_options("network"))
    channels, height, width = classifier.image_shape_
    with torch_seed(classifier._seed):
        network = spec.create(in_channels=channels, image_size=(height, width), num_classes=len(classifier.classes_))
    if isinstance(network, PretrainedNetwork) and network.saved_options:
        classifier._network_spec = replace(spec, options={**spec.options, **network.saved_options})
    if isinstance(network, ModuleNetwork):
        message = describe_adaptation(network)
        if message:
            warnings.warn(message, stacklevel=4)
    model = classifier.init_from
    if model is not None:
        classifier.loaded_weights_ = load_matching_weights(network, model)
    else:
        classifier.loaded_weights_ = load_pretrained_weights(network)
    if classifier.loaded_weights_ and classifier.verbose > 0 and classifier.run_part.first:
        print_progress(describe_loaded_weights(network, classifier.loaded_weights_, model))
    sample = train.sample()
    network.input_normalization.fit(sample)
    classifier.pixel_range_ = (float(sample.min()), float(sample.max()))
    classifier.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())
    return network


def start_net(
    classifier: Classifier, train: ImageDataset, valid: ImageDataset | None, network: Network, *, scheduled: bool
) -> Checkpointing | None:
    """Create the skorch net `net_` of a classifier for `network`, and return its checkpoint callback, if any."""
    process_group = get_process_group()
    config = make_config(classifier, train, process_group, scheduled=scheduled)
    check_optimizer_and_criterion(config, len(classifier.classes_), weighted=train.weights is not None)
    if scheduled and classifier.time_limit is not None:
        config = limit_time(classifier, config, network, train, valid, process_group)
    checkpointing = make_checkpointing(classifier, config, train, valid, process_group) if scheduled else None
    classifier.precision_ = config.precision
    # Before the first epoch, because the loss that selects the best epoch uses corrected probabilities.
    network.logit_calibration.undo_smoothing(config.label_smoothing)
    classifier.net_ = build_net(
        network,
        config,
        num_classes=len(classifier.classes_),
        valid=valid,
        callbacks=make_callbacks(classifier, config, train, valid),
        checkpointing=checkpointing,
        process_group=process_group,
        weighted=train.weights is not None,
    ).initialize()
    return checkpointing


def fit_net(classifier: Classifier, train: ImageDataset, valid: ImageDataset | None, network: Network) -> float:
    """Train and calibrate a network; return the training time in seconds before the checkpoint that was resumed."""
    checkpointing = start_net(classifier, train, valid, network, scheduled=True)
    with nullcontext() if checkpointing is None else checkpointing.handling_signals():
        run_net(classifier, train)
    calibrate_net(classifier, valid)
    splits = Splits(train, valid)
    fit_ood(classifier, splits, splits)
    return 0.0 if checkpointing is None else checkpointing.seconds_


def restart_net(classifier: Classifier, train: ImageDataset) -> None:
    """Replace a net whose schedule is finished, after `fit` or `load`, by one with a constant learning rate."""
    history = classifier.net_.history
    start_net(classifier, train, None, classifier.net_.module_, scheduled=False)
    classifier.net_.history = history


def make_config(
    classifier: Classifier, train: ImageDataset, process_group: ProcessGroup | None, *, scheduled: bool
) -> TrainingConfig:
    """Return the training configuration; unless `scheduled`, the learning rate is constant (`partial_fit`)."""
    device = choose_device(classifier.device) if process_group is None else process_group.device
    precision = classifier.precision
    if precision == "auto":
        precision = choose_precision(device)
        if process_group is not None:  # measurements may differ between processes
            precision = process_group.broadcast_object(precision)
    n_steps, n_epochs, learning_rate = None, 1, classifier.learning_rate / 10
    if scheduled:
        n_batches = len(BatchIterator(train, classifier.batch_size, shuffle=True))
        batch_size = len(train) // n_batches
        if process_group is not None and batch_size < process_group.size:
            raise ParameterError(
                f"Batches of {batch_size} images cannot be split among {process_group.size} processes. "
                "Use a larger batch_size, more images or fewer processes."
            )
        n_steps, n_epochs = count_steps(
            classifier.max_epochs, n_batches, classifier.min_steps, n_images=len(train), optimizer=classifier.optimizer
        )
        learning_rate = classifier.learning_rate
    return TrainingConfig(
        n_steps=n_steps,
        n_epochs=n_epochs,
        learning_rate=learning_rate,
        augment=make_augmentation(classifier.augmentation),
        precision=precision,
        device=device,
        seed=classifier._seed,
        label_smoothing=0.0 if isinstance(classifier.criterion, type) else classifier.label_smoothing,
        optimizer_options=classifier._select_options("optimizer"),
        criterion_options=classifier._select_options("criterion"),
        **{name: getattr(classifier, name) for name in _SHARED_PARAMETERS},
    )


def limit_time(
    classifier: Classifier,
    config: TrainingConfig,
    network: Any,
    train: ImageDataset,
    valid: ImageDataset | None,
    process_group: ProcessGroup | None,
    per_image: float | None = None,
    n_activated: int = 0,
    min_seconds: float = 0.0,
) -> TrainingConfig:
    """Return the configuration with the number of steps that fit into the classifier's time limit.

    `per_image` is the time in seconds to predict an image after training, by default that of a validation image.
    `n_activated` is the number of images whose activations are computed after training. Training may take `min_seconds`
    even if less time is left.
    """
    if process_group is not None:
        raise ParameterError("Distributed training does not support 'time_limit'. Train without a time limit.")
    assert config.n_steps is not None
    seconds = parse_duration(classifier.time_limit)
    deadline = time.monotonic() + seconds - (time.perf_counter() - classifier._start_time)
    build = partial(build_net, config=config, num_classes=len(classifier.classes_))
    with use_threads(classifier.n_threads), torch_seed(0):
        measured = min(MEASURED_SHARE * seconds, MEASURED_MAX)
        cost = measure_steps(build, network, train, valid or train, measured)
    n_valid, measured = 0 if valid is None else len(valid), cost.validation / len(valid or train)
    n_scored = 0 if classifier.false_alarm_rate is None else count_images(len(train), n_valid, len(classifier.classes_))
    per_image = measured if per_image is None else per_image
    n_views = network.n_views if scores_single_view(network) else 1
    reserve = per_image * (classifier.n_scored_after + n_activated) + measured * (n_valid + n_scored / n_views)
    limit = TimeLimit(
        seconds,
        max(deadline, time.monotonic() + reserve + min_seconds),
        n_max=config.n_steps,
        n_batches=len(BatchIterator(train, config.batch_size, shuffle=True)),
        max_lr=config.learning_rate if config.is_one_cycle else None,
        reserve=reserve,
        verbose=classifier.verbose > 0,
    )
    limit.plan(cost if valid is not None else replace(cost, validation=0.0))
    if limit.n_steps < min(_MIN_STEPS, limit.n_max):
        warnings.warn(
            f"The time limit is enough for {format_count(limit.n_steps, 'step')} of {limit.n_max:,}: the network is "
            "hardly trained. Use a longer time_limit (--time-limit) or a faster network.",
            stacklevel=6,
        )
    return replace(config, time_limit=limit)


def make_callbacks(
    classifier: Classifier,
    config: TrainingConfig,
    train: ImageDataset,
    valid: ImageDataset | None,
    text: str | None = None,
) -> list[Any]:
    """Return the callbacks of the classifier, and those of its parameters `verbose` and `freeze_fraction`.

    `text` describes the training of a pretrained network, whose frozen stages are not part of the trained network.
    """
    callbacks = list(classifier.callbacks)
    if classifier.verbose > 0 and config.n_steps is not None:
        description = text or _describe_training(classifier, config, train, valid)
        printed = any(isinstance(_get_callback(each), PrintEpochs) for each in callbacks)
        callbacks.insert(0, ("progress", TrainingProgress(description, classifier.run_part, quiet_epochs=printed)))
    unfreezes = text is None and classifier.freeze_fraction and config.n_steps is not None
    if unfreezes and classifier.loaded_weights_:
        n_frozen = math.ceil(classifier.freeze_fraction * (config.n_planned or 0))
        callbacks.append(("unfreeze", Unfreeze(classifier.loaded_weights_, n_frozen)))
    return callbacks


def check_callbacks(callbacks: Any) -> None:
    """Raise `ParameterError` unless the parameter `callbacks` is a list of skorch callbacks."""
    entries = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for entry in entries:
        callback = _get_callback(entry)
        # skorch also accepts classes, which it instantiates.
        if not isinstance(callback, Callback) and not (isinstance(callback, type) and issubclass(callback, Callback)):
            kind = "a function" if inspect.isroutine(callback) else f"a {type(callback).__name__}"
            raise ParameterError(
                f"The 'callbacks' parameter must be a list of skorch callbacks. Got {kind}: {callback!r}. Derive a "
                "class with a method on_epoch_end(self, net, **kwargs) from skorch.callbacks.Callback, and pass an "
                "instance of it."
            )
    if not isinstance(callbacks, Iterable):
        raise ParameterError(f"The 'callbacks' parameter must be a list. Got {callbacks!r}. Pass [callback].")


def _get_callback(entry: Any) -> Any:
    """Return the callback of an entry of the parameter `callbacks`, which may have a name."""
    return entry[1] if isinstance(entry, tuple) else entry


def _describe_training(
    classifier: Classifier, config: TrainingConfig, train: ImageDataset, valid: ImageDataset | None
) -> str:
    """Return a line that describes a run before it starts."""
    channels, height, width = classifier.image_shape_
    colour = {1: "", 3: ", RGB"}.get(channels, f", {channels} channels")
    validated = "" if valid is None else f" ({len(valid):,} for validation)"
    n_steps = config.n_planned or 0
    n_threads = torch.get_num_threads() if classifier.n_threads == "auto" else classifier.n_threads
    n_epochs = math.ceil(n_steps / len(BatchIterator(train, config.batch_size, shuffle=True)))
    where = format_count(n_threads, "thread") if config.device == "cpu" else config.device
    batch = format_count(min(config.batch_size, len(train)), "image")
    return (
        f"Training network {classifier._network_spec.short_name} on {len(train):,} images of {width}×{height}{colour}"
        f"{validated}, {len(classifier.classes_)} classes: {format_count(n_epochs, 'epoch')}, "
        f"{format_count(n_steps, 'step')} of {batch}; {where}, {config.precision}."
    )


def make_checkpointing(
    classifier: Classifier,
    config: TrainingConfig,
    train: ImageDataset,
    valid: ImageDataset | None,
    process_group: ProcessGroup | None,
) -> Checkpointing | None:
    """Return the callback that saves checkpoints, or None if the parameter `checkpoint` is None.

    The checkpoint folder records everything that determines the weights, so that another run cannot resume it.
    """
    if classifier.checkpoint is None:
        return None
    if process_group is not None:
        raise ParameterError("Distributed training does not support 'checkpoint'. Train without a checkpoint folder.")
    if isinstance(classifier.random_state, bool) or not isinstance(classifier.random_state, int | np.integer):
        raise ParameterError(
            "The 'random_state' parameter must be an integer if 'checkpoint' is set. "
            f"Got {classifier.random_state!r}. Pass random_state=0."
        )

    def describe() -> dict[str, Any]:
        environment = describe_environment()
        return {
            **{name: value for name, value in parameters_to_json(classifier).items() if name not in _NOT_DESCRIBED},
            "callbacks": [type(_get_callback(each)).__name__ for each in classifier.callbacks],
            "precision": config.precision,
            "device": config.device,
            "seed": config.seed,
            "number of threads": str(classifier.n_threads),
            "version of": {name: environment["versions"].get(name, "unknown") for name in _PACKAGES},
            "processor": environment["processor"],
            "training data": _fingerprint(train),
            "validation data": None if valid is None else _fingerprint(valid),
            **_describe_module(classifier._network_spec.factory),
        }

    return Checkpointing(CheckpointFolder(classifier.checkpoint, describe), save_end=classifier.run_part.is_part)


def _describe_module(module: Any) -> dict[str, str]:
    """Return the sha256 of the initial weights of a user's module; nothing for classes and registered networks."""
    if not isinstance(module, nn.Module):
        return {}
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).data)
    return {"initial weights": digest.hexdigest()}


def _fingerprint(images: ImageDataset) -> str:
    """Return the sha256 of images, labels, weights and positions."""
    digest = hashlib.sha256()
    for tensor in (images.images, images.labels, images.weights, images.positions):
        if tensor is None:
            digest.update(b"none")
            continue
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for start in range(0, len(tensor), 4096):  # in chunks, so that a memory map is not loaded as a whole
            digest.update(np.ascontiguousarray(tensor[start : start + 4096].numpy()).data)
    return digest.hexdigest()
