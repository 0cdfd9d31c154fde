"""Calibration of a fitted network by held-out images, and correction for another class prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from skconv.evaluation.calibration import fit_calibration
from skconv.exceptions import ParameterError
from skconv.model_io.records import HeldOut

if TYPE_CHECKING:
    from skconv.networks.logit_calibration import LogitCalibration

MIN_IMAGES = 100  # fewer held-out images determine a temperature too poorly


def calibrate_logits(
    layer: LogitCalibration,
    logits: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    *,
    with_biases: bool,
) -> HeldOut | None:
    """Fit a temperature, and a bias per class, to held-out images and set them in the network.

    Parameters
    ----------
    layer : LogitCalibration
        The last layer of the network; its scale and biases are updated.
    logits : ndarray of float, shape (n, n_classes)
        Logits of images that the network was not trained on; each row up to a constant.
    labels : ndarray of int64, shape (n,)
        Their classes, as positions.
    weights : ndarray of float, shape (n,), or None
        Weights of the images.
    with_biases : bool
        Whether to fit biases. A temperature alone changes no prediction.

    Returns
    -------
    HeldOut or None
        Calibrated probabilities of these images; None for fewer than 100 images, which change nothing.
    """
    if len(labels) < MIN_IMAGES:
        return None
    temperature, biases = fit_calibration(logits, labels, weights, with_biases=with_biases)
    layer.scale(1 / temperature)
    layer.shift(biases.tolist())
    return HeldOut(softmax(logits / temperature + biases, axis=1), labels, temperature)


def find_prior_shifts(prior: Mapping[Any, float], trained: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return what to add to the logit of each class to replace the class prior of the training images.

    Parameters
    ----------
    prior : mapping of label to float
        Expected fraction of each class; classes that are left out share the rest as in training.
    trained : ndarray of float, shape (n_classes,)
        Fraction of each class among the training images.
    classes : ndarray of shape (n_classes,)
        Labels.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        0 for classes that are left out, if there are any.

    Raises
    ------
    ParameterError
        An unknown label, or fractions that are not above 0 or add up to 1 or more.
    """
    unknown = [label for label in prior if label not in classes.tolist()]
    if unknown:
        raise ParameterError(f"The prior names the class {unknown[0]!r}; expected some of {classes.tolist()}.")
    named = np.isin(classes, list(prior))
    total = sum(prior.values())
    if min(prior.values(), default=1.0) <= 0 or total > 1 or (total == 1) != bool(named.all()):
        raise ParameterError(
            f"The prior is {dict(prior)!r}; expected fractions above 0 with a sum below 1, or of 1 for all classes."
        )
    expected = np.array([prior.get(label, np.nan) for label in classes.tolist()])
    shifts = np.where(named, np.log(expected) - np.log(trained), 0.0)
    if not named.all():
        shifts[named] -= np.log(1 - total) - np.log(1 - trained[named].sum())
    return shifts


def shift_probabilities(probabilities: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return probabilities (n, n_classes) after `shifts` were added to their logits."""
    return softmax(np.log(probabilities.clip(np.finfo(np.float32).tiny)) + shifts, axis=1)
