"""Run of a classifier's net and of a member of an ensemble; calibration; warning about few validation images."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from skconv.distributed.process_group import get_process_group
from skconv.estimators.validation import describe_few_images
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
        classifier._calibrate_by(logits.numpy(), valid.selected_labels.numpy(), classifier.class_weight)


def warn_of_few_images(classifier: Classifier, valid: ImageDataset, *, n_total: int) -> None:
    """Warn if too few of `n_total` images are for validation, to select weights or to calibrate."""
    labels = valid.selected_labels.numpy()
    selects = classifier.patience is not None or classifier.restore_best is not None
    calibrates = bool(classifier.calibrate)
    names, classes = classifier.class_names, classifier.classes_
    classes = np.asarray(names) if len(names) == len(classes) else classes  # a fold may lack a class
    message = describe_few_images(labels, classes, n_total=n_total, selects=selects, calibrates=calibrates)
    if message:
        warnings.warn(message, stacklevel=4)


def fit_member(
    member: Classifier,
    X: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    train: np.ndarray,
    held_out: np.ndarray,
    X_val: Any,
    y_val: Any,
) -> tuple[Classifier, np.ndarray]:
    """Fit a member on the training images; return it with its probabilities for the held-out images."""
    end, n_left = member.time_share
    if end is not None:  # this member gets an equal share of the remaining time
        member.set_params(time_limit=max((end - time.time()) / n_left, 1.0))
    held_out_images = X[held_out]
    weights = None if sample_weight is None else sample_weight[train]
    if X_val is None:
        X_val, y_val = held_out_images, y[held_out]
    member.fit(X[train], y[train], sample_weight=weights, X_val=X_val, y_val=y_val)
    probabilities = member.predict_proba(held_out_images)
    # Removed, because copies of the member would include the held-out images and the state of the optimizer.
    member.net_.set_params(train_split=None)
    member.net_.optimizer_.state.clear()
    return member, probabilities
