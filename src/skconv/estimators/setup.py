"""Training set-up of a `CNNClassifier`: network, configuration, time limit and skorch net."""

from __future__ import annotations

import time
import warnings
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from sklearn.utils import check_random_state

from skconv.distributed.process_group import ProcessGroup, get_process_group
from skconv.estimators.callbacks import make_callbacks, make_checkpointing
from skconv.estimators.network_choice import choose_network, is_auto
from skconv.estimators.ood import count_images, fit_ood
from skconv.estimators.parameters import choose_device
from skconv.estimators.persistence import describe_loaded_weights, load_matching_weights
from skconv.estimators.running import calibrate_net, run_net, torch_seed
from skconv.estimators.splitting import Splits
from skconv.exceptions import ParameterError
from skconv.networks.blocks import Network
from skconv.networks.custom import ModuleNetwork, describe_adaptation
from skconv.networks.ood_score import scores_single_view
from skconv.networks.pretrained import PretrainedNetwork, load_pretrained_weights
from skconv.networks.spec import NetworkSpec
from skconv.progress import print_progress
from skconv.text import format_count, parse_duration
from skconv.training.augmentation import make_augmentation
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.checkpointing import Checkpointing
from skconv.training.config import TrainingConfig, build_net, check_optimizer_and_criterion, count_steps
from skconv.training.hardware import choose_precision
from skconv.training.threads import use_threads
from skconv.training.time_limit import MEASURED_MAX, MEASURED_SHARE, TimeLimit, measure_steps

Classifier = Any  # a CNNClassifier; importing it would be circular

_SHARED_PARAMETERS = (  # parameters that are also fields of `TrainingConfig`
    "batch_size", "weight_decay", "ema_decay", "optimizer", "criterion", "schedule", "patience", "restore_best",
)  # fmt: skip
_MIN_STEPS = 20  # planned steps; fewer hardly train a network


def make_network(classifier: Classifier, train: ImageDataset) -> Network:
    """Return a network with random, pretrained or loaded weights and the input normalisation of the training images.

    Set the attributes of the classifier that describe it.
    """
    classifier.planned_fraction_ = 1.0
    classifier._seed = int(check_random_state(classifier.random_state).randint(2**31 - 1))
    chosen = choose_network(classifier, train) if is_auto(classifier.network) else classifier.network
    classifier._network_spec = spec = NetworkSpec.read(chosen, classifier._select_options("network"))
    channels, height, width = classifier.image_shape_
    with torch_seed(classifier._seed):
        network = spec.create(in_channels=channels, image_size=(height, width), num_classes=len(classifier.classes_))
    if isinstance(network, PretrainedNetwork) and network.saved_options:
        classifier._network_spec = replace(spec, options={**spec.options, **network.saved_options})
    if isinstance(network, ModuleNetwork):
        message = describe_adaptation(network)
        if message:
            warnings.warn(message, stacklevel=4)
    model = classifier.init_from
    if model is not None:
        classifier.loaded_weights_ = load_matching_weights(network, model)
    else:
        classifier.loaded_weights_ = load_pretrained_weights(network)
    if classifier.loaded_weights_ and classifier.verbose > 0 and classifier.run_part.first:
        print_progress(describe_loaded_weights(network, classifier.loaded_weights_, model))
    sample = train.sample()
    network.input_normalization.fit(sample)
    classifier.pixel_range_ = (float(sample.min()), float(sample.max()))
    classifier.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())
    return network


def start_net(classifier: Classifier, data: Splits, network: Network, *, scheduled: bool) -> Checkpointing | None:
    """Create the skorch net `net_` of a classifier for `network`, and return its checkpoint callback, if any."""
    process_group = get_process_group()
    if scheduled and process_group is not None:
        _check_distributed(classifier)
    config = make_config(classifier, data.train, process_group, scheduled=scheduled)
    check_optimizer_and_criterion(config, len(classifier.classes_), weighted=data.train.weights is not None)
    if scheduled and classifier.time_limit is not None:
        config = limit_time(classifier, config, network, data)
    checkpointing = make_checkpointing(classifier, config, data) if scheduled else None
    create_net(classifier, network, config, data, checkpointing=checkpointing, process_group=process_group)
    return checkpointing


def create_net(
    classifier: Classifier,
    network: Any,
    config: TrainingConfig,
    data: Splits,
    *,
    checkpointing: Checkpointing | None,
    process_group: ProcessGroup | None = None,
    text: str | None = None,
) -> None:
    """Set the initialised skorch net `net_` of a classifier, and its `precision_`; `text` as in `make_callbacks`."""
    classifier.precision_ = config.precision
    # Before the first epoch, because the loss that selects the best epoch uses corrected probabilities.
    network.logit_calibration.undo_smoothing(config.label_smoothing)
    classifier.net_ = build_net(
        network,
        config,
        num_classes=len(classifier.classes_),
        valid=data.valid,
        callbacks=make_callbacks(classifier, config, data, text),
        checkpointing=checkpointing,
        process_group=process_group,
        weighted=data.train.weights is not None,
    ).initialize()


