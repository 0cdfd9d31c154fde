"""`KFoldEnsembleClassifier`: a classifier for each fold of the data, and the mean of their answers."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_sample_weight

from skconv.estimators import persistence
from skconv.estimators.base import BaseImageClassifier
from skconv.estimators.classifier import CNNClassifier
from skconv.estimators.parameters import choose_device, split_network
from skconv.exceptions import DataError, ParameterError
from skconv.networks.ensemble import EnsembleNetwork, check_ensemble
from skconv.training.assembly import build_net
from skconv.training.callbacks import PrintEpochs
from skconv.training.hardware import choose_precision
from skconv.training.net import ClassifierNet

Fold = tuple[np.ndarray, np.ndarray]


class KFoldEnsembleClassifier(BaseImageClassifier):
    """Classifiers trained on all folds but one each; their mean is more accurate and steadier than any of them.

    Every image is held out by one member, so that the ensemble's training gives an honest cross-validation as well:
    `fold_scores_` and `out_of_fold_score_`. The out-of-fold score speaks of single members; the ensemble is usually a
    little better on new images. Where members keep their best epoch, or stop, by the validation loss (`keep`,
    `patience`), they choose by the images they are then scored on: the scores flatter a little.

    Parameters
    ----------
    estimator : CNNClassifier or None, default=None
        What is trained on each fold; None is ``CNNClassifier()``. Its `validation_fraction` is not used: each member
        is validated on the part it does not see.
    cv : int, splitter or iterable, default=5
        A number of folds, at least 2, deals the images of each class out evenly, as ``StratifiedKFold(cv,
        shuffle=True, random_state=random_state)``; with fewer images of every class than folds, there are as many
        folds as the largest class has images, and the only image of a class is in every training part. Or a
        splitter of scikit-learn, or pairs of training and held-out positions.
    average : {"probabilities", "logits"}, default="probabilities"
        What is averaged over the members.
    random_state : int, RandomState or None, default=None
        Seed of the folds and of every member, which each get a seed of their own.
    n_jobs : int or None, default=None
        Folds trained at the same time, each in a process; -1 takes as many as there are processors.
    verbose : int, default=0
        Above 0: a progress bar for each member on standard error, where that is a terminal.

    Attributes
    ----------
    estimators_ : list of CNNClassifier
        One a fold.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    held_out_ : list of ndarray
        Positions of the images that each member did not see.
    fold_scores_ : ndarray of shape (n_folds,)
        Accuracy of each member on those.
    out_of_fold_proba_ : ndarray of float32, shape (n, n_classes)
        Probabilities by members that did not see the image: their mean where several did not, NaN where all did.
    out_of_fold_score_ : float
        Accuracy of these probabilities, over the images that have any.
    histories_ : list of list of dict
        `CNNClassifier.history_` of each member.
    net_ : ClassifierNet
        The members' networks as one, in a skorch net made at each call.
    image_shape_ : (channels, height, width)
    pixel_range_ : (float, float)
        Least and greatest value of the training images.
    n_features_in_, n_samples_fit_ : int
    n_parameters_, n_epochs_ : int
        Sum and maximum over the members.
    fit_seconds_ : float
        From images in memory to the last member.
    precision_ : str
        "fp32" or "bf16", the same in all members.

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
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.average = average
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train a member on each fold.

        Parameters
        ----------
        X, y, sample_weight
            As in `CNNClassifier.fit`; every class has to be in the training part of every fold.
        groups : array-like of shape (n,), optional
            Passed to the splitter.

        Returns
        -------
        KFoldEnsembleClassifier
            Itself.

        Raises
        ------
        DataError
            X or y cannot be used, or not be split into such folds (a `ValueError`).
        ParameterError
            A parameter is outside its range (a `ValueError`).
        TrainingError
            The loss of a member stopped being a finite number.
        """
        start = time.perf_counter()
        self.__dict__.pop("estimators_", None)
        template = self._check_estimator()
        X, y = self._validate(X, y, reset=True)
        # As a member would: what is wrong with the data is told before any is trained, and of all the data.
        clone(template)._check_training_data(X, y, sample_weight, classes=None)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        folds = _split(self.cv, X, y, groups, self.random_state)
        check_ensemble(members=len(folds), network=split_network(template.network)[0], average=self.average)
        members = self._make_members(template, len(folds))
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_member)(member, X, y, sample_weight, *fold)
            for member, fold in zip(members, folds, strict=True)
        )
        self._keep(template, [member for member, _ in results])
        self.n_samples_fit_ = len(y)
        self._score_held_out(y, [held_out for _, held_out in folds], [probabilities for _, probabilities in results])
        self.fit_seconds_ = time.perf_counter() - start
        return self

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Return the ensemble of a model folder, ready to predict; nothing in the folder is ever executed.

        Raises
        ------
        ModelFileError
            The folder is incomplete, altered, or not an ensemble.
        """
        return persistence.load_ensemble(cls, CNNClassifier, folder, device=device)

    @property
    def histories_(self) -> list[list[dict[str, Any]]]:
        """One list a member, with one plain dictionary an epoch."""
        return [member.history_ for member in self._fitted_members()]

    @property
    def net_(self) -> ClassifierNet:
        """The members' networks as one; it shares their weights."""
        members = self._fitted_members()
        return build_net(
            EnsembleNetwork([member.net_.module_ for member in members], self.average),
            classes=range(len(self.classes_)),
            n_steps=None,
            ema_decay=0.0,
            device=members[0].net_.device,
        ).initialize()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    @property
    def _network_spec(self) -> tuple[str, dict[str, Any]]:
        """Name and options by which the registry makes the network of `net_`."""
        members = self._fitted_members()
        name, options = members[0]._network_spec
        return "ensemble", {
            "members": len(members),
            "network": name,
            "network_options": dict(options),
            "average": self.average,
        }

    def _fitted_members(self) -> list[CNNClassifier]:
        if not hasattr(self, "estimators_"):  # a NotFittedError is an AttributeError too, as hasattr expects
            raise NotFittedError("This KFoldEnsembleClassifier is not fitted yet: call fit before using its members.")
        return self.estimators_

    def _check_estimator(self) -> CNNClassifier:
        """Return the unfitted classifier that members are copies of."""
        if self.estimator is None:
            return CNNClassifier()
        if not isinstance(self.estimator, CNNClassifier):
            raise ParameterError(
                f"The 'estimator' parameter must be a CNNClassifier or None. Got {self.estimator!r} instead."
            )
        return clone(self.estimator)

    def _make_members(self, template: CNNClassifier, n_members: int) -> list[CNNClassifier]:
        # Measured here for all: two processes could come to different answers.
        precision = template.precision
        if precision == "auto":
            precision = choose_precision(choose_device(template.device))
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=n_members)
        verbose = max(template.verbose, self.verbose)
        members = [
            clone(template).set_params(random_state=int(seed), precision=precision, verbose=verbose) for seed in seeds
        ]
        for number, member in enumerate(members, start=1):
            if template.checkpoint is not None:  # each is a training of its own
                member.set_params(checkpoint=Path(template.checkpoint) / f"fold-{number}")
            for entry in member.callbacks:
                callback = entry[1] if isinstance(entry, tuple) else entry
                if isinstance(callback, PrintEpochs):
                    callback.title = f"fold {number}  "
        return members

    def _keep(self, template: CNNClassifier, members: list[CNNClassifier]) -> None:
        self.estimator_ = template
        self.estimators_ = members
        self.classes_ = members[0].classes_
        self.image_shape_ = members[0].image_shape_
        ranges = [member.pixel_range_ for member in members]
        self.pixel_range_ = (min(low for low, _ in ranges), max(high for _, high in ranges))
        self.precision_ = members[0].precision_
        self.n_parameters_ = sum(member.n_parameters_ for member in members)
        self.n_epochs_ = max(member.n_epochs_ for member in members)

    def _score_held_out(self, y: np.ndarray, held_out: list[np.ndarray], predicted: list[np.ndarray]) -> None:
        labels = np.searchsorted(self.classes_, y)
        total = np.zeros((len(y), len(self.classes_)), np.float32)
        n_holdings = np.zeros((len(y), 1), np.int64)
        for positions, probabilities in zip(held_out, predicted, strict=True):
            total[positions] += probabilities
            n_holdings[positions] += 1
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an image that no member was without
            self.out_of_fold_proba_ = (total / n_holdings).astype(np.float32)
        held = n_holdings[:, 0] > 0
        self.held_out_ = held_out
        self.fold_scores_ = np.array(
            [
                (probabilities.argmax(1) == labels[each]).mean()
                for each, probabilities in zip(held_out, predicted, strict=True)
            ]
        )
        self.out_of_fold_score_ = float((self.out_of_fold_proba_[held].argmax(1) == labels[held]).mean())


