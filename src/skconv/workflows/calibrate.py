"""Make a fitted classifier's confidence believable, by the validation pictures it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from skconv.artifacts.held_out import HeldOut
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier
    from skconv.recipes import Recipe

LEAST = 100  # validation pictures; fewer say too little of how sure a model may be


def calibrate(classifier: CNNClassifier, plan: Recipe, dataset: Dataset) -> HeldOut | None:
    """Divide a classifier's logits by a temperature, correct them for the recipe's prior, and return its answers.

    Parameters
    ----------
    classifier : CNNClassifier
        Fitted; its last layer is scaled, for good.
    plan : Recipe
        What it was trained by.
    dataset : Dataset
        What it was trained on.

    Returns
    -------
    HeldOut or None
        What it answers to its validation pictures in the end; None where it has fewer than 100, and its confidence is
        left as it is.
    """
    from skconv.artifacts.held_out import HeldOut
    from skconv.evaluation.calibration import fit_temperature, softmax

    held_out = classifier.predict_validation()
    temperature = 1.0
    if held_out is not None and len(held_out[1]) >= LEAST:
        logits, labels = held_out
        # As the training weighed them: the prior is corrected for that, and comes after.
        weights = np.array([plan.class_weight.get(name, 1.0) for name in dataset.class_names])[labels]
        temperature = fit_temperature(logits, labels, weights)
        classifier.net_.module_.scale_logits(1 / temperature)
    plan.correct_prior(classifier, dataset)
    answered: Any = classifier.predict_validation()
    if answered is None or len(answered[1]) < LEAST:
        return None
    logits, labels = answered
    return HeldOut(softmax(logits), labels, temperature)