def fit_net(classifier: Classifier, data: Splits, network: Network) -> float:
    """Train and calibrate a network; return the training time in seconds before the checkpoint that was resumed."""
    checkpointing = start_net(classifier, data, network, scheduled=True)
    with nullcontext() if checkpointing is None else checkpointing.handling_signals():
        run_net(classifier, data.train)
    calibrate_net(classifier, data.valid)
    fit_ood(classifier, data, data)
    return 0.0 if checkpointing is None else checkpointing.seconds_


def restart_net(classifier: Classifier, train: ImageDataset) -> None:
    """Replace a net whose schedule is finished, after `fit` or `load`, by one with a constant learning rate."""
    history = classifier.net_.history
    start_net(classifier, Splits(train, None), classifier.net_.module_, scheduled=False)
    classifier.net_.history = history


def make_config(
    classifier: Classifier, train: ImageDataset, process_group: ProcessGroup | None, *, scheduled: bool
) -> TrainingConfig:
    """Return the training configuration; unless `scheduled`, the learning rate is constant (`partial_fit`)."""
    device = choose_device(classifier.device) if process_group is None else process_group.device
    precision = classifier.precision
    if precision == "auto":
        precision = choose_precision(device)
        if process_group is not None:  # measurements may differ between processes
            precision = process_group.broadcast_object(precision)
    n_steps, n_epochs, learning_rate = None, 1, classifier.learning_rate / 10
    if scheduled:
        n_batches = len(BatchIterator(train, classifier.batch_size, shuffle=True))
        batch_size = len(train) // n_batches
        if process_group is not None and batch_size < process_group.size:
            raise ParameterError(
                f"Batches of {batch_size} images cannot be split among {process_group.size} processes. "
                "Use a larger batch_size, more images or fewer processes."
            )
        n_steps, n_epochs = count_steps(
            classifier.max_epochs, n_batches, classifier.min_steps, n_images=len(train), optimizer=classifier.optimizer
        )
        learning_rate = classifier.learning_rate
    return TrainingConfig(
        n_steps=n_steps,
        n_epochs=n_epochs,
        learning_rate=learning_rate,
        augment=make_augmentation(classifier.augmentation),
        precision=precision,
        device=device,
        seed=classifier._seed,
        label_smoothing=0.0 if isinstance(classifier.criterion, type) else classifier.label_smoothing,
        optimizer_options=classifier._select_options("optimizer"),
        criterion_options=classifier._select_options("criterion"),
        **{name: getattr(classifier, name) for name in _SHARED_PARAMETERS},
    )


def limit_time(
    classifier: Classifier,
    config: TrainingConfig,
    network: Any,
    data: Splits,
    *,
    per_image: float | None = None,
    n_activated: int = 0,
    min_seconds: float = 0.0,
) -> TrainingConfig:
    """Return the configuration with the number of steps that fit into the classifier's time limit.

    `per_image` is the time in seconds to predict an image after training, by default that of a validation image.
    `n_activated` is the number of images whose activations are computed after training. Training may take `min_seconds`
    even if less time is left.
    """
    assert config.n_steps is not None
    train, valid = data.train, data.valid
    seconds = parse_duration(classifier.time_limit)
    deadline = time.monotonic() + seconds - (time.perf_counter() - classifier._start_time)
    build = partial(build_net, config=config, num_classes=len(classifier.classes_))
    with use_threads(classifier.n_threads), torch_seed(0):
        cost = measure_steps(build, network, train, valid or train, min(MEASURED_SHARE * seconds, MEASURED_MAX))
    n_valid, per_valid = 0 if valid is None else len(valid), cost.validation / len(valid or train)
    n_scored = 0 if classifier.false_alarm_rate is None else count_images(len(train), n_valid, len(classifier.classes_))
    per_image = per_valid if per_image is None else per_image
    n_views = network.n_views if scores_single_view(network) else 1
    reserve = per_image * (classifier.n_scored_after + n_activated) + per_valid * (n_valid + n_scored / n_views)
    limit = TimeLimit(
        seconds,
        max(deadline, time.monotonic() + reserve + min_seconds),
        n_max=config.n_steps,
        n_batches=len(BatchIterator(train, config.batch_size, shuffle=True)),
        max_lr=config.learning_rate if config.is_one_cycle else None,
        reserve=reserve,
        verbose=classifier.verbose > 0,
    )
    limit.plan(cost if valid is not None else replace(cost, validation=0.0))
    if limit.n_steps < min(_MIN_STEPS, limit.n_max):
        warnings.warn(
            f"The time limit is enough for {format_count(limit.n_steps, 'step')} of {limit.n_max:,}: the network is "
            "hardly trained. Use a longer time_limit (--time-limit) or a faster network.",
            stacklevel=6,
        )
    return replace(config, time_limit=limit)


def _check_distributed(classifier: Classifier) -> None:
    """Raise `ParameterError` if a parameter is set that training in several processes does not support."""
    for name in ("time_limit", "checkpoint"):
        if getattr(classifier, name) is not None:
            raise ParameterError(
                f"Distributed training does not support '{name}'. Set it to None, or train in one process."
            )
