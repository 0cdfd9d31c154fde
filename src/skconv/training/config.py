"""Training configuration: `TrainingConfig`, number of steps and epochs, and the skorch net built from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from skconv.distributed.process_group import ProcessGroup
from skconv.exceptions import ParameterError
from skconv.text import format_error
from skconv.training.batches import Augment, ImageDataset
from skconv.training.callbacks import RecalibrateBatchNorm, RestoreBest, StopOnNaN, SyncMetrics
from skconv.training.checkpointing import Checkpointing
from skconv.training.net import ClassifierNet
from skconv.training.optimizers import AdamW, Muon, create_adam
from skconv.training.time_limit import FINAL_RATIO, RATE_FACTOR, RATE_RATIO, RISE, TimeLimit

_AUTO_MIN = {"muon": (1300, 3)}  # minimum number of steps, until the EMA converges, and of epochs, per optimizer
_AUTO_MIN_OTHERS = (1500, 6)
_AUTO_EPOCHS_MAX = 100
_AUTO_EPOCHS_MAX_TINY = 50  # maximum for fewer than 50 images; more epochs did not improve the accuracy
# Shorter averages than the default (0.9, 0.999) suit a short one-cycle schedule.
_ONE_CYCLE_BETAS = (0.7, 0.95)
_FEW_STEPS = 50  # the running averages of batch norm need about 50 steps to converge
_SELECTED_BY = {"valid_loss": ("valid_loss",), "both_losses": ("train_loss", "valid_loss")}
_OPTIMIZERS = {"adamw": AdamW, "adam": create_adam, "muon": Muon}


@dataclass(frozen=True)
class TrainingConfig:
    """Training settings; settings that are not listed here are parameters of `CNNClassifier`.

    Parameters
    ----------
    n_steps : int or None
        Number of steps; None for training of unlimited length at a constant learning rate.
    n_epochs : int, default=1
        Number of epochs needed for the steps; the last one may be incomplete.
    augment : callable or None, default=None
        Augmentation, as in `skconv.training.batches.BatchIterator`.
    precision : {"fp32", "bf16"}, default="fp32"
        Floating-point precision of training.
    optimizer, criterion : str or class
        As in `CNNClassifier`, with the options ``optimizer__NAME`` and ``criterion__NAME`` in `optimizer_options` and
        `criterion_options`.
    seed : int, default=0
        Seed of the order of the images and of the augmentation.
    time_limit : TimeLimit or None, default=None
        Callback that sets the number of steps and the learning rate instead.
    stage_rate : float or None, default=None
        Learning rate of the pretrained stages, relative to that of the head, for a `PartialNetwork`.
    """

    n_steps: int | None
    n_epochs: int = 1
    batch_size: int = 128
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    optimizer: str | type[torch.optim.Optimizer] = "adamw"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    criterion: str | type[nn.Module] = "cross-entropy"
    criterion_options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "constant"
    patience: int | None = None
    restore_best: str | None = None
    augment: Augment | None = None
    precision: str = "fp32"
    device: str = "cpu"
    seed: int = 0
    time_limit: TimeLimit | None = None
    stage_rate: float | None = None

    @property
    def n_planned(self) -> int | None:
        """Number of training steps, limited by `time_limit` if set; None without a fixed number."""
        return self.n_steps if self.time_limit is None else self.time_limit.n_steps

    @property
    def is_one_cycle(self) -> bool:
        """Whether the learning rate follows the one-cycle schedule."""
        return self.schedule == "one-cycle" and self.n_steps is not None


def count_steps(
    max_epochs: float | str,
    batches_per_epoch: int,
    min_steps: int = 0,
    *,
    n_images: float = math.inf,
    optimizer: Any = "adamw",
) -> tuple[int, int]:
    """Return the number of training steps (at least `min_steps`) and the number of epochs needed for them.

    `max_epochs` may be a fraction. "auto" is 6 to 100 epochs (3 to 100 with Muon): more epochs for fewer batches per
    epoch. With fewer than 100 images, the maximum is the number of images, but at least 50.

    Examples
    --------
    >>> count_steps(0.7, 235), count_steps(10, 469), count_steps(0.7, 10, 100)
    ((165, 1), (4690, 10), (100, 10))
    >>> count_steps("auto", 469), count_steps("auto", 15), count_steps("auto", 1, n_images=20)
    ((2814, 6), (1500, 100), (50, 50))
    """
    if isinstance(max_epochs, str):
        auto_steps, epochs_min = _AUTO_MIN.get(optimizer, _AUTO_MIN_OTHERS)
        epochs_max = int(min(max(n_images, _AUTO_EPOCHS_MAX_TINY), _AUTO_EPOCHS_MAX))
        max_epochs = min(max(math.ceil(auto_steps / batches_per_epoch), epochs_min), epochs_max)
    steps = max(1, min_steps, math.ceil(max_epochs * batches_per_epoch))
    return steps, math.ceil(steps / batches_per_epoch)


def build_net(
    network: nn.Module,
    config: TrainingConfig,
    *,
    num_classes: int,
    valid: ImageDataset | None = None,
    callbacks: Sequence[Any] = (),
    checkpointing: Checkpointing | None = None,
    process_group: ProcessGroup | None = None,
    weighted: bool = False,
) -> ClassifierNet:
    """Return a skorch net with these settings, not yet initialised; ``net.fit(ImageDataset(…), y=None)`` trains it.

    The network accepts float32 (n, channels, height, width) and returns logits (n, num_classes). The images `valid` are
    scored after each epoch. `callbacks` run after those of the net. `checkpointing` runs last and saves the state of
    the other callbacks. `weighted` is whether the training images have weights.

    References
    ----------
    Smith, Topin: "Super-convergence: very fast training of neural networks using large learning rates", 2019.
    """
    validated = valid is not None
    return ClassifierNet(
        network,
        classes=list(range(num_classes)),
        lr=config.learning_rate,
        **_scale_stage_rate(config),
        max_epochs=config.n_epochs,
        batch_size=config.batch_size,
        iterator_train__shuffle=True,
        iterator_train__seed=config.seed,
        iterator_train__augment=config.augment,
        iterator_train__max_batches=config.n_steps,
        iterator_train__device=config.device,
        iterator_train__process_group=process_group,
        iterator_valid__device=config.device,
        iterator_valid__batch_size=128,  # the network `accurate` takes 25 % longer with batches of 512
        train_split=None if valid is None else predefined_split(valid),
        precision=config.precision,
        ema_decay=config.ema_decay,
        process_group=process_group,
        device=config.device,
        callbacks=[
            *_first_callbacks(config, process_group, validated=validated),
            *callbacks,
            *_last_callbacks(config, validated=validated),
            *([] if config.time_limit is None else [("time_limit", config.time_limit)]),
            *([] if checkpointing is None else [("checkpointing", checkpointing)]),
        ],
        callbacks__print_log=None,
        verbose=0,
        **_choose_optimizer(config),
        **_choose_criterion(config, weighted=weighted),
    )


def _choose_optimizer(config: TrainingConfig) -> dict[str, Any]:
    """Return the arguments of skorch for the optimizer."""
    options = dict(config.optimizer_options)
    if isinstance(config.optimizer, type):
        chosen: Any = config.optimizer
    else:
        chosen = _OPTIMIZERS[config.optimizer]
        betas = _ONE_CYCLE_BETAS if config.is_one_cycle else (0.9, 0.999)
        options = {"betas": betas, "weight_decay": config.weight_decay, **options}
    return {"optimizer": chosen, **{f"optimizer__{name}": value for name, value in options.items()}}


def _choose_criterion(config: TrainingConfig, *, weighted: bool) -> dict[str, Any]:
    """Return the arguments of `ClassifierNet` for the loss."""
    if not isinstance(config.criterion, type):
        return {"label_smoothing": config.label_smoothing}
    options = {**config.criterion_options, **({"reduction": "none"} if weighted else {})}
    named = {f"criterion__{name}": value for name, value in options.items()}
    return {"criterion": config.criterion, "label_smoothing": None, **named}


def check_optimizer_and_criterion(config: TrainingConfig, num_classes: int, *, weighted: bool = False) -> None:
    """Raise `ParameterError` if the optimizer or the criterion rejects its options, logits, labels or weights."""
    if isinstance(config.optimizer, type) and not issubclass(config.optimizer, torch.optim.Optimizer):
        raise ParameterError(
            f"The 'optimizer' parameter must be a class derived from torch.optim.Optimizer. Got {config.optimizer!r}."
        )
    weight = torch.zeros(2, 2, requires_grad=True)
    try:
        arguments = _choose_optimizer(config)
        options = {name.removeprefix("optimizer__"): value for name, value in arguments.items() if "__" in name}
        arguments["optimizer"]([weight], **{"lr": config.learning_rate, **options})
    except Exception as error:  # torch and users raise many kinds
        raise ParameterError(
            f"The optimizer rejects the learning rate or its options ({format_error(error)}). Change the options "
            "optimizer__NAME."
        ) from error
    if not isinstance(config.criterion, type):
        return
    name = config.criterion.__name__
    purpose = ' with reduction="none", for sample and class weights' if weighted else ""
    arguments = _choose_criterion(config, weighted=weighted)
    options = {key.removeprefix("criterion__"): value for key, value in arguments.items() if "__" in key}
    try:
        loss = config.criterion(**options)(torch.zeros(2, num_classes), torch.tensor([0, 1]))
    except Exception as error:
        raise ParameterError(
            f"The criterion {name} fails for logits (n, {num_classes}) and class indices (n,){purpose} "
            f"({format_error(error)}). Pass a loss for these, such as torch.nn.CrossEntropyLoss, or change "
            "criterion__NAME."
        ) from error
    if tuple(loss.shape) != ((2,) if weighted else ()):
        expected = "one loss per image" if weighted else "a mean"
        raise ParameterError(f"The criterion {name} returned a loss of shape {tuple(loss.shape)}; expected {expected}.")


def _first_callbacks(config: TrainingConfig, process_group: ProcessGroup | None, *, validated: bool) -> list[Any]:
    callbacks: list[Any] = [] if process_group is None else [("sync_metrics", SyncMetrics(process_group))]
    callbacks.append(("stop_on_nan", StopOnNaN()))
    if config.n_steps is not None and config.is_one_cycle and config.time_limit is None:
        callbacks.append(("schedule", _one_cycle(config.learning_rate, config.n_steps, config.stage_rate)))
    if config.restore_best is not None and validated:
        callbacks.append(("restore_best", RestoreBest(_SELECTED_BY[config.restore_best])))
    return callbacks


def _last_callbacks(config: TrainingConfig, *, validated: bool) -> list[Any]:
    """Return the callbacks that run after the user's, because early stopping skips the callbacks after it."""
    if config.patience is not None and validated:
        stopping = EarlyStopping("valid_loss", patience=config.patience, load_best=True, sink=_discard)
        return [("early_stopping", stopping)]
    recalibrates = config.restore_best is None and config.stage_rate is None  # the statistics of stages stay
    if config.n_planned is not None and config.n_planned < _FEW_STEPS and recalibrates:
        return [("recalibrate_batch_norm", RecalibrateBatchNorm())]
    return []


