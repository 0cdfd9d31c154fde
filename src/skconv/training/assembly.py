"""`build_net`: from plain settings to a skorch net that is ready to fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from skconv.distributed.process_group import ProcessGroup
from skconv.training.batches import Augment, ImageDataset
from skconv.training.callbacks import ProgressBar, RecalibrateBatchNorm, RestoreBest, StopOnNaN, SyncMetrics
from skconv.training.checkpointing import Checkpointing
from skconv.training.net import ClassifierNet
from skconv.training.optimizers import AdamW, Muon

# A short memory of gradients follows a quick one-cycle schedule better than the usual (0.9, 0.999).
_ONE_CYCLE_BETAS = (0.7, 0.95)
_FEW_STEPS = 50  # batch norm's running averages need about as many to settle
_KEPT_BY = {"valid_loss": ("valid_loss",), "both_losses": ("train_loss", "valid_loss")}
_OPTIMIZERS = {"adamw": AdamW, "adam": partial(torch.optim.Adam, fused=True), "muon": Muon}


def build_net(
    network: nn.Module,
    *,
    classes: Sequence[int],
    n_steps: int | None,
    n_epochs: int = 1,
    valid: ImageDataset | None = None,
    patience: int | None = None,
    batch_size: int = 128,
    learning_rate: float = 0.01,
    weight_decay: float = 0.05,
    label_smoothing: float = 0.1,
    ema_decay: float = 0.995,
    optimizer: str = "adamw",
    schedule: str = "one-cycle",
    restore_best: str | None = None,
    augment: Augment | None = None,
    precision: str = "fp32",
    device: str = "cpu",
    seed: int = 0,
    callbacks: Sequence[Any] = (),
    checkpointing: Checkpointing | None = None,
    process_group: ProcessGroup | None = None,
    progress: bool = False,
) -> ClassifierNet:
    """Assemble the skorch net: the optimizer, one-cycle schedule per step, whole batches, callbacks.

    Parameters
    ----------
    network : torch.nn.Module
        Takes float32 (n, channels, height, width), returns logits (n, len(classes)).
    classes : sequence of int
        ``range(num_classes)``.
    n_steps : int or None
        Length of training. None: no end in sight, and a constant learning rate.
    n_epochs : int, default=1
        The epochs that hold the steps; the last may be a part of one.
    valid : ImageDataset, optional
        Scored after each epoch; never trained on.
    patience : int, optional
        Stop after so many epochs without a better validation loss, and go back to the best weights.
    batch_size, learning_rate, weight_decay, label_smoothing, averaging, optimizer, keep, augment, precision
        As in `CNNClassifier` and `ClassifierNet`.
    schedule : {"one-cycle", "constant"}, default="one-cycle"
        "one-cycle" raises the learning rate to `learning_rate` over the first quarter of the steps and anneals it by a
        cosine.
    device : str, default="cpu"
    seed : int, default=0
        Of data order and augmentation.
    callbacks : sequence of skorch callbacks
        Appended to the net's own.
    checkpointing : Checkpointing, optional
        Keeps the state of the training; the last of the callbacks.
    process_group : ProcessGroup, optional
        Processes that train this net together.
    progress : bool, default=False
        Show a progress bar on standard error.

    Returns
    -------
    ClassifierNet
        Not yet initialised; ``net.fit(ImageDataset(…), y=None)`` trains it.

    References
    ----------
    Loshchilov, Hutter: "Decoupled weight decay regularization", ICLR 2019; Smith, Topin: "Super-convergence", 2019.
    """
    own: list[Any] = [] if process_group is None else [("sync_metrics", SyncMetrics(process_group))]
    own.append(("stop_on_nan", StopOnNaN()))
    cycles = schedule == "one-cycle" and n_steps is not None
    if n_steps is not None and cycles:
        own.append(("schedule", _one_cycle(learning_rate, n_steps)))
    if restore_best is not None and valid is not None:
        own.append(("restore_best", RestoreBest(_KEPT_BY[restore_best])))
    if progress:
        own.append(("progress", ProgressBar()))
    last: list[Any] = []  # it ends the epoch for all that come after it
    if patience is not None and valid is not None:
        last.append(("early_stopping", EarlyStopping("valid_loss", patience=patience, load_best=True, sink=_silent)))
    elif n_steps is not None and n_steps < _FEW_STEPS and restore_best is None:
        last.append(("recalibrate_batch_norm", RecalibrateBatchNorm()))
    if checkpointing is not None:
        last.append(("checkpointing", checkpointing))
    return ClassifierNet(
        network,
        classes=list(classes),
        optimizer=_OPTIMIZERS[optimizer],
        optimizer__betas=_ONE_CYCLE_BETAS if cycles else (0.9, 0.999),
        optimizer__weight_decay=weight_decay,
        lr=learning_rate,
        max_epochs=n_epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        iterator_train__seed=seed,
        iterator_train__augment=augment,
        iterator_train__max_batches=n_steps,
        iterator_train__device=device,
        iterator_train__process_group=process_group,
        iterator_valid__device=device,
        iterator_valid__batch_size=128,  # seven views of `accurate` took a quarter longer in batches of 512
        train_split=None if valid is None else predefined_split(valid),
        precision=precision,
        ema_decay=ema_decay,
        label_smoothing=label_smoothing,
        process_group=process_group,
        device=device,
        callbacks=[*own, *callbacks, *last],
        callbacks__print_log=None,
        verbose=0,
    )


def _one_cycle(learning_rate: float, n_steps: int) -> LRScheduler:
    return LRScheduler(
        policy=torch.optim.lr_scheduler.OneCycleLR,
        step_every="batch",
        max_lr=learning_rate,
        # The schedule is asked once more after the last step.
        total_steps=n_steps + 1,
        pct_start=max(0.25, 1.5 / (n_steps + 1)),  # the rise of a run of few steps takes more than one of them
        div_factor=25.0,
        final_div_factor=1000.0,
        cycle_momentum=False,
    )


def _silent(message: str) -> None:
    """Take the place of `print`: standard output belongs to results."""
