"""`ClassifierNet`: skorch's training loop with whole batches, mixed precision and an EMA of the weights."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import unpack_data
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.distributed.process_group import ProcessGroup, flatten, unflatten
from skconv.distributed.synchronized_layers import synchronize_layers
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.optimizers import EmaWeights
from skconv.training.time_limit import TimeLimit


@dataclass(frozen=True)
class ResumePoint:
    """Point at which training resumes, within an epoch or between two epochs.

    `batches` is the history of the finished batches of the epoch, or None between two epochs. `augmentation` is the
    state of the augmentation's random generator after these batches, and `seconds` their duration. `finished` is True
    if no epoch is left.
    """

    batches: list[dict[str, Any]] | None
    augmentation: Tensor | None
    seconds: float
    finished: bool = False


class ClassifierNet(NeuralNetClassifier):
    """`NeuralNetClassifier` of skorch for images, with faster steps and the same callbacks, history and parameters.

    Parameters
    ----------
    module : torch.nn.Module
        A network that accepts float32 (n, channels, height, width) and returns logits (n, num_classes).
    precision : {"fp32", "bf16"}, default="fp32"
        Floating-point precision of training; evaluation is always in fp32.
    ema_decay : float, default=0.0
        Decay of the EMA of the weights, 0 for none. Validation and the final weights use the EMA.
    label_smoothing : float or None, default=0.0
        Label smoothing of the training loss, 0..1, which is the cross-entropy; None to use `criterion` instead.
    process_group : ProcessGroup, optional
        Processes that train this net together, each on a shard of every batch.
    **kwargs
        As for `skorch.NeuralNetClassifier`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        precision: str = "fp32",
        ema_decay: float = 0.0,
        label_smoothing: float | None = 0.0,
        process_group: ProcessGroup | None = None,
        **kwargs: Any,
    ) -> None:
        defaults = {"criterion": nn.CrossEntropyLoss, "iterator_train": BatchIterator, "iterator_valid": BatchIterator}
        super().__init__(module, **{**defaults, **kwargs})
        self.precision = precision
        self.ema_decay = ema_decay
        self.label_smoothing = label_smoothing
        self.process_group = process_group

    def initialize_module(self) -> ClassifierNet:
        """Move the weights to the device in channels_last order and start their EMA."""
        super().initialize_module()
        self.module_.to(self.device)  # before skorch does, because the EMA must be on the same device
        for tensor in (*self.module_.parameters(), *self.module_.buffers()):
            if tensor.ndim == 4 and self._channels_last:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
        if self.process_group is not None:
            state = (*self.module_.parameters(), *self.module_.buffers())
            self.process_group.broadcast([tensor for tensor in state if tensor.is_floating_point()])
        self.ema_ = EmaWeights(self.module_, self.ema_decay) if self.ema_decay else None
        self.train_iterator_: BatchIterator | None = None
        self.resume_point_: ResumePoint | None = None
        return self

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> ClassifierNet:
        """Run the remaining epochs, and record in `interrupted_` whether they were interrupted."""
        self.interrupted_ = True
        if self.resume_point_ is not None:  # the epochs in the history are finished
            n_epochs = self.max_epochs if epochs is None else epochs
            epochs = 0 if self.resume_point_.finished else n_epochs - len(self.history)
        try:
            super().fit_loop(X, y, epochs, **fit_params)
        finally:
            self.train_iterator_ = None  # a fitted net is pickled without its images
        self.interrupted_ = False
        return self

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> ClassifierNet:
        """Train; raise KeyboardInterrupt where skorch would return a partly trained net."""
        super().partial_fit(X, y, classes, **fit_params)
        if not self.is_finished:
            raise KeyboardInterrupt
        return self

    @property
    def is_finished(self) -> bool:
        """Whether all epochs were trained, or early stopping or a time limit ended the training."""
        # skorch's early stopping also raises KeyboardInterrupt, when its misses reach its patience.
        stoppers = [callback for _, callback in self.callbacks_ if isinstance(callback, EarlyStopping)]
        stopped = any(stopper.misses_ >= stopper.patience for stopper in stoppers)
        limits = [callback for _, callback in self.callbacks_ if isinstance(callback, TimeLimit)]
        return not self.interrupted_ or stopped or any(limit.stopped_ for limit in limits)

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Return arrays as an `ImageDataset`; return a data set unchanged."""
        if isinstance(X, np.ndarray | Tensor):
            return ImageDataset(torch.as_tensor(X), None if y is None else torch.as_tensor(y))
        return super().get_dataset(X, y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return an iterator over batches; for training, it starts at the epoch after the last one in the history."""
        if isinstance(dataset, ImageDataset):
            dataset = dataset.to(self.device)
        iterator = super().get_iterator(dataset, training=training)
        if training and isinstance(iterator, BatchIterator):
            iterator.epoch = len(self.history)
            self.train_iterator_ = iterator
        return iterator

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Return logits float32 (n, num_classes) of images (n, channels, height, width)."""
        images = x["images"] if isinstance(x, dict) else x
        if images.ndim == 4 and self._channels_last:  # cached features are vectors
            images = images.to(memory_format=torch.channels_last)
        if self.precision == "fp32" or not self.module_.training:
            return self.module_(images)
        with torch.autocast(images.device.type, torch.bfloat16):
            logits = self.module_(images)
        return logits.float()

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False) -> Tensor:
        """Return the mean loss, weighted if the batch has weights: `criterion`, or smoothed cross-entropy."""
        if self.label_smoothing is None:
            losses = self.criterion_(y_pred, y_true)
            return (losses * X["sample_weight"] if isinstance(X, dict) else losses).mean()
        smoothing = self.label_smoothing if training else 0.0
        if not isinstance(X, dict):
            return F.cross_entropy(y_pred, y_true, label_smoothing=smoothing)
        losses = F.cross_entropy(y_pred, y_true, label_smoothing=smoothing, reduction="none")
        return (losses * X["sample_weight"]).mean()

    @property
    def _channels_last(self) -> bool:
        return getattr(self.module_, "channels_last", True)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Compute loss and gradients; set the training mode only if a callback has changed it."""
        if not self.module_.training:
            self._set_training(True)
        inputs, labels = unpack_data(batch)
        logits = self.infer(inputs, **fit_params)
        loss = self.get_loss(logits, labels, X=inputs, training=True)
        if self.process_group is not None:
            loss = self._backward_distributed(self.process_group, loss, len(labels))
        else:
            loss.backward()
        return {"loss": loss, "y_pred": logits}

    def _backward_distributed(self, process_group: ProcessGroup, loss: Tensor, n: int) -> Tensor:
        """Set the gradients of the whole batch from the loss of a shard of n images; return the loss of the batch."""
        (loss * n).backward()  # the loss of all images, because synchronised batch norm sums gradients over the shards
        gradients = [each.grad for each in self.module_.parameters() if each.grad is not None]
        row = process_group.all_reduce(flatten([*gradients, loss * n, loss.new_tensor([n])]))
        row /= row[-1].clone()
        unflatten(row[:-2], gradients)
        return row[-2]

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Update the weights, then their EMA."""
        step = super().train_step(batch, **fit_params)
        if self.ema_ is not None:
            self.ema_.update(self.module_)
        return step

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Train the live weights, or validate the EMA; callbacks at the end of the epoch also use the EMA."""
        if self.ema_ is not None:
            self.ema_.swap(self.module_, averaged=not training)
        n_done = self._resume_epoch(iterator) if training else 0
        group = self.process_group if training else None
        with synchronize_layers(self.module_, group, lambda: iterator.shard) if group else nullcontext():
            self._run_batches(iterator, training, prefix, step_fn, **fit_params)
        if n_done:
            self.history.record("train_batch_count", n_done + self.history[-1, "train_batch_count"])

    def _run_batches(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run batches as skorch does, but without waiting for the loss of each batch on a GPU."""
        if iterator is None:
            return
        count = 0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            loss = step["loss"].detach()
            self.history.record_batch(f"{prefix}_loss", loss.item() if loss.device.type == "cpu" else loss)
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
            count += 1
        self.history.record(f"{prefix}_batch_count", count)
        self.convert_losses()

    def convert_losses(self) -> None:
        """Convert the losses of this epoch's batches from tensors on a GPU to floats, in one transfer."""
        batches = self.history[-1]["batches"] if self.history else []
        for name in ("train_loss", "valid_loss"):
            rows = [row for row in batches if isinstance(row.get(name), Tensor)]
            if rows:
                for row, loss in zip(rows, torch.stack([row[name] for row in rows]).tolist(), strict=True):
                    row[name] = loss

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Record the size of the whole batch if this process trained on a shard of it."""
        if training and self.process_group is not None and self.train_iterator_ is not None:
            self.history.record_batch("train_batch_size", self.train_iterator_.shard.batch_size)

    def _resume_epoch(self, iterator: BatchIterator) -> int:
        """Skip the batches that were finished at `resume_point_`; return their number."""
        resume_point, self.resume_point_ = self.resume_point_, None
        if resume_point is None or resume_point.batches is None:
            return 0
        self.history[-1]["batches"][:] = resume_point.batches
        iterator.skip(len(resume_point.batches), resume_point.augmentation)
        dict(self.callbacks_)["epoch_timer"].epoch_start_time_ -= resume_point.seconds
        return len(resume_point.batches)

    def describe_history(self) -> list[dict[str, Any]]:
        """Return one dictionary of plain numbers per epoch; validation scores are None without validation."""
        rows = []
        for epoch in self.history:
            rates = [batch["event_lr"] for batch in epoch["batches"] if "event_lr" in batch]
            rows.append(
                {
                    "epoch": epoch["epoch"],
                    "train_loss": float(epoch["train_loss"]),
                    "valid_loss": None if "valid_loss" not in epoch else float(epoch["valid_loss"]),
                    "valid_accuracy": None if "valid_acc" not in epoch else float(epoch["valid_acc"]),
                    "learning_rate": rates[-1] if rates else epoch.get("event_lr", self.lr),
                    "seconds": epoch["dur"],
                }
            )
        return rows
