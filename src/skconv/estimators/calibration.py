"""Make a fitted classifier's confidence believable, by the images it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.model_io.held_out import HeldOut
    from skconv.recipes import Recipe

LEAST = 100  # held-out images; fewer say too little of how sure a model may be


def calibrate(classifier: CNNClassifier | KFoldEnsembleClassifier, plan: Recipe, dataset: Dataset) -> HeldOut | None:
    """Mend a classifier's logits by held-out images, correct them for the recipe's prior, and return its answers.

    They are divided by a temperature and, unless the recipe says no, shifted by a bias for each class. Of an
    ensemble those of the members are, by the same for all. These fit what each answers to the fold that it did not see,
    because no image was unseen by two of them: how sure their *mean* may be cannot be told without images that all
    were denied. But the mean of calibrated forecasts errs to one side only: it is less sure than it may be.

    Parameters
    ----------
    classifier : CNNClassifier or KFoldEnsembleClassifier
        Fitted; the `answers` of its network are scaled and shifted. An ensemble's `out_of_fold_proba_` become those of
        the mended members.
    plan : Recipe
        What it was trained by.
    dataset : Dataset
        What it was trained on.

    Returns
    -------
    HeldOut or None
        What it, or the members of the ensemble, answer in the end to the images they were not trained on; None where
        these are fewer than 100, and its confidence is left as it is.

    References
    ----------
    Ranjan, Gneiting: "Combining probability forecasts", Journal of the Royal Statistical Society B 72, 2010.
    """
    from skconv.evaluation.calibration import fit_calibration, softmax
    from skconv.model_io.held_out import HeldOut

    logits, labels = _collect_answers(classifier, dataset)
    enough = len(labels) >= LEAST
    temperature, biases = 1.0, np.zeros(len(classifier.classes_))
    if enough:
        # As the training weighed them: the prior is corrected for that, and comes after.
        weights = np.array([plan.class_weight.get(name, 1.0) for name in dataset.class_names])[labels]
        with_biases = plan.calibration.get("biases", True)
        temperature, biases = fit_calibration(logits, labels, weights, with_biases=with_biases)
        classifier.net_.module_.logit_calibration.scale(1 / temperature)
        classifier.net_.module_.logit_calibration.shift(biases.tolist())
    probabilities = softmax(logits / temperature + biases + plan.correct_prior(classifier, dataset))
    if hasattr(classifier, "out_of_fold_proba_"):
        classifier.out_of_fold_proba_[_find_held_out(classifier)] = probabilities
    return HeldOut(probabilities, labels, temperature) if enough else None


def _collect_answers(
    classifier: CNNClassifier | KFoldEnsembleClassifier, dataset: Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (n, k), each to within a constant, of the images that were not trained on, and their labels."""
    if hasattr(classifier, "out_of_fold_proba_"):
        held = _find_held_out(classifier)
        probabilities = classifier.out_of_fold_proba_[held].astype(np.float64)
        labels = np.searchsorted(classifier.classes_, dataset.train_labels[held])
        return np.log(probabilities.clip(np.finfo(np.float32).tiny)), labels
    answered = classifier.predict_validation()
    k = len(classifier.classes_)
    return (np.empty((0, k)), np.empty(0, np.int64)) if answered is None else answered


def _find_held_out(ensemble: KFoldEnsembleClassifier) -> np.ndarray:
    """Tell which images a member did not see, bool (n,)."""
    return np.asarray(np.isfinite(ensemble.out_of_fold_proba_).all(1))
