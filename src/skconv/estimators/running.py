"""Run of a classifier's net: threads, seed, calibration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from skconv.distributed.process_group import get_process_group
from skconv.exceptions import ParameterError
from skconv.training.batches import ImageDataset
from skconv.training.threads import use_threads

Classifier = Any  # a CNNClassifier; importing it would be circular


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Seed torch inside the block and restore the caller's random state after it."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def run_net(classifier: Classifier, train: ImageDataset) -> None:
    """Train the net of a classifier for its remaining epochs, with the threads and the seed of the classifier."""
    if not any(parameter.requires_grad for parameter in classifier.net_.module_.parameters()):
        raise ParameterError(
            f"The network {classifier._network_spec.short_name} has no parameters to train: requires_grad is False for "
            "all of them. Call requires_grad_(True) of the layers to train."
        )
    classifier.n_samples_fit_ = len(train)
    # In distributed training, the weights of all processes must be equal.
    adapt = classifier.net_.device == "cpu" and get_process_group() is None
    threads = use_threads(classifier.n_threads, adapt=adapt, warn=True)
    with threads as use, torch_seed(classifier._seed + len(classifier.net_.history)):
        classifier.net_.partial_fit(train, y=None)
    classifier.n_threads_ = use.lowest
    limit = dict(classifier.net_.callbacks_).get("time_limit")
    if limit is not None:
        classifier.planned_fraction_ = min(classifier.planned_fraction_, limit.n_steps / limit.n_max)
    classifier.n_epochs_ = len(classifier.net_.history)


def calibrate_net(classifier: Classifier, valid: ImageDataset | None) -> None:
    """Calibrate a classifier on validation images or activations, if there are any."""
    classifier.held_out_ = None
    if classifier.calibrate and valid is not None:
        logits = classifier._forward(valid)
        labels = valid.labels if valid.positions is None else valid.labels[valid.positions]
        classifier._calibrate_by(logits.numpy(), labels.numpy(), classifier.class_weight)
