"""`CNNClassifier`: a convolutional network as a scikit-learn classifier."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from skconv.estimators import persistence
from skconv.estimators.base import BaseImageClassifier
from skconv.estimators.callbacks import check_callbacks
from skconv.estimators.options import OptionsMixin, hide_options
from skconv.estimators.parameters import check_parameters, check_selection
from skconv.estimators.pretrained import fit_pretrained, merge_small_validation, update_pretrained
from skconv.estimators.running import run_net, warn_of_few_images
from skconv.estimators.setup import fit_net, make_network, restart_net, start_net
from skconv.estimators.splitting import Splits, hold_out
from skconv.estimators.validation import check_validation_pair, expand_weights
from skconv.networks.pretrained import PretrainedNetwork
from skconv.training.augmentation import Augmentation
from skconv.training.threads import start_measurement
from skconv.training.torch_state import standard_torch_state


class CNNClassifier(OptionsMixin, BaseImageClassifier):
    """Convolutional network classifier for small images.

    Parameters
    ----------
    network : str, dict, class, callable or torch.nn.Module, default="plain"
        A name from `skconv.list_networks`, or a mapping of ``name`` and options: ``{"name": "fast", "crop": 2}``. Or
        any module of torch that returns logits: its class, a function that returns it, or an instance, which is copied
        for each fit. A class or function is called with those of ``in_channels`` (1 or 3), ``image_size`` (height,
        width) and ``num_classes`` that its signature accepts. The module receives float32 images (n, channels, height,
        width) with mean 0 and standard deviation 1 per channel; a warning reports any conversion that it needs. "auto"
        uses the registered network with the lowest validation loss after short trainings; it requires `time_limit`.
    max_epochs : int, float or "auto", default="auto"
        Number of passes over the training images, above 0; fractions are allowed. "auto" uses more passes for small
        data.
    min_steps : int, default=0
        Minimum number of optimisation steps; passes are added until it is reached.
    time_limit : float, str or None, default=None
        Maximum time of `fit` in seconds, or a duration such as "90s", "10m" or "1h30m". The schedule is shortened to
        the epochs that fit, at most `max_epochs`. The weights then depend on the speed of the machine.
    batch_size : int, default=128
        Images per step, at least 1.
    learning_rate : float, default=0.01
        Peak of the one-cycle schedule, above 0.
    weight_decay : float, default=0.05
        Weight decay, at least 0; decoupled unless `optimizer` is "adam".
    label_smoothing : float, default=0.1
        Fraction of the target spread over all classes, 0..1; probabilities and validation loss are corrected for it.
    ema_decay : float, default=0.995
        Decay of the exponential moving average of the weights, below 1; 0 disables it.
    optimizer : {"adamw", "adam", "muon"} or class, default="adamw"
        "adam" has L2 regularisation as `weight_decay`; "muon" needs fewer epochs. A class of torch gets the learning
        rate and the options ``optimizer__NAME``, but not `weight_decay`.
    criterion : "cross-entropy" or class, default="cross-entropy"
        Loss. A class is called with the options ``criterion__NAME``, and its instance with logits (n, n_classes) and
        class indices (n,); `label_smoothing` has no effect. With sample weights, it must accept ``reduction="none"``.
    schedule : {"one-cycle", "constant"}, default="one-cycle"
        Schedule of the learning rate.
    augmentation : dict, augmentation, list of these or None, default=None
        Settings of registered augmentations, such as ``{"rotation": 10, "shift": 0.08}`` for
        `skconv.training.augmentation.Augmentation`; the items of a list are applied in order.
    validation_fraction : float, default=0.0
        Fraction of the training images, 0..0.9, for a stratified validation split (loss, accuracy, calibration); copies
        of an image are in the same split. No effect if `fit` receives X_val and y_val.
    patience : int or None, default=None
        Number of epochs without a better validation loss after which training stops and the best weights are restored.
    restore_best : {"valid_loss", "both_losses"} or None, default=None
        Restore the weights of the best epoch after training. "valid_loss": lowest validation loss. "both_losses": last
        epoch that improved training and validation loss over the best epoch before it. None retains the last weights.
    class_weight : dict, "balanced" or None, default=None
        Class weights as in scikit-learn; multiplied by `sample_weight`.
    calibrate : bool or "temperature", default=True
        Calibrate the probabilities on the validation images, if there are at least 100: with a temperature and a bias
        per class, or with a temperature alone, which changes no predicted label.
    false_alarm_rate : float or None, default=0.01
        Fraction of images like the training images, 0..0.5, whose `ood_score` exceeds its threshold; None: no score.
    precision : {"auto", "fp32", "bf16"}, default="auto"
        Floating-point precision of training; "auto" selects the faster one by measurement. Predictions use fp32.
    n_threads : int or "auto", default="auto"
        Number of processor threads, at least 1. "auto" is torch's number, at most the processors that the process may
        use, and fewer while other programs use the processors (only on Linux).
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Device to train and predict on.
    callbacks : list of skorch callbacks, default=()
        Callbacks passed to the skorch net.
    checkpoint : path-like or None, default=None
        Folder for checkpoints, which `fit` saves after epochs, every minute and on SIGTERM or SIGINT. `fit` with the
        same data and parameters resumes from it, and the final weights are identical to those of an uninterrupted
        `fit`. The folder is not removed. Requires an int as `random_state`. The state of a custom callback is saved if
        it has ``state_dict`` and ``load_state_dict``.
    init_from : path-like or None, default=None
        Model folder from which weights of the same name and shape are loaded; classes and image size may differ. Input
        normalisation and calibration are not loaded.
    freeze_fraction : float, default=0.0
        Fraction of training, 0..1, in which the weights loaded from `init_from` are unfrozen layer by layer, from last
        to first. For a pretrained network, the fraction of its stages that are not trained, first to last (see Notes).
    random_state : int, RandomState or None, default=None
        Seed of initial weights, order, augmentation and dropout. The same seed, machine and number of threads result in
        identical weights, unless several fits run in one process at the same time.
    verbose : int, default=0
        Above 0, report progress and remaining time: a bar in a terminal, a table in a notebook, else a line per epoch.
    **options
        Options of the network, optimizer and criterion: ``network__hidden=64``; parameters like the others in searches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels, as in scikit-learn: text is sorted as text, "10" before "2". Commands and `skconv.load_dataset`
        sort names that are numbers by value.
    class_prior_ : ndarray of float64, shape (n_classes,)
        Weighted fraction of each class among the images passed to `fit`.
    held_out_ : HeldOut or None
        Calibrated probabilities and label indices of the validation images; None without calibration.
    ood_ : FittedOod or None
        Out-of-distribution score; None without `false_alarm_rate`, with too few images, and after `partial_fit`.
    net_ : ClassifierNet
        The fitted skorch net.
    history_ : list of dict
        Per epoch: epoch, train_loss, valid_loss, valid_accuracy (None without validation), learning_rate, seconds.
    image_shape_ : (channels, height, width)
    pixel_range_ : (float, float)
        Minimum and maximum of the training images.
    n_features_in_, n_samples_fit_, n_parameters_, n_epochs_ : int
    fit_seconds_ : float
        Training time, without loading the data.
    planned_fraction_ : float
        Part of the planned epochs, or of the features of a pretrained network, that the time limit permitted, 0..1.
    precision_ : {"fp32", "bf16"}
    n_threads_ : int
        Minimum number of threads used during training.
    loaded_weights_ : list of str
        Names of the weights and buffers loaded from `init_from`, or of a pretrained network.

    Notes
    -----
    The head of a pretrained network is trained first, on features that are computed once per image and augmented view,
    at a fifth of `learning_rate`. The stages that are not frozen follow at a tenth of it. This second step is undone if
    the validation accuracy does not increase. Batch norm uses the statistics of the pretraining.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> classifier = CNNClassifier("fast", max_epochs=8, random_state=0)
    >>> _ = classifier.fit(digits.images[:1000], digits.target[:1000])
    >>> classifier.score(digits.images[1000:], digits.target[1000:]) > 0.9
    True
    """

    # Shared deadline of several fits (`time.time()`), and the number of fits to divide the remaining time by.
    time_share: tuple[float | None, int] = (None, 1)

    @hide_options
    def __init__(
        self,
        network: Any = "plain",
        *,
        max_epochs: float | str = "auto",
        min_steps: int = 0,
        time_limit: float | str | None = None,
        batch_size: int = 128,
        learning_rate: float = 0.01,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
        ema_decay: float = 0.995,
        optimizer: str | type[torch.optim.Optimizer] = "adamw",
        criterion: str | type[torch.nn.Module] = "cross-entropy",
        schedule: str = "one-cycle",
        augmentation: Augmentation | Mapping[str, Any] | Sequence[Any] | None = None,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        restore_best: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        calibrate: bool | str = True,
        false_alarm_rate: float | None = 0.01,
        precision: str = "auto",
        n_threads: int | str = "auto",
        device: str = "auto",
        callbacks: Sequence[Any] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        init_from: str | os.PathLike[str] | None = None,
        freeze_fraction: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        **options: Any,
    ) -> None:
        self.network = network
        self.max_epochs = max_epochs
        self.min_steps = min_steps
        self.time_limit = time_limit
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.ema_decay = ema_decay
        self.optimizer = optimizer
        self.criterion = criterion
        self.schedule = schedule
        self.augmentation = augmentation
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.restore_best = restore_best
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.false_alarm_rate = false_alarm_rate
        self.precision = precision
        self.n_threads = n_threads
        self.device = device
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.init_from = init_from
        self.freeze_fraction = freeze_fraction
        self.random_state = random_state
        self.verbose = verbose
        self._set_options(options)

    @standard_torch_state()
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train on images and labels.

        Parameters
        ----------
        X : array-like
            Images of shape (n, features), (n, height, width), (n, height, width, c) or (n, c, height, width), with c of
            1 or 3; uint8 or other numbers. Features are reshaped to a square image if their number is a square, else to
            an image one row high.
        y : array-like of shape (n,)
            Labels of any type, with at least two distinct values.
        sample_weight : array-like of shape (n,), optional
            Weights of at least 0. If all are integers up to 10, each image is repeated that many times; other weights
            scale the loss.
        X_val, y_val : array-like, optional
            Validation images and labels, in the form of X and y. They are used instead of a `validation_fraction` of
            the training images: for the validation scores of `history_`, `patience`, `restore_best` and calibration.
            All their labels must be among those of y.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If X, y, X_val or y_val is not valid (a `ValueError`).
        ParameterError
            If a parameter is out of range, or only one of X_val and y_val is passed (a `ValueError`).
        TrainingError
            If the loss is NaN or infinite.
        """
        start = self._start_time = time.perf_counter()
        check_parameters(self.get_params(deep=False))
        check_callbacks(self.callbacks)
        start_measurement(self.n_threads)
        has_validation_set = check_validation_pair(X_val, y_val)
        check_selection(self.get_params(deep=False), validated=has_validation_set or self.validation_fraction > 0)
        self.__dict__.pop("net_", None)
        images = self._check_training_data(X, y, sample_weight, self.class_weight)
        train, valid = images, self._check_validation_data(X_val, y_val) if has_validation_set else None
        if valid is None:
            train, valid = hold_out(images, self.validation_fraction, check_random_state(self.random_state))
        train = expand_weights(train)
        network = make_network(self, train)
        if isinstance(network, PretrainedNetwork):
            train, valid = merge_small_validation(images, train, valid)
        if valid is not None:
            warn_of_few_images(self, valid, n_total=len(images))
        if has_validation_set and valid is not None:
            self._warn_of_range(valid.images, stacklevel=3)
        try:
            fit: Any = fit_pretrained if isinstance(network, PretrainedNetwork) else fit_net
            self._seconds_before = fit(self, Splits(train, valid), network)
        except BaseException:
            self.__dict__.pop("net_", None)  # after a failure, the classifier must not count as fitted
            raise
        self.fit_seconds_ = self._seconds_before + time.perf_counter() - start
        return self

    @standard_torch_state()
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch, with a tenth of `learning_rate`.

        An existing calibration is retained.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like, optional
            Labels of all calls; required in the first call unless `y` contains all of them.

        Returns
        -------
        self
        """
        start, fitted = time.perf_counter(), hasattr(self, "net_")
        check_parameters(self.get_params(deep=False))
        start_measurement(self.n_threads)
        train = expand_weights(self._check_training_data(X, y, sample_weight, self.class_weight, classes))
        network = self.net_.module_ if fitted else make_network(self, train)
        if isinstance(network, PretrainedNetwork):
            update_pretrained(self, train, network)
        elif not fitted:
            start_net(self, Splits(train, None), network, scheduled=False)
        elif self.net_.get_params()["iterator_train__max_batches"] is not None:
            restart_net(self, train)
        if fitted:
            self._extend_range(train.sample())
        if not isinstance(network, PretrainedNetwork):
            run_net(self, train)
        self.held_out_ = self.ood_ = None  # computed with the previous weights
        self.fit_seconds_ = time.perf_counter() - start
        return self

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, network: Any = None, device: str = "auto") -> Self:
        """Load a fitted classifier from a model folder; no code in the folder is executed.

        Parameters
        ----------
        folder : path-like
            Model folder or run folder.
        network : class, callable or torch.nn.Module, optional
            The network that the classifier was trained with, unless it is registered; compared with the ONNX graph.
        device : {"auto", "cpu", "cuda", "mps"}, default="auto"

        Raises
        ------
        ModelFileError
            If the folder is incomplete, altered, or not a model, or `network` predicts something else.
        ParameterError
            If `network` is missing, or not needed.
        """
        return persistence.load(cls, folder, network=network, device=device)

    @property
    def history_(self) -> list[dict[str, Any]]:
        """Losses, accuracy and learning rate, as one dictionary per epoch."""
        if not hasattr(self, "net_"):
            raise NotFittedError("This CNNClassifier is not fitted yet: call fit before using its history_.")
        return self.net_.describe_history()
