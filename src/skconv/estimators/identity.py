"""What makes two trainings the same: a checkpoint of one is only resumed as that."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from skconv.estimators.persistence import describe_parameters
from skconv.exceptions import ParameterError
from skconv.model_io.checkpoints import CheckpointFolder
from skconv.model_io.environment import describe_environment
from skconv.training.batches import ImageDataset
from skconv.training.checkpointing import Checkpointing

_PACKAGES = ("skconv", "torch", "skorch")  # whose other versions may give other weights


def make_checkpointing(
    classifier: Any, train: ImageDataset, valid: ImageDataset | None, device: str
) -> Checkpointing | None:
    """Return what keeps the training of a classifier in its `checkpoint` folder; None where it has none.

    Parameters
    ----------
    classifier : CNNClassifier
        About to be fitted.
    train, valid : ImageDataset
        What it is fitted and validated on.
    device : str
        Where it is trained.

    Raises
    ------
    ParameterError
        Its `random_state` is no whole number: the training could not be done twice.
    """
    if classifier.checkpoint is None:
        return None
    if isinstance(classifier.random_state, bool) or not isinstance(classifier.random_state, int | np.integer):
        raise ParameterError(
            f"A training with checkpoint={str(classifier.checkpoint)!r} can be resumed only if its 'random_state' is a "
            f"whole number. Got {classifier.random_state!r} instead. Pass random_state=0."
        )
    environment = describe_environment()
    training = {
        **{name: value for name, value in describe_parameters(classifier).items() if name != "precision"},
        "callbacks": [type(each[1] if isinstance(each, tuple) else each).__name__ for each in classifier.callbacks],
        "precision": classifier.precision_,
        "device": device,
        "seed": classifier._seed,
        "number of threads": torch.get_num_threads(),
        "version of": {name: environment["versions"].get(name, "unknown") for name in _PACKAGES},
        "processor": environment["processor"],
        "training data": _fingerprint(train),
        "validation data": None if valid is None else _fingerprint(valid),
    }
    return Checkpointing(CheckpointFolder(classifier.checkpoint, training))


def _fingerprint(images: ImageDataset) -> str:
    """Return the sha256 of images, labels, weights and positions."""
    digest = hashlib.sha256()
    for tensor in (images.images, images.labels, images.weights, images.positions):
        if tensor is None:
            digest.update(b"none")
            continue
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for start in range(0, len(tensor), 4096):  # a memory map is never read whole
            digest.update(np.ascontiguousarray(tensor[start : start + 4096].numpy()).data)
    return digest.hexdigest()
