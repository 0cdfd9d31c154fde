"""`CNNClassifier`: a convolutional network that behaves like any other scikit-learn classifier."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Self

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skconv.distributed.process_group import get_process_group
from skconv.estimators import persistence
from skconv.estimators.base import BaseImageClassifier
from skconv.estimators.identity import make_checkpointing
from skconv.estimators.initialization import Unfreeze, load_matching_weights
from skconv.estimators.parameters import (
    check_parameters,
    check_selection,
    choose_device,
    count_steps,
    make_augmentation,
    split_network,
)
from skconv.estimators.validation import arrange, combine_weights, encode_labels, hold_out, to_image_tensor
from skconv.exceptions import DataError, ParameterError
from skconv.networks import create_network
from skconv.networks.blocks import Network
from skconv.training.assembly import build_net
from skconv.training.augmentation import Augmentation
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.checkpointing import Checkpointing
from skconv.training.hardware import choose_precision


@contextmanager
def _random_numbers_of(seed: int) -> Iterator[None]:
    """Seed torch inside the block; the caller's random numbers are left as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


class CNNClassifier(BaseImageClassifier):
    """Convolutional network for small images, under scikit-learn's interface.

    Parameters
    ----------
    network : str or dict, default="standard"
        A name from `skconv.list_networks`, or a mapping of ``name`` and options: ``{"name": "fast", "crop": 2}``.
    max_epochs : int, float or "auto", default="auto"
        Passes over the training images, above 0; a fraction is a part of a pass. "auto" gives small data more.
    min_steps : int, default=0
        Make at least so many steps, by more passes over small data.
    batch_size : int, default=128
        Images a step, at least 1.
    learning_rate : float, default=0.01
        Peak of the one-cycle schedule, above 0.
    weight_decay : float, default=0.05
        Of AdamW, at least 0.
    label_smoothing : float, default=0.1
        Share of the target spread over all classes, 0..1; undone in the answers, and so in the validation loss.
    averaging : float, default=0.995
        Decay of the moving average of the weights, below 1; 0 uses the last weights.
    optimizer : {"adamw", "adam", "muon"}, default="adamw"
        "adam" adds the weight decay to the gradient, as older systems do; "muon" needs fewer epochs.
    schedule : {"one-cycle", "constant"}, default="one-cycle"
        The learning rate from step to step.
    augmentation : dict, Augmentation, Handwriting, list of these or None, default=None
        Settings of `skconv.training.augmentation.Augmentation`, ``{"rotation": 10, "shift": 0.08}``, and of
        `skconv.digits.augmentation.Handwriting`, ``{"pen": 0.5}``; several are applied one after the other.
    validation_fraction : float, default=0.0
        Share of the training images held out, stratified, to record validation loss and accuracy, 0..0.9.
    patience : int or None, default=None
        Stop after so many epochs without a better validation loss, and go back to the best; needs validation.
    restore_best : {"valid_loss", "both_losses"} or None, default=None
        Restore the weights of the best epoch at the end: the one with the lowest validation loss, or the last one in
        which training and validation loss both improved on the best epoch before. None retains the weights of the
        last epoch. Needs validation.
    class_weight : dict, "balanced" or None, default=None
        As in scikit-learn; multiplied with `sample_weight`.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Arithmetic of training; "auto" measures which is faster. Predictions are always computed in fp32.
    device : str, default="auto"
        "auto", "cpu", "cuda" or "mps".
    callbacks : list of skorch callbacks, default=()
        Passed to the net.
    checkpoint : path-like or None, default=None
        A folder in which `fit` keeps the state of the training, after epochs, every minute and when the process is
        told to end. Called again with the same data and parameters, `fit` goes on from there, to the same weights as
        if it had never stopped, bit for bit. The folder stays when the training is done: one folder, one training.
        Needs `random_state` to be a whole number. A callback of your own is remembered where it has ``state_dict`` and
        ``load_state_dict``.
    init_from : path-like or None, default=None
        A model folder whose weights `fit` begins with: all those whose name and shape fit, the scaling of the images
        left out. Classes and size of the images may be others.
    freeze : float, default=0.0
        Share of the training, 0..1, in which weights taken over are held back at first, and released layer by layer,
        the last one first.
    random_state : int, RandomState or None, default=None
        Seed of weights, order, augmentation and dropout. The same seed on the same machine with the same number of
        threads gives the same weights, bit for bit, unless several fits share one process at the same time.
    verbose : int, default=0
        Above 0: a progress bar on standard error, where that is a terminal.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    net_ : ClassifierNet
        The fitted skorch net.
    history_ : list of dict
        One entry an epoch: epoch, train_loss, valid_loss, valid_accuracy (None without validation),
        learning_rate, seconds.
    image_shape_ : (channels, height, width)
    pixel_range_ : (float, float)
        Least and greatest value of the training images.
    n_features_in_, n_samples_fit_, n_parameters_, n_epochs_ : int
    fit_seconds_ : float
        From images in memory to final weights.
    precision_ : str
        "fp32" or "bf16".
    loaded_weights_ : list of str
        Names of the weights and buffers that were taken over from `init_from`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> classifier = CNNClassifier("fast", max_epochs=8, random_state=0)
    >>> _ = classifier.fit(digits.images[:1000], digits.target[:1000])
    >>> classifier.score(digits.images[1000:], digits.target[1000:]) > 0.9
    True
    """

    def __init__(
        self,
        network: str | Mapping[str, Any] = "standard",
        *,
        max_epochs: float | str = "auto",
        min_steps: int = 0,
        batch_size: int = 128,
        learning_rate: float = 0.01,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        ema_decay: float = 0.995,
        optimizer: str = "adamw",
        schedule: str = "one-cycle",
        augmentation: Augmentation | Mapping[str, Any] | Sequence[Any] | None = None,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        restore_best: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        precision: str = "auto",
        device: str = "auto",
        callbacks: Sequence[Any] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        init_from: str | os.PathLike[str] | None = None,
        freeze_fraction: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.network = network
        self.max_epochs = max_epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.ema_decay = ema_decay
        self.optimizer = optimizer
        self.schedule = schedule
        self.augmentation = augmentation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.restore_best = restore_best
        self.class_weight = class_weight
        self.precision = precision
        self.device = device
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.init_from = init_from
        self.freeze_fraction = freeze_fraction
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: tuple[Any, Any] | None = None) -> Self:
        """Train on images and labels.

        Parameters
        ----------
        X : array-like
            (n, features), (n, height, width), (n, height, width, c) or (n, c, height, width), c of 1 or 3; uint8 or
            other numbers. Plain features are a square image where their number is a square, else an image
            one row high.
        y : array-like of shape (n,)
            Labels of any kind, at least two different ones.
        sample_weight : array-like of shape (n,), optional
            At least 0 each. Whole numbers of at most 10 are counts: the image is taken so often as if it stood in X
            so often. Others weigh its loss.
        validation : (X, y), optional
            Images and labels to validate on instead of a `validation_fraction` of the training images.

        Returns
        -------
        CNNClassifier
            Itself.

        Raises
        ------
        DataError
            X or y cannot be used (a `ValueError`).
        ParameterError
            A parameter is outside its range (a `ValueError`).
        TrainingError
            The loss stopped being a finite number.
        """
        start = time.perf_counter()
        check_parameters(self.get_params(deep=False))
        validated = validation is not None or self.validation_fraction > 0
        check_selection(self.get_params(deep=False), validated=validated)
        self.__dict__.pop("net_", None)
        images = self._check_training_data(X, y, sample_weight, classes=None)
        if validation is None:
            train, valid = hold_out(images, self.validation_fraction, check_random_state(self.random_state))
        else:
            train, valid = images, self._check_validation_data(*validation)
        train = arrange(train)
        checkpointing = self._start(train, valid, self._make_network(train), max_epochs=self.max_epochs)
        try:
            with nullcontext() if checkpointing is None else checkpointing.handling_signals():
                self._run(train)
        except BaseException:
            del self.net_  # a half-trained network must not pass for a fitted one
            raise
        before = 0.0 if checkpointing is None else checkpointing.seconds_
        self.fit_seconds_ = before + time.perf_counter() - start
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch, at a constant tenth of `learning_rate`, the peak of `fit`'s schedule.

        A calibration stays as it was found for the weights before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like, optional
            All labels that will ever come; needed at the first call unless `y` holds them all.

        Returns
        -------
        CNNClassifier
            Itself.
        """
        start = time.perf_counter()
        check_parameters(self.get_params(deep=False))
        fitted = hasattr(self, "net_")
        train = arrange(self._check_training_data(X, y, sample_weight, classes=classes))
        if not fitted:
            self._start(train, None, self._make_network(train), max_epochs=None)
        elif self.net_.get_params()["iterator_train__max_batches"] is not None:
            # Fitted before, or loaded: go on with its weights, without the schedule that has come to its end.
            history = self.net_.history
            self._start(train, None, self.net_.module_, max_epochs=None)
            self.net_.history = history
        self._run(train)
        self.fit_seconds_ = time.perf_counter() - start
        return self

    def predict_validation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the logits (n, n_classes) of the validation images of `fit`, and their labels as positions (n,).

        None where there were no such images.
        """
        if getattr(self.net_, "train_split", None) is None:
            return None
        valid = self.net_.train_split(None)[1]
        logits = torch.cat([batch.cpu() for batch in self.net_.forward_iter(valid, training=False)])
        labels = valid.labels if valid.positions is None else valid.labels[valid.positions]
        return logits.float().numpy(), labels.numpy()

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Return the classifier of a model folder, ready to predict; nothing in the folder is ever executed.

        Raises
        ------
        ModelFileError
            The folder is incomplete, altered, or not a model.
        """
        return persistence.load(cls, folder, device=device)

    @property
    def history_(self) -> list[dict[str, Any]]:
        """One plain dictionary an epoch."""
        if not hasattr(self, "net_"):
            raise NotFittedError("This CNNClassifier is not fitted yet: call fit before asking for its history_.")
        return self.net_.describe_history()

    def _check_training_data(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> ImageDataset:
        first = not hasattr(self, "net_")
        X, y = self._validate(X, y, reset=first)
        check_classification_targets(y)
        images = to_image_tensor(X)
        if first:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise DataError(
                    f"y holds one class only, {self.classes_[0]!r}; a classifier needs images of at least 2 classes."
                )
            self.image_shape_ = tuple(images.shape[1:])
        self._check_image_shape(images)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        weights = combine_weights(sample_weight, self.class_weight, y)
        labels = encode_labels(y, self.classes_)
        if weights is None:
            return ImageDataset(images, labels)
        kept = np.flatnonzero(weights)  # an image of weight 0 must not even reach the batch statistics
        positions = None if len(kept) == len(weights) else torch.from_numpy(kept)
        return ImageDataset(images, labels, torch.from_numpy(weights), positions)

    def _check_validation_data(self, X: Any, y: Any) -> ImageDataset:
        X, y = self._validate(X, y, reset=False)
        images = to_image_tensor(X)
        self._check_image_shape(images)
        return ImageDataset(images, encode_labels(y, self.classes_))

    def _make_network(self, train: ImageDataset) -> Network:
        """Return the network with fresh weights and its scaling set to the training images."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._network_spec = split_network(self.network)
        name, options = self._network_spec
        channels, height, width = self.image_shape_
        with _random_numbers_of(self._seed):
            network = create_network(
                name,
                in_channels=channels,
                image_size=(height, width),
                num_classes=len(self.classes_),
                **options,
            )
        self.loaded_weights_ = [] if self.init_from is None else load_matching_weights(network, self.init_from)
        sample = train.sample()
        network.input_normalization.fit(sample)
        self.pixel_range_ = (float(sample.min()), float(sample.max()))
        self.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())
        return network

    def _start(
        self,
        train: ImageDataset,
        valid: ImageDataset | None,
        network: Network,
        *,
        max_epochs: float | str | None,
    ) -> Checkpointing | None:
        """Make the net around a network; without `max_epochs` for one epoch after another at a constant rate.

        Returns what keeps checkpoints, where that is asked for.
        """
        process_group = get_process_group()
        device = choose_device(self.device) if process_group is None else process_group.device
        self.precision_ = self.precision
        if self.precision == "auto":
            measured = choose_precision(device)
            self.precision_ = measured if process_group is None else process_group.broadcast_object(measured)
        n_steps, n_epochs, checkpointing, callbacks = None, 1, None, list(self.callbacks)
        if process_group is not None and self.checkpoint is not None:
            raise ParameterError("Several processes would write one checkpoint. Train without 'checkpoint'.")
        if max_epochs is not None:
            checkpointing = make_checkpointing(self, train, valid, device)
            n_batches = len(BatchIterator(train, self.batch_size, shuffle=True))
            if process_group is not None and len(train) // n_batches < process_group.size:
                raise ParameterError(
                    f"Batches of {len(train) // n_batches} cannot be shared by {process_group.size} processes. "
                    "Take a larger batch_size, more images or fewer processes."
                )
            n_steps, n_epochs = count_steps(
                max_epochs,
                n_batches,
                self.min_steps,
                n_images=len(train),
                optimizer=self.optimizer,
            )
            if self.freeze_fraction and self.loaded_weights_:
                callbacks.append(
                    ("unfreeze", Unfreeze(self.loaded_weights_, math.ceil(self.freeze_fraction * n_steps)))
                )
        # Before the first epoch: the validation loss, by which the best one is chosen, is to be that of the answers.
        network.logit_calibration.undo_smoothing(self.label_smoothing)
        self.net_ = build_net(
            network,
            classes=range(len(self.classes_)),
            n_steps=n_steps,
            n_epochs=n_epochs,
            valid=valid,
            patience=self.patience,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate if n_steps else self.learning_rate / 10,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            ema_decay=self.ema_decay,
            optimizer=self.optimizer,
            schedule=self.schedule,
            restore_best=self.restore_best,
            augment=make_augmentation(self.augmentation),
            precision=self.precision_,
            device=device,
            seed=self._seed,
            callbacks=callbacks,
            checkpointing=checkpointing,
            process_group=process_group,
            progress=self.verbose > 0,
        ).initialize()
        return checkpointing

    def _run(self, train: ImageDataset) -> None:
        self.n_samples_fit_ = len(train)
        with _random_numbers_of(self._seed + len(self.net_.history)):
            self.net_.partial_fit(train, y=None)
        self.n_epochs_ = len(self.net_.history)