def _scale_stage_rate(config: TrainingConfig) -> dict[str, Any]:
    """Return the parameter groups of a `PartialNetwork`: the head, and the stages with their own learning rate."""
    if config.stage_rate is None:
        return {}
    rate = {"lr": config.stage_rate * config.learning_rate, RATE_FACTOR: config.stage_rate}
    # The head is first, because skorch records the learning rate of the first group.
    return {"optimizer__param_groups": [("head.*", {"lr": config.learning_rate}), ("stages.*", rate)]}


def _one_cycle(learning_rate: float, n_steps: int, stage_rate: float | None = None) -> LRScheduler:
    """Return a schedule whose learning rate rises for a quarter of the steps, then decays as a cosine."""
    return LRScheduler(
        policy=torch.optim.lr_scheduler.OneCycleLR,
        step_every="batch",
        max_lr=learning_rate if stage_rate is None else [learning_rate, stage_rate * learning_rate],
        total_steps=n_steps + 1,  # skorch steps the schedule once more after the last step
        pct_start=max(RISE, 1.5 / (n_steps + 1)),  # the rise takes at least one step
        div_factor=RATE_RATIO,
        final_div_factor=FINAL_RATIO,
        cycle_momentum=False,
    )


def _discard(message: str) -> None:
    """Discard a message of skorch, because standard output is reserved for results."""
