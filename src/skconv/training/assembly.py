"""`build_net`: assemble the skorch net of a training: optimizer, schedule, batches and callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from skconv.distributed.process_group import ProcessGroup
from skconv.training.batches import ImageDataset
from skconv.training.callbacks import ProgressBar, RecalibrateBatchNorm, RestoreBest, StopOnNaN, SyncMetrics
from skconv.training.checkpointing import Checkpointing
from skconv.training.config import TrainingConfig
from skconv.training.net import ClassifierNet
from skconv.training.optimizers import AdamW, Muon

# A short memory of gradients follows a fast one-cycle schedule better than the usual (0.9, 0.999).
_ONE_CYCLE_BETAS = (0.7, 0.95)
_FEW_STEPS = 50  # running averages of batch norm need about as many to settle
_SELECTED_BY = {"valid_loss": ("valid_loss",), "both_losses": ("train_loss", "valid_loss")}
_OPTIMIZERS = {"adamw": AdamW, "adam": partial(torch.optim.Adam, fused=True), "muon": Muon}


def build_net(
    network: nn.Module,
    config: TrainingConfig,
    *,
    num_classes: int,
    valid: ImageDataset | None = None,
    callbacks: Sequence[Any] = (),
    checkpointing: Checkpointing | None = None,
    process_group: ProcessGroup | None = None,
) -> ClassifierNet:
    """Assemble the skorch net of a training.

    Parameters
    ----------
    network : torch.nn.Module
        Takes float32 (n, channels, height, width), returns logits (n, num_classes).
    config : TrainingConfig
        Settings.
    num_classes : int
        Number of logits.
    valid : ImageDataset, optional
        Scored after each epoch; never trained on.
    callbacks : sequence of skorch callbacks
        Run after the net's own.
    checkpointing : Checkpointing, optional
        Runs last, so that it saves the state of all other callbacks.
    process_group : ProcessGroup, optional
        Processes that train this net together.

    Returns
    -------
    ClassifierNet
        Not yet initialised; ``net.fit(ImageDataset(…), y=None)`` trains it.

    References
    ----------
    Loshchilov, Hutter: "Decoupled weight decay regularization", ICLR 2019; Smith, Topin: "Super-convergence", 2019.
    """
    last = [] if checkpointing is None else [("checkpointing", checkpointing)]
    return ClassifierNet(
        network,
        classes=list(range(num_classes)),
        optimizer=_OPTIMIZERS[config.optimizer],
        optimizer__betas=_ONE_CYCLE_BETAS if config.is_one_cycle else (0.9, 0.999),
        optimizer__weight_decay=config.weight_decay,
        lr=config.learning_rate,
        max_epochs=config.n_epochs,
        batch_size=config.batch_size,
        iterator_train__shuffle=True,
        iterator_train__seed=config.seed,
        iterator_train__augment=config.augment,
        iterator_train__max_batches=config.n_steps,
        iterator_train__device=config.device,
        iterator_train__process_group=process_group,
        iterator_valid__device=config.device,
        iterator_valid__batch_size=128,  # batches of 512 took `accurate` a quarter longer
        train_split=None if valid is None else predefined_split(valid),
        precision=config.precision,
        ema_decay=config.ema_decay,
        label_smoothing=config.label_smoothing,
        process_group=process_group,
        device=config.device,
        callbacks=[
            *_first_callbacks(config, process_group, validated=valid is not None),
            *callbacks,
            *_last_callbacks(config, validated=valid is not None),
            *last,
        ],
        callbacks__print_log=None,
        verbose=0,
    )


def _first_callbacks(config: TrainingConfig, process_group: ProcessGroup | None, *, validated: bool) -> list[Any]:
    callbacks: list[Any] = [] if process_group is None else [("sync_metrics", SyncMetrics(process_group))]
    callbacks.append(("stop_on_nan", StopOnNaN()))
    if config.n_steps is not None and config.is_one_cycle:
        callbacks.append(("schedule", _one_cycle(config.learning_rate, config.n_steps)))
    if config.restore_best is not None and validated:
        callbacks.append(("restore_best", RestoreBest(_SELECTED_BY[config.restore_best])))
    if config.progress:
        callbacks.append(("progress", ProgressBar()))
    return callbacks


def _last_callbacks(config: TrainingConfig, *, validated: bool) -> list[Any]:
    """Return the callbacks that run after the user's: early stopping skips the callbacks after it."""
    if config.patience is not None and validated:
        stopping = EarlyStopping("valid_loss", patience=config.patience, load_best=True, sink=_discard)
        return [("early_stopping", stopping)]
    if config.n_steps is not None and config.n_steps < _FEW_STEPS and config.restore_best is None:
        return [("recalibrate_batch_norm", RecalibrateBatchNorm())]
    return []


def _one_cycle(learning_rate: float, n_steps: int) -> LRScheduler:
    """Return a schedule that rises over a quarter of the steps and then decays by a cosine."""
    return LRScheduler(
        policy=torch.optim.lr_scheduler.OneCycleLR,
        step_every="batch",
        max_lr=learning_rate,
        total_steps=n_steps + 1,  # skorch steps the schedule once more after the last step
        pct_start=max(0.25, 1.5 / (n_steps + 1)),  # with very few steps the rise takes more than one of them
        div_factor=25.0,
        final_div_factor=1000.0,
        cycle_momentum=False,
    )


def _discard(message: str) -> None:
    """Replace `print`: standard output is for results."""
