"""Callbacks of a `CNNClassifier`: those of its parameters, checkpoints, and checks of the parameter `callbacks`."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from skconv.estimators.saved_parameters import parameters_to_json
from skconv.estimators.splitting import Splits
from skconv.exceptions import ParameterError
from skconv.model_io.checkpoints import CheckpointFolder
from skconv.model_io.config import describe_environment
from skconv.text import format_count
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.callbacks import PrintEpochs
from skconv.training.checkpointing import Checkpointing
from skconv.training.config import TrainingConfig
from skconv.training.freezing import Unfreeze
from skconv.training.progress import TrainingProgress

Classifier = Any  # a CNNClassifier; importing it would be circular

_PACKAGES = ("skconv", "torch", "skorch")  # packages whose version can affect the weights
_NOT_DESCRIBED = ("precision", "false_alarm_rate")  # the precision used is recorded; the rate affects no weights


def make_callbacks(classifier: Classifier, config: TrainingConfig, data: Splits, text: str | None = None) -> list[Any]:
    """Return the callbacks of the classifier, and those of its parameters `verbose` and `freeze_fraction`.

    `text` describes the training of a pretrained network, whose frozen stages are not part of the trained network.
    """
    callbacks = list(classifier.callbacks)
    if classifier.verbose > 0 and config.n_steps is not None:
        description = text or _describe_training(classifier, config, data)
        printed = any(isinstance(get_callback(each), PrintEpochs) for each in callbacks)
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
        callback = get_callback(entry)
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


def get_callback(entry: Any) -> Any:
    """Return the callback of an entry of the parameter `callbacks`, which may have a name."""
    return entry[1] if isinstance(entry, tuple) else entry


def _describe_training(classifier: Classifier, config: TrainingConfig, data: Splits) -> str:
    """Return a line that describes a run before it starts."""
    train, valid = data.train, data.valid
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


def make_checkpointing(classifier: Classifier, config: TrainingConfig, data: Splits) -> Checkpointing | None:
    """Return the callback that saves checkpoints, or None if the parameter `checkpoint` is None.

    The checkpoint folder records everything that determines the weights, so that another run cannot resume it.
    """
    if classifier.checkpoint is None:
        return None
    if isinstance(classifier.random_state, bool) or not isinstance(classifier.random_state, int | np.integer):
        raise ParameterError(
            "The 'random_state' parameter must be an integer if 'checkpoint' is set. "
            f"Got {classifier.random_state!r}. Pass random_state=0."
        )

    def describe() -> dict[str, Any]:
        environment = describe_environment()
        return {
            **{name: value for name, value in parameters_to_json(classifier).items() if name not in _NOT_DESCRIBED},
            "callbacks": [type(get_callback(each)).__name__ for each in classifier.callbacks],
            "precision": config.precision,
            "device": config.device,
            "seed": config.seed,
            "number of threads": str(classifier.n_threads),
            "version of": {name: environment["versions"].get(name, "unknown") for name in _PACKAGES},
            "processor": environment["processor"],
            "training data": _fingerprint(data.train),
            "validation data": None if data.valid is None else _fingerprint(data.valid),
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
