"""Trials: short trainings of candidate recipes, scored on images that they are not trained on."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skconv.data.dataset import Dataset
from skconv.data.splitting import VALID_FRACTION, hold_out_validation, take_fraction
from skconv.estimators.pretrained_features import measure_features
from skconv.evaluation.metrics import Scores, score_predictions
from skconv.recipes import Recipe
from skconv.text import format_count, format_duration, format_percent

MAX_FEW = 10_000  # training images up to which a recipe for longer trainings of a network is a candidate
MAX_CROSS_VALIDATED = 2000  # training images; with fewer, a validation split is too small to compare recipes
_MAX_VALIDATION = 2000  # validation images; more make a trial slower, but hardly more precise
TRIAL_FOLDS = 3
_FEW_FRACTION = 0.3  # validation images of a trial with few images and without cross-validation
_MIN_DEVIATIONS = 3  # standard deviations above the share of the largest class
_MIN_GAIN = 10  # minimum sum of the log-likelihood ratios of all images


@dataclass(frozen=True)
class Candidate:
    """A recipe to compare.

    Parameters
    ----------
    name : str
        Name of the recipe and its changes, such as ``"natural, flips"``.
    recipe : Recipe
    loaded, dataset : Dataset
        Images at the size of the recipe, and the same with the test split of the run.
    is_pretrained : bool, default=False
        Whether the network of the recipe is pretrained.
    """

    name: str
    recipe: Recipe
    loaded: Dataset
    dataset: Dataset
    is_pretrained: bool = False

    def change(self, change: str, **sections: Any) -> Candidate:
        """Return the candidate with changed sections of its recipe; `change` describes them in its name."""
        return replace(self, name=f"{self.name}, {change}", recipe=replace(self.recipe, **sections))

    @property
    def size(self) -> str:
        """Width and height of the images."""
        return f"{self.dataset.image_shape[1]}×{self.dataset.image_shape[0]}"


@dataclass(frozen=True)
class Trial:
    """Result of a short training of a candidate.

    Parameters
    ----------
    candidate : Candidate
    scores : Scores
        Of images that were not used for the training.
    seconds : float
        Time of training and scoring.
    n_epochs : int
        Number of trained epochs.
    fraction : float
        Part of the planned training that the time limit permitted, 0..1.
    """

    candidate: Candidate
    scores: Scores
    seconds: float
    n_epochs: int
    fraction: float

    @property
    def is_complete(self) -> bool:
        """Whether the time limit did not shorten the training."""
        return self.fraction == 1

    @property
    def largest_share(self) -> float:
        """Share of the largest class among the scored images."""
        return float(self.scores.confusion.sum(axis=1).max() / self.scores.n)

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy."""
        return math.sqrt(self.scores.accuracy * (1 - self.scores.accuracy) / self.scores.n)

    @property
    def is_above_chance(self) -> bool:
        """Whether accuracy or log loss is significantly better than that of the class frequencies.

        With imbalanced classes, the accuracy may equal the share of the largest class though classes are recognised.
        """
        deviation = math.sqrt(self.largest_share * (1 - self.largest_share) / self.scores.n)
        if self.scores.accuracy > self.largest_share + _MIN_DEVIATIONS * deviation:
            return True
        shares = self.scores.confusion.sum(axis=1) / self.scores.n
        entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
        gain = self.scores.n * (entropy - self.scores.negative_log_likelihood)
        # Calibration on the same images, with one parameter per class, gains about 0.5 per class by chance.
        return gain > _MIN_GAIN + len(shares)

    def to_row(self) -> dict[str, Any]:
        """Return a row of ``leaderboard.csv``."""
        return {
            "candidate": self.candidate.name,
            "recipe": self.candidate.recipe.name,
            "image_size": self.candidate.size,
            "accuracy": round(self.scores.accuracy, 6),
            "macro_f1": round(self.scores.macro_f1, 6),
            "log_loss": round(self.scores.negative_log_likelihood, 6),
            "images": self.scores.n,
            "epochs": self.n_epochs,
            "seconds": round(self.seconds, 1),
            "complete": self.is_complete,
        }

    def __str__(self) -> str:
        more = "" if self.is_complete else "; more epochs did not fit"
        return (
            f"{self.candidate.name} ({self.candidate.size}): accuracy {format_percent(self.scores.accuracy, 1)}, log "
            f"loss {self.scores.negative_log_likelihood:.3f} after {format_count(self.n_epochs, 'epoch')} in "
            f"{format_duration(self.seconds)}{more}."
        )


