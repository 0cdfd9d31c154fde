"""Callbacks for those who want to follow a training step by step: lines on standard error, records by iteration."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from skorch.callbacks import Callback
from torch.nn import functional as F
from tqdm import tqdm


class PrintEpochs(Callback):
    """Print losses and validation accuracy of every epoch on standard error.

    Parameters
    ----------
    title : str, default=""
        What every line begins with: which of several trainings it is.
    """

    def __init__(self, title: str = "") -> None:
        self.title = title

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print one line."""
        epoch = net.history[-1]
        parts = [f"{self.title}epoch {epoch['epoch']:>3}", f"training loss {epoch['train_loss']:.4f}"]
        if "valid_loss" in epoch:
            parts.append(f"validation loss {epoch['valid_loss']:.4f}, accuracy {epoch['valid_acc']:.2%}")
        _print("  ".join([*parts, f"{epoch['dur']:.1f} s"]))


class ReportAccuracy(Callback):
    """Tell a function the validation accuracy of every epoch; what the function raises ends the training.

    Parameters
    ----------
    report : callable
        Called with the number of the epoch, from 1, the number of all epochs, and the accuracy, 0..1.
    """

    def __init__(self, report: Callable[[int, int, float], None]) -> None:
        self.report = report

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report the epoch."""
        self.report(int(net.history[-1, "epoch"]), net.max_epochs, float(net.history[-1, "valid_acc"]))


class RecordIterations(Callback):
    """Score the validation images every so many training steps, in evaluation mode.

    Parameters
    ----------
    every : int
        Steps between two records.
    print_every : int, optional
        Steps between two lines on standard error; None prints none.

    Attributes
    ----------
    rows_ : list of dict
        iteration, train_loss (of that step's batch), valid_loss and valid_accuracy, both None without validation.
    """

    def __init__(self, every: int, print_every: int | None = None) -> None:
        self.every = every
        self.print_every = print_every

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Find the validation images and start counting."""
        self.rows_: list[dict[str, Any]] = []
        self.iteration_ = 0
        self._valid = net.get_split_datasets(X, y)[1]

    def on_batch_end(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """Count a step; score at every so many of them."""
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
            scored = "" if loss is None else f"  validation loss {loss:.4f}, accuracy {accuracy:.2%}"
            _print(f"iteration {self.iteration_:>5}  training loss {row['train_loss']:.4f}{scored}")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the images: a fitted net can be pickled without them."""
        self._valid = None


@torch.inference_mode()
def _score(net: Any, valid: Any) -> tuple[float, float]:
    """Return mean loss and accuracy of the live weights; the next training step switches the mode back."""
    loss, right = 0.0, 0
    net.module_.eval()
    for images, labels in net.get_iterator(valid, training=False):
        logits = net.infer(images)
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
        right += int((logits.argmax(1) == labels).sum())
    return loss / len(valid), right / len(valid)


def _print(line: str) -> None:
    tqdm.write(line, file=sys.stderr)  # above a progress bar, if there is one
