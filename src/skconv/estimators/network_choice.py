"""Choice of a network by short trainings, for ``network="auto"``."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.utils import check_random_state

from skconv.estimators.splitting import hold_out
from skconv.exceptions import ParameterError, TrainingError
from skconv.progress import print_progress
from skconv.text import format_duration, parse_duration
from skconv.training.batches import ImageDataset

Classifier = Any  # a CNNClassifier; importing it would be circular

_CANDIDATES = ("fast", "plain", "residual")
_SHARE = 0.05  # share of the time limit for each candidate
_MAX_SHARE = 0.2  # share of the time limit after which no other candidate is compared
_VALIDATION_FRACTION = 0.15


def is_auto(network: Any) -> bool:
    """Return whether a value of the parameter `network` means that the network is chosen by short trainings."""
    return isinstance(network, str) and network == "auto"


def choose_network(classifier: Classifier, images: ImageDataset) -> str:
    """Return the name of the network with the lowest validation loss after a short training with the same parameters.

    A network whose loss becomes NaN or infinite is left out with a warning. Raise `TrainingError` if all are, and
    `ParameterError` without a time limit, or with checkpoints, because the choice depends on the machine's speed.
    """
    if classifier.time_limit is None:
        raise ParameterError("network='auto' compares networks within a time limit. Set time_limit, such as '5m'.")
    if classifier.checkpoint is not None:
        raise ParameterError("network='auto' cannot be combined with 'checkpoint'. Set the name of a network.")
    options = classifier._select_options("network")
    if options:
        raise ParameterError(
            f"network='auto' chooses the network, so 'network__{next(iter(options))}' cannot be set. Omit it, or set "
            "the name of a network."
        )
    latest = time.monotonic() + _MAX_SHARE * parse_duration(classifier.time_limit)
    limit = _SHARE * parse_duration(classifier.time_limit)
    seed = int(check_random_state(classifier.random_state).randint(2**31 - 1))
    train, valid = hold_out(images, _VALIDATION_FRACTION, np.random.RandomState(seed))
    (X, y, weights), (X_val, y_val, _) = _select(train), _select(valid)
    changed = {"time_limit": limit, "random_state": seed, "verbose": 0, "callbacks": (), "false_alarm_rate": None}
    losses: dict[str, float] = {}
    failure: TrainingError | None = None
    for name in _CANDIDATES:
        if losses and time.monotonic() > latest:
            warnings.warn(
                f"The network {name} is not compared, because the time limit is too short. Set a longer one.",
                stacklevel=4,
            )
            continue
        start = time.monotonic()
        # The weights of the images include those of the classes, whose labels are replaced by indices here.
        trial = clone(classifier).set_params(network=name, class_weight=None, **changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about short trainings
                trial.fit(X, y, sample_weight=weights, X_val=X_val, y_val=y_val)
        except TrainingError as error:
            failure = error
            warnings.warn(f"The network {name} is left out: {error}", stacklevel=4)
            continue
        losses[name] = log_loss(y_val, trial.predict_proba(X_val), labels=trial.classes_)
        used = time.monotonic() - start
        if classifier.verbose > 0:
            print_progress(f"Network {name}: validation log loss {losses[name]:.3f} in {format_duration(used)}.")
    if failure is not None and not losses:
        raise failure
    return min(losses, key=losses.__getitem__)


def _select(images: ImageDataset | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return images, label indices and weights as arrays."""
    assert images is not None
    positions = slice(None) if images.positions is None else images.positions
    weights = None if images.weights is None else images.weights[positions].numpy()
    return images.images[positions].numpy(), images.labels[positions].numpy(), weights
