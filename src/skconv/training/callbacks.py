"""Callbacks for skorch: metrics per step and epoch, best weights, batch-norm statistics, divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from skorch.callbacks import Callback
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from skconv.distributed.process_group import ProcessGroup
from skconv.exceptions import TrainingError
from skconv.progress import print_progress
from skconv.text import format_percent
from skconv.training.batches import BatchIterator
from skconv.training.progress import describe_epoch, read_scores

_N_STATISTICS, _STATISTICS_BATCH = 1024, 128  # images; running averages of batch norm cover about 2,400 images
_METRICS = ("train_loss", "valid_loss", "valid_acc")


class PrintEpochs(Callback):
    """Print losses and validation accuracy of every epoch to standard error, with the prefix `title`."""

    def __init__(self, title: str = "") -> None:
        self.title = title

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        epoch = net.history[-1]
        print_progress(f"{self.title}{describe_epoch(read_scores(epoch), net.max_epochs)}  {epoch['dur']:.1f} s")


class ReportAccuracy(Callback):
    """Call `report` after every epoch; an exception raised by `report` ends training.

    The arguments are the number of the epoch (from 1), the number of epochs, and the validation accuracy (0..1).
    """

    def __init__(self, report: Callable[[int, int, float], None]) -> None:
        self.report = report

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.report(int(net.history[-1, "epoch"]), net.max_epochs, float(net.history[-1, "valid_acc"]))


class RecordIterations(Callback):
    """Evaluate the network on the validation images every `every` training steps.

    `rows_` is a list of dict: iteration, train_loss (of the batch), valid_loss and valid_accuracy (None without
    validation images). Every `print_every` steps, a row is printed to standard error; never if None.
    """

    def __init__(self, every: int, print_every: int | None = None) -> None:
        self.every = every
        self.print_every = print_every

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.rows_: list[dict[str, Any]] = []
        self.iteration_ = 0
        self._valid = net.get_split_datasets(X, y)[1]

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        self.iteration_ += 1
        if self.iteration_ % self.every:
            return
        loss, accuracy = (None, None) if self._valid is None else _score(net, self._valid)
        row = {
            "iteration": self.iteration_,
            "train_loss": float(net.history[-1, "batches", -1, "train_loss"]),
            "valid_loss": loss,
            "valid_accuracy": accuracy,
        }
        self.rows_.append(row)
        if self.print_every and self.iteration_ % self.print_every == 0:
            scored = loss is not None and accuracy is not None
            scores = f"  validation loss {loss:.4f}, accuracy {format_percent(accuracy or 0)}" if scored else ""
            print_progress(f"iteration {self.iteration_:>5}  training loss {row['train_loss']:.4f}{scores}")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self._valid = None  # a fitted net is pickled without its images


class SyncMetrics(Callback):
    """Replace the metrics of an epoch with those of the main process.

    The metrics of the processes may differ in the last digit, so that early stopping could end the processes at
    different epochs.
    """

    def __init__(self, process_group: ProcessGroup) -> None:
        self.process_group = process_group

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history[-1].update(self.process_group.broadcast_object(_last_metrics(net)))


class StopOnNaN(Callback):
    """Raise `TrainingError` after an epoch whose training loss is not finite."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        loss = net.history[-1, "train_loss"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"The training loss became {loss} in epoch {len(net.history)}; the weights are unusable. "
                "Try a learning_rate ten times smaller, and check the images for extreme values."
            )


class RestoreBest(Callback):
    """Restore the weights of the best epoch at the end of training.

    `losses` contains ``"train_loss"``, ``"valid_loss"`` or both. An epoch is the best so far if each of these losses is
    lower than in the previous best epoch.
    """

    def __init__(self, losses: Sequence[str]) -> None:
        self.losses = losses

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.lowest_ = [math.inf] * len(self.losses)
        self.weights_: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        losses = [net.history[-1, name] for name in self.losses]
        if all(loss < lowest for loss, lowest in zip(losses, self.lowest_, strict=True)):
            self.lowest_ = losses
            self.weights_ = {name: tensor.clone() for name, tensor in net.module_.state_dict().items()}

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.weights_:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = {}


class RecalibrateBatchNorm(Callback):
    """Recompute the statistics of batch norm at the end of training, from 1,024 images or one larger batch.

    The running averages of batch norm lag behind the weights by tens of steps, which lowers the accuracy after a
    short run.
    """

    @torch.no_grad()
    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        norms = [module for module in net.module_.modules() if isinstance(module, _BatchNorm)]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        net.module_.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean over the batches
            norm.train()
        train, _ = net.get_split_datasets(X, y)
        n_batches = -(-max(_N_STATISTICS, net.batch_size) // _STATISTICS_BATCH)
        # Shuffle, because rows are often sorted by class, and the statistics of one class differ from those of all.
        batches = BatchIterator(train, _STATISTICS_BATCH, shuffle=True, max_batches=n_batches, device=net.device)
        for inputs, _ in batches:
            net.infer(inputs)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        net.module_.eval()


def _last_metrics(net: Any) -> dict[str, float]:
    epoch = net.history[-1]
    return {name: epoch[name] for name in _METRICS if name in epoch}


@torch.inference_mode()
def _score(net: Any, valid: Any) -> tuple[float, float]:
    """Return mean loss and accuracy of the live weights; the next training step restores the training mode."""
    loss, n_correct = 0.0, 0
    net.module_.eval()
    for images, labels in net.get_iterator(valid, training=False):
        logits = net.infer(images)
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
        n_correct += int((logits.argmax(1) == labels).sum())
    return loss / len(valid), n_correct / len(valid)