def trains_longer(recipe: Recipe, other: Recipe) -> bool:
    """Return whether a recipe trains the same network as another one for at least twice as many epochs."""
    return recipe.network == other.network and count_epochs(recipe) >= 2 * count_epochs(other) > 0


def count_epochs(recipe: Recipe) -> int:
    """Return the number of epochs of a recipe, or 0 if it depends on the data."""
    n_epochs = recipe.training.get("max_epochs")
    return n_epochs if isinstance(n_epochs, int) else 0


def run_trial(candidate: Candidate, seconds: float, *, seed: int, device: str, folds: int) -> tuple[Trial, Any]:
    """Train a candidate for at most `seconds`, and return its result and the fitted estimator.

    With `folds`, the candidate is cross-validated; with 0, it is scored on a validation split.
    """
    start = time.monotonic()
    training = {**candidate.recipe.training, "time_limit": seconds, "false_alarm_rate": None}
    if "freeze_fraction" in training:  # fine-tuning takes too long, and can only improve the validation accuracy
        training["freeze_fraction"] = 1.0
    recipe = replace(candidate.recipe, training=training)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about short trainings; the final training repeats the others
        if folds:
            recipe = replace(recipe, ensemble={"folds": folds})
            estimator: Any = recipe.create_estimator(candidate.dataset, random_state=seed, device=device)
            estimator.fit(candidate.dataset.train_images, candidate.dataset.train_labels)
            labels = np.searchsorted(estimator.classes_, candidate.dataset.train_labels)
            probabilities = estimator.out_of_fold_proba_
        else:
            train, valid = split_validation(candidate.dataset, seed=seed)
            estimator = recipe.create_estimator(candidate.dataset, random_state=seed, device=device)
            estimator.fit(train.train_images, train.train_labels, X_val=valid.train_images, y_val=valid.train_labels)
            held_out = estimator.held_out_  # a part of the validation images, if the time is short
            if held_out is None:
                labels = np.searchsorted(estimator.classes_, valid.train_labels)
                probabilities = estimator.predict_proba(valid.train_images)
            else:
                labels, probabilities = held_out.labels, held_out.probabilities
    names = [candidate.dataset.class_names[label] for label in estimator.classes_]
    scores = score_predictions(labels, probabilities, names)
    members = getattr(estimator, "estimators_", [estimator])
    trial = Trial(
        candidate,
        scores,
        seconds=time.monotonic() - start,
        n_epochs=estimator.n_epochs_,
        fraction=min(member.planned_fraction_ for member in members),
    )
    return trial, estimator


def estimate_features(candidate: Candidate, *, device: str) -> float:
    """Return the seconds that the features of all training images take with the pretrained network of a candidate."""
    images = candidate.dataset.train_images
    return len(images) * measure_features(candidate.recipe.create_member(candidate.dataset, device=device), images)


def split_validation(dataset: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Return the training images, and at most 2,000 validation images as the training images of a data set.

    Raise `DataError` if there are too few images.
    """
    if dataset.valid_labels is None:
        n = len(dataset.train_labels)
        fraction = _FEW_FRACTION if n < MAX_CROSS_VALIDATED else min(VALID_FRACTION, _MAX_VALIDATION / n)
        return hold_out_validation(dataset, seed=seed, fraction=fraction)
    train, valid = hold_out_validation(dataset, seed=seed)
    if len(valid.train_labels) > _MAX_VALIDATION:
        valid = take_fraction(valid, _MAX_VALIDATION / len(valid.train_labels), seed=seed)
    return train, valid