def _split(cv: Any, X: np.ndarray, y: np.ndarray, groups: Any, random_state: Any) -> list[Fold]:
    """Return the training and the held-out positions of each fold, checked."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool) and cv >= 2:
        return _deal(y, int(cv), random_state)
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ParameterError(
            "The 'cv' parameter must be a whole number of at least 2, a splitter of scikit-learn, or pairs of training "
            f"and held-out positions. Got {cv!r} instead."
        )
    if hasattr(cv, "split"):
        try:
            pairs = list(cv.split(X, y, groups))
        except ValueError as error:
            raise DataError(f"{len(y)} images cannot be split by {cv}: {error}") from error
    else:
        pairs = list(cv)
    if not pairs:
        raise ParameterError("The 'cv' parameter holds no fold; expected at least one pair of positions.")
    folds = []
    for number, pair in enumerate(pairs, 1):
        try:
            train, held_out = (np.arange(len(y))[np.asarray(part)] for part in pair)
        except (TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"Fold {number} is no pair of training and held-out positions of {len(y)} images: {error}."
            ) from error
        _check_fold(number, train, held_out, y)
        folds.append((train, held_out))
    return folds


def _deal(y: np.ndarray, n_folds: int, random_state: Any) -> list[Fold]:
    """Deal the images of each class out to the folds; where they are too few, say what becomes of them."""
    classes, positions, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_dealt = min(n_folds, int(counts.max()))
    if n_dealt < 2:
        raise DataError(f"Each of the {len(classes)} classes has one image only; folds need 2 of at least one class.")
    if counts.min() < n_folds:
        rarest = int(counts.argmin())
        warnings.warn(
            f"Class {classes.tolist()[rarest]!r} has {counts[rarest]} image(s), fewer than the {n_folds} folds"
            + (f": there are {n_dealt} folds." if n_dealt < n_folds else ": some folds hold none of it out."),
            stacklevel=4,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's word on the same
        splitter = StratifiedKFold(n_dealt, shuffle=True, random_state=random_state)
        pairs = list(splitter.split(np.zeros(len(y)), positions))
    alone = counts[positions] == 1  # every member has to know every class
    return [(np.union1d(train, np.flatnonzero(alone)), held_out[~alone[held_out]]) for train, held_out in pairs]


def _check_fold(number: int, train: np.ndarray, held_out: np.ndarray, y: np.ndarray) -> None:
    if len(train) == 0 or len(held_out) == 0:
        raise DataError(f"Fold {number} has {len(train)} training and {len(held_out)} held-out images; both need some.")
    shared = np.intersect1d(train, held_out)
    if len(shared):
        raise DataError(
            f"Fold {number} has image {shared[0]} in its training and in its held-out part ({len(shared)} in all): "
            "its score would be worthless. Keep the parts apart."
        )
    lacking = np.setdiff1d(y, y[train])
    if len(lacking):
        raise DataError(
            f"The training part of fold {number} lacks the class {lacking.tolist()[0]!r}, and every member has to know "
            "every class. Bring more images of it, or use stratified folds as cv=5 makes them."
        )


def _fit_member(
    member: CNNClassifier,
    X: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    train: np.ndarray,
    held_out: np.ndarray,
) -> tuple[CNNClassifier, np.ndarray]:
    """Return the member, fitted on one part, and its probabilities for the other."""
    unseen = X[held_out]
    weights = None if sample_weight is None else sample_weight[train]
    member.fit(X[train], y[train], sample_weight=weights, validation=(unseen, y[held_out]))
    probabilities = member.predict_proba(unseen)
    # Else the held-out images would travel with every copy of the member, and what the optimizer knew of each weight.
    member.net_.set_params(train_split=None)
    member.net_.optimizer_.state.clear()
    return member, probabilities
