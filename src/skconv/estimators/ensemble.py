"""`KFoldEnsembleClassifier`: one classifier per fold of the data, and the mean of their predictions."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight

from skconv.estimators import persistence
from skconv.estimators.base import BaseImageClassifier, shift_probabilities
from skconv.estimators.classifier import CNNClassifier
from skconv.estimators.parameters import check_parameters, choose_device, split_network
from skconv.estimators.validation import split_folds
from skconv.exceptions import ParameterError
from skconv.networks.ensemble import EnsembleNetwork, check_ensemble
from skconv.training.callbacks import PrintEpochs
from skconv.training.config import TrainingConfig, build_net
from skconv.training.hardware import choose_precision
from skconv.training.net import ClassifierNet


class KFoldEnsembleClassifier(BaseImageClassifier):
    """Ensemble of classifiers, each trained on all folds of the data but one.

    Each image is held out by one member, so that training the ensemble also cross-validates it: `fold_scores_` and
    `out_of_fold_score_` estimate the accuracy of a single member. The mean of the members is usually more accurate. If
    members select an epoch by the validation loss (`restore_best`, `patience`), these scores are slightly too high.

    Parameters
    ----------
    estimator : CNNClassifier or None, default=None
        Trained on each fold; None is ``CNNClassifier()``. Each member is validated on the fold that it is not trained
        on; `validation_fraction` has no effect.
    cv : int, splitter or iterable, default=5
        A number of folds, at least 2, splits as ``StratifiedKFold(cv, shuffle=True, random_state=random_state)``. If
        every class has fewer images than folds, there are as many folds as the largest class has images; the only
        image of a class is in every training part. Or a splitter of scikit-learn, or pairs of training and held-out
        indices.
    average : {"probabilities", "logits"}, default="probabilities"
        What is averaged over the members.
    calibrate : bool or "temperature", default=True
        Calibrate all members alike, as in `CNNClassifier`, by the predictions of each for the fold that it was not
        trained on, if there are at least 100.
    random_state : int, RandomState or None, default=None
        Seed of the folds and of the members, which get a seed each.
    n_jobs : int or None, default=None
        Folds trained at the same time, each in a process; -1 uses all processors.
    verbose : int, default=0
        Above 0: a progress bar per member on standard error if that is a terminal.

    Attributes
    ----------
    estimators_ : list of CNNClassifier
        One per fold.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    class_prior_ : ndarray of float64, shape (n_classes,)
        Weighted fraction of each class among the images.
    held_out_ : HeldOut or None
        Calibrated out-of-fold probabilities and label positions; None without calibration.
    held_out_indices_ : list of ndarray
        Indices of the images that each member was not trained on.
    fold_scores_ : ndarray of shape (n_folds,)
        Accuracy of each member on those, before calibration.
    out_of_fold_proba_ : ndarray of float32, shape (n, n_classes)
        Probabilities by the members that were not trained on the image: their mean if there are several, NaN if there
        are none. Calibrated if the ensemble is.
    out_of_fold_score_ : float
        Accuracy of these probabilities, before calibration, over the images that have any.
    histories_ : list of list of dict
        `CNNClassifier.history_` of each member.
    net_ : ClassifierNet
        The members' networks as one, in a skorch net that is built at each access.
    image_shape_ : (channels, height, width)
    pixel_range_ : (float, float)
        Minimum and maximum of the training images.
    n_features_in_, n_samples_fit_ : int
    n_parameters_, n_epochs_ : int
        Sum and maximum over the members.
    fit_seconds_ : float
        Time from images in memory to the last member.
    precision_ : str
        "fp32" or "bf16", the same in all members.

    Notes
    -----
    No image is held out from all members, so that the confidence of their mean cannot be calibrated itself. The mean
    of calibrated forecasts is underconfident rather than overconfident.

    References
    ----------
    Ranjan, Gneiting: "Combining probability forecasts", Journal of the Royal Statistical Society B 72, 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> ensemble = KFoldEnsembleClassifier(CNNClassifier("fast", max_epochs=6), cv=3, random_state=0)
    >>> _ = ensemble.fit(digits.images[:1000], digits.target[:1000])
    >>> ensemble.score(digits.images[1000:], digits.target[1000:]) > 0.9, len(ensemble.fold_scores_)
    (True, 3)
    """

    def __init__(
        self,
        estimator: CNNClassifier | None = None,
        *,
        cv: Any = 5,
        average: str = "probabilities",
        calibrate: bool | str = True,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.average = average
        self.calibrate = calibrate
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train a member on each fold.

        Parameters
        ----------
        X, y, sample_weight
            As in `CNNClassifier.fit`; the training part of every fold needs all classes.
        groups : array-like of shape (n,), optional
            Passed to the splitter.

        Returns
        -------
        self

        Raises
        ------
        DataError
            X or y cannot be used, or cannot be split into these folds (a `ValueError`).
        ParameterError
            A parameter is outside its range (a `ValueError`).
        TrainingError
            The loss of a member is no longer finite.
        """
        start = time.perf_counter()
        self.__dict__.pop("estimators_", None)
        check_parameters({"calibrate": self.calibrate})
        template = self._check_estimator()
        X, y = self._validate(X, y, reset=True)
        self._check_training_data(X, y, sample_weight, template.class_weight)  # before any member is trained
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        folds = split_folds(self.cv, X, y, groups, self.random_state)
        check_ensemble(members=len(folds), network=split_network(template.network)[0], average=self.average)
        members = self._make_members(template, len(folds))
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_member)(member, X, y, sample_weight, *fold)
            for member, fold in zip(members, folds, strict=True)
        )
        self._set_members(template, [member for member, _ in results])
        self.n_samples_fit_ = len(y)
        self._score_held_out(y, [held_out for _, held_out in folds], [probabilities for _, probabilities in results])
        self.fit_seconds_ = time.perf_counter() - start
        self._calibrate(y)
        return self

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Return the ensemble of a model folder, ready to predict; no code in the folder is executed.

        Raises
        ------
        ModelFileError
            The folder is incomplete, altered, or not an ensemble.
        """
        return persistence.load_ensemble(cls, CNNClassifier, folder, device=device)

    @property
    def histories_(self) -> list[list[dict[str, Any]]]:
        """One list per member, with one plain dictionary per epoch."""
        return [member.history_ for member in self._fitted_members()]

    @property
    def net_(self) -> ClassifierNet:
        """Networks of the members as one network, which shares their weights."""
        members = self._fitted_members()
        network = EnsembleNetwork([member.net_.module_ for member in members], self.average)
        config = TrainingConfig(n_steps=None, device=members[0].net_.device)
        return build_net(network, config, num_classes=len(self.classes_)).initialize()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    @property
    def _network_spec(self) -> tuple[str, dict[str, Any]]:
        """Name and options of the network of `net_` in the registry."""
        members = self._fitted_members()
        name, options = members[0]._network_spec
        return "ensemble", {
            "members": len(members),
            "network": name,
            "network_options": dict(options),
            "average": self.average,
        }

    def _fitted_members(self) -> list[CNNClassifier]:
        if not hasattr(self, "estimators_"):
            raise NotFittedError("This KFoldEnsembleClassifier is not fitted yet: call fit before using its members.")
        return self.estimators_

    def _check_estimator(self) -> CNNClassifier:
        """Return the unfitted template of the members."""
        template = CNNClassifier() if self.estimator is None else self.estimator
        if not isinstance(template, CNNClassifier):
            raise ParameterError(f"The 'estimator' parameter must be a CNNClassifier. Got {template!r} instead.")
        return clone(template).set_params(calibrate=False)

    def _make_members(self, template: CNNClassifier, n_members: int) -> list[CNNClassifier]:
        precision = template.precision
        if precision == "auto":  # measured once, because measurements in several processes may differ
            precision = choose_precision(choose_device(template.device))
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n_members)
        verbose = max(template.verbose, self.verbose)
        members = [
            clone(template).set_params(random_state=int(seed), precision=precision, verbose=verbose) for seed in seeds
        ]
        for number, member in enumerate(members, start=1):
            if template.checkpoint is not None:
                member.set_params(checkpoint=Path(template.checkpoint) / f"fold-{number}")
            for entry in member.callbacks:
                callback = entry[1] if isinstance(entry, tuple) else entry
                if isinstance(callback, PrintEpochs):
                    callback.title = f"fold {number}  "
        return members

    def _set_members(self, template: CNNClassifier, members: list[CNNClassifier]) -> None:
        self.estimator_ = template
        self.estimators_ = members
        ranges = [member.pixel_range_ for member in members]
        self.pixel_range_ = (min(low for low, _ in ranges), max(high for _, high in ranges))
        self.precision_ = members[0].precision_
        self.n_parameters_ = sum(member.n_parameters_ for member in members)
        self.n_epochs_ = max(member.n_epochs_ for member in members)

    def _score_held_out(self, y: np.ndarray, held_out: list[np.ndarray], predicted: list[np.ndarray]) -> None:
        labels = np.searchsorted(self.classes_, y)
        total = np.zeros((len(y), len(self.classes_)), np.float32)
        n_members = np.zeros((len(y), 1), np.int64)
        fold_scores = []
        for positions, probabilities in zip(held_out, predicted, strict=True):
            total[positions] += probabilities
            n_members[positions] += 1
            fold_scores.append((probabilities.argmax(1) == labels[positions]).mean())
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an image that all members were trained on
            self.out_of_fold_proba_ = (total / n_members).astype(np.float32)
        held = self._find_held_out()
        self.held_out_indices_ = held_out
        self.fold_scores_ = np.array(fold_scores)
        self.out_of_fold_score_ = float((self.out_of_fold_proba_[held].argmax(1) == labels[held]).mean())

    def _calibrate(self, y: np.ndarray) -> None:
        """Calibrate all members by the out-of-fold probabilities, and replace these by calibrated ones."""
        held = self._find_held_out()
        logits = np.log(self.out_of_fold_proba_[held].astype(np.float64).clip(np.finfo(np.float32).tiny))
        self._calibrate_by(logits, np.searchsorted(self.classes_, y[held]), self.estimator_.class_weight)
        if self.held_out_ is not None:
            self.out_of_fold_proba_[held] = self.held_out_.probabilities

    def _shift_logits(self, shifts: np.ndarray) -> None:
        super()._shift_logits(shifts)
        if hasattr(self, "out_of_fold_proba_"):  # not after `load`
            held = self._find_held_out()
            self.out_of_fold_proba_[held] = shift_probabilities(self.out_of_fold_proba_[held], shifts)

    def _find_held_out(self) -> np.ndarray:
        """Return which images have an out-of-fold prediction, bool (n,)."""
        return np.asarray(np.isfinite(self.out_of_fold_proba_).all(1))


def _fit_member(
    member: CNNClassifier,
    X: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    train: np.ndarray,
    held_out: np.ndarray,
) -> tuple[CNNClassifier, np.ndarray]:
    """Return the member, fitted on one part, and its probabilities for the other."""
    held_out_images = X[held_out]
    weights = None if sample_weight is None else sample_weight[train]
    member.fit(X[train], y[train], sample_weight=weights, validation=(held_out_images, y[held_out]))
    probabilities = member.predict_proba(held_out_images)
    # Without this, every copy of the member would hold the held-out images and the state of the optimizer.
    member.net_.set_params(train_split=None)
    member.net_.optimizer_.state.clear()
    return member, probabilities
