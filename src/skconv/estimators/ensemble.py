"""`KFoldEnsembleClassifier`: ensemble of the classifiers of a cross-validation, one per fold."""

from __future__ import annotations

import math
import os
import time
import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight

from skconv.estimators import persistence
from skconv.estimators.base import BaseImageClassifier, shift_probabilities
from skconv.estimators.callbacks import get_callback
from skconv.estimators.classifier import CNNClassifier
from skconv.estimators.network_choice import choose_network, is_auto
from skconv.estimators.ood import FittedOod
from skconv.estimators.parameters import check_parameters, choose_device
from skconv.estimators.running import fit_member
from skconv.estimators.splitting import split_folds
from skconv.estimators.validation import MIN_CALIBRATION, check_validation_pair
from skconv.exceptions import ParameterError
from skconv.networks.ensemble import EnsembleNetwork, check_ensemble
from skconv.networks.spec import NetworkSpec
from skconv.text import parse_duration
from skconv.training.callbacks import PrintEpochs
from skconv.training.config import TrainingConfig, build_net
from skconv.training.hardware import choose_precision
from skconv.training.net import ClassifierNet


class KFoldEnsembleClassifier(BaseImageClassifier):
    """Ensemble of classifiers, each trained on all folds of the data but one.

    Each image is held out from one member, so that `fold_scores_` and `out_of_fold_score_` are cross-validated
    estimates of the accuracy of a single member. The ensemble is usually more accurate. These scores are slightly
    optimistic if members select an epoch by the loss of their held-out fold (`restore_best`, `patience`).

    Parameters
    ----------
    estimator : CNNClassifier or None, default=None
        Template of the members; None is ``CNNClassifier()``. The validation images of a member are its held-out fold;
        `validation_fraction` has no effect. Its `time_limit` is for all members together.
    cv : int, splitter or iterable, default=5
        Number of folds, at least 2, for ``StratifiedKFold(cv, shuffle=True, random_state=random_state)``; or a splitter
        of scikit-learn; or pairs of training and held-out indices. For a number, copies of an image are in the same
        fold. If every class has fewer different images than `cv`, the number of folds is reduced to the largest number
        of a class. If a class has a single image, it is in every training part.
    average : {"probabilities", "logits"}, default="probabilities"
        Outputs to average over the members.
    calibrate : bool or "temperature", default=True
        Calibrate all members alike, as in `CNNClassifier`, on the out-of-fold predictions, if there are at least 100.
    random_state : int, RandomState or None, default=None
        Seed of the folds and the members; each member gets its own seed.
    n_jobs : int or None, default=None
        Number of folds to train at the same time, each in a process; -1 uses all processors.
    verbose : int, default=0
        Above 0, report the progress of each member as in `CNNClassifier`.

    Attributes
    ----------
    estimators_ : list of CNNClassifier
        Fitted members, one per fold.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    class_prior_ : ndarray of float64, shape (n_classes,)
        Weighted fraction of each class among the images.
    held_out_ : HeldOut or None
        Calibrated out-of-fold probabilities and label indices; None without calibration.
    ood_ : FittedOod or None
        Out-of-distribution score, that of the first member. Its threshold is set on the images held out from it.
    held_out_indices_ : list of ndarray
        Indices of the images that each member was not trained on.
    fold_scores_ : ndarray of shape (n_folds,)
        Accuracy of each member on its held-out images, before calibration.
    out_of_fold_proba_ : ndarray of float32, shape (n, n_classes)
        Mean probabilities of the members not trained on the image, NaN if there are none. They are calibrated if the
        ensemble is calibrated.
    out_of_fold_score_ : float
        Accuracy of the out-of-fold predictions before calibration, over the images that have such a prediction.
    histories_ : list of list of dict
        `CNNClassifier.history_` of each member.
    net_ : ClassifierNet
        Skorch net with the members' networks as one network; created at each access.
    image_shape_ : (channels, height, width)
    pixel_range_ : (float, float)
        Minimum and maximum of the training images.
    n_features_in_, n_samples_fit_ : int
    n_parameters_, n_epochs_ : int
        Sum and maximum over the members.
    fit_seconds_ : float
        Training time of all members, without loading the data.
    precision_ : str
        "fp32" or "bf16", the same for all members.

    Notes
    -----
    No image is held out from all members, so only the members can be calibrated, not their mean. The mean of calibrated
    probabilities tends to be underconfident.

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

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Train one member per fold, on all other folds.

        Parameters
        ----------
        X, y, sample_weight
            As in `CNNClassifier.fit`; the training part of every fold must contain all classes.
        groups : array-like of shape (n,), optional
            Groups of the images, passed to the splitter.
        X_val, y_val : array-like, optional
            Validation images and labels of every member, instead of its held-out fold, for `histories_`, `patience` and
            `restore_best`. The out-of-fold scores are then unbiased. Calibration uses the out-of-fold predictions.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If X or y is not valid, or cannot be split into these folds (a `ValueError`).
        ParameterError
            If a parameter is out of range (a `ValueError`).
        TrainingError
            If the loss of a member is NaN or infinite.
        """
        start, begin = time.perf_counter(), time.time()
        self.__dict__.pop("estimators_", None)
        check_parameters({"calibrate": self.calibrate})
        template = self._check_estimator()
        X, y = self._validate(X, y, reset=True)
        images = self._check_training_data(X, y, sample_weight, template.class_weight)
        if check_validation_pair(X_val, y_val):
            self._check_validation_data(X_val, y_val)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        folds = split_folds(self.cv, X, y, groups, self.random_state)
        check_ensemble(members=len(folds), network=template.network, average=self.average)
        if is_auto(template.network):  # after all checks, because it takes time
            template.set_params(network=choose_network(template, images))
        members = self._make_members(template, len(folds))
        limit = None if template.time_limit is None else begin + parse_duration(template.time_limit)
        n_jobs = min(effective_n_jobs(self.n_jobs), len(folds))
        for number, member in enumerate(members):
            member.n_scored_after = self.n_scored_after + len(y) // len(folds)
            member.time_share = limit, math.ceil((len(folds) - number) / n_jobs)
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_member)(member, X, y, sample_weight, *fold, X_val, y_val)
            for member, fold in zip(members, folds, strict=True)
        )
        self._set_members(template, [member for member, _ in results])
        self.n_samples_fit_ = len(y)
        self._score_held_out(y, [held_out for _, held_out in folds], [probabilities for _, probabilities in results])
        before = sum(member._seconds_before for member in self.estimators_) / n_jobs  # of an interrupted run
        self.fit_seconds_ = before + time.perf_counter() - start
        self._calibrate(y)
        return self

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, network: Any = None, device: str = "auto") -> Self:
        """Load a fitted ensemble from a model folder; no code in the folder is executed.

        Parameters
        ----------
        folder, network, device
            As in `CNNClassifier.load`.

        Raises
        ------
        ModelFileError
            If the folder is incomplete, altered, or not an ensemble.
        """
        return persistence.load_ensemble(cls, CNNClassifier, folder, network=network, device=device)

    @property
    def histories_(self) -> list[list[dict[str, Any]]]:
        """`CNNClassifier.history_` of each member."""
        return [member.history_ for member in self._fitted_members()]

    @property
    def ood_(self) -> FittedOod | None:  # type: ignore[override]
        """Out-of-distribution score of the first member."""
        return self._fitted_members()[0].ood_

    @property
    def net_(self) -> ClassifierNet:
        """Skorch net with the members' networks as one network, which shares their weights."""
        members = self._fitted_members()
        network = EnsembleNetwork([member.net_.module_ for member in members], self.average)
        config = TrainingConfig(n_steps=None, device=members[0].net_.device)
        return build_net(network, config, num_classes=len(self.classes_)).initialize()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    @property
    def _n_threads(self) -> int | str:
        """Number of threads of the members, or "auto"."""
        return self.estimator_.n_threads

    @property
    def _network_spec(self) -> NetworkSpec:
        """Name and options of the network of `net_`."""
        members = self._fitted_members()
        member = members[0]._network_spec
        options = {"members": len(members), "network": member.name, "network_options": member.describe_options()}
        return NetworkSpec("ensemble", {**options, "average": self.average})

    def _fitted_members(self) -> list[CNNClassifier]:
        if not hasattr(self, "estimators_"):
            raise NotFittedError("This KFoldEnsembleClassifier is not fitted yet: call fit before using its members.")
        return self.estimators_

    def _check_estimator(self) -> CNNClassifier:
        """Return the unfitted template of the members."""
        template = CNNClassifier() if self.estimator is None else self.estimator
        if not isinstance(template, CNNClassifier):
            raise ParameterError(f"The 'estimator' parameter must be a CNNClassifier. Got {template!r}.")
        return clone(template).set_params(calibrate=False)

    def _make_members(self, template: CNNClassifier, n_members: int) -> list[CNNClassifier]:
        precision = template.precision
        if precision == "auto":  # measure once, because measurements in several processes may differ
            precision = choose_precision(choose_device(template.device))
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n_members)
        shared = {"precision": precision, "verbose": max(template.verbose, self.verbose)}
        members = [clone(template).set_params(random_state=int(seed), **shared) for seed in seeds]
        for member in members[1:]:  # the score of the ensemble is that of the first member
            member.set_params(false_alarm_rate=None)
        parallel = effective_n_jobs(self.n_jobs) > 1
        for number, member in enumerate(members, start=1):
            member.class_names = self.class_names
            member.run_part = self.run_part.divide("fold", number, n_members, parallel=parallel)
            if template.checkpoint is not None:
                member.set_params(checkpoint=Path(template.checkpoint) / f"fold-{number}")
            for callback in map(get_callback, member.callbacks):
                if isinstance(callback, PrintEpochs):
                    callback.title = f"{member.run_part.label}, "
        return members

    def _set_members(self, template: CNNClassifier, members: list[CNNClassifier]) -> None:
        self.estimator_ = template
        self.estimators_ = members
        ranges = [member.pixel_range_ or (0.0, 0.0) for member in members]
        self.pixel_range_ = (min(low for low, _ in ranges), max(high for _, high in ranges))
        self.precision_ = members[0].precision_
        self.n_threads_ = min(member.n_threads_ for member in members)
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
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN for images that all members were trained on
            self.out_of_fold_proba_ = (total / n_members).astype(np.float32)
        held = self._find_held_out()
        self.held_out_indices_ = held_out
        self.fold_scores_ = np.array(fold_scores)
        self.out_of_fold_score_ = float((self.out_of_fold_proba_[held].argmax(1) == labels[held]).mean())

    def _calibrate(self, y: np.ndarray) -> None:
        """Calibrate all members on the out-of-fold probabilities, and calibrate these too."""
        held = self._find_held_out()
        if self.calibrate and held.sum() < MIN_CALIBRATION:
            few = f"calibration needs {MIN_CALIBRATION} images, and there are {held.sum()}. Add images."
            warnings.warn(f"The probabilities are not calibrated: {few}", stacklevel=2)
        logits = np.log(self.out_of_fold_proba_[held].astype(np.float64).clip(np.finfo(np.float32).tiny))
        self._calibrate_by(logits, np.searchsorted(self.classes_, y[held]), self.estimator_.class_weight)
        if self.held_out_ is not None:
            self.out_of_fold_proba_[held] = self.held_out_.probabilities

    def _shift_logits(self, shifts: np.ndarray) -> None:
        super()._shift_logits(shifts)
        if hasattr(self, "out_of_fold_proba_"):  # `load` does not set it
            held = self._find_held_out()
            self.out_of_fold_proba_[held] = shift_probabilities(self.out_of_fold_proba_[held], shifts)

    def _find_held_out(self) -> np.ndarray:
        """Return a mask of the images that have an out-of-fold prediction, bool (n,)."""
        return np.asarray(np.isfinite(self.out_of_fold_proba_).all(1))
