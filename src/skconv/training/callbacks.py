"""What skorch lacks as callbacks: a progress bar, a stop at a lost run, the best weights, settled statistics."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from typing import Any

import torch
from skorch.callbacks import Callback
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from skconv.distributed.process_group import ProcessGroup
from skconv.exceptions import TrainingError
from skconv.training.batches import BatchIterator

_SETTLING, _SETTLING_BATCH = 1024, 128  # images; running averages of such batches remember about 2,400


class ProgressBar(Callback):
    """One bar on standard error over all steps, with the latest losses; nothing where that is not a terminal."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        total = net.get_params()["iterator_train__max_batches"]
        wide = shutil.get_terminal_size().columns  # 80 for a terminal that does not know its width
        self.bar_ = tqdm(total=total, desc="Training", unit="step", ncols=wide, disable=None)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count a training step."""
        if training:
            self.bar_.update()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Show the losses of the epoch."""
        last = net.history[-1]
        shown = {name: last[name] for name in ("train_loss", "valid_loss", "valid_acc") if name in last}
        self.bar_.set_postfix({name: f"{value:.4f}" for name, value in shown.items()})

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()
        del self.bar_  # it holds an open stream, and a fitted net can be pickled


class SyncMetrics(Callback):
    """Give all processes the first one's losses and accuracy of the epoch, so that they keep and stop at the same.

    Parameters
    ----------
    processes : Processes
        Those that train together.
    """

    def __init__(self, processes: ProcessGroup) -> None:
        self.processes = processes

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Replace this process's figures, which may differ in the last digit."""
        last = net.history[-1]
        own = {name: last[name] for name in ("train_loss", "valid_loss", "valid_acc") if name in last}
        last.update(self.processes.broadcast_object(own))


class StopOnNaN(Callback):
    """Raise `TrainingError` as soon as an epoch's training loss is not a finite number."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Look at the epoch's loss."""
        loss = net.history[-1, "train_loss"]
        if not math.isfinite(loss):
            raise TrainingError(
                f"The training loss became {loss} in epoch {len(net.history)}: the weights are lost. "
                "Try a learning_rate ten times smaller, and look for extreme values in the images."
            )


class RestoreBest(Callback):
    """Go back, at the end, to the weights of the last epoch that was the best so far.

    Parameters
    ----------
    losses : sequence of str
        ``"train_loss"``, ``"valid_loss"`` or both: an epoch is the best so far where each is lower than in the epoch
        that was the best before.
    """

    def __init__(self, losses: Sequence[str]) -> None:
        self.losses = losses

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier trainings."""
        self.lowest_ = [math.inf] * len(self.losses)
        self.weights_: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Remember the weights where every loss improved."""
        losses = [net.history[-1, name] for name in self.losses]
        if all(loss < lowest for loss, lowest in zip(losses, self.lowest_, strict=True)):
            self.lowest_ = losses
            self.weights_ = {name: tensor.clone() for name, tensor in net.module_.state_dict().items()}

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Put the remembered weights back."""
        if self.weights_:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = {}


class RecalibrateBatchNorm(Callback):
    """Take the statistics of batch norm from training images anew, when training has ended.

    Batch norm keeps running averages that trail the weights by some tens of steps. After a training of fewer steps they
    still speak of other weights, and predictions are worse than the network is.
    """

    @torch.no_grad()
    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Run 1,024 images, or as many as a step has, through it with only its batch norms in training mode."""
        norms = [module for module in net.module_.modules() if isinstance(module, _BatchNorm)]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        net.module_.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over the batches
            norm.train()
        train, _ = net.get_split_datasets(X, y)
        n_batches = -(-max(_SETTLING, net.batch_size) // _SETTLING_BATCH)
        # By chance: rows are often sorted by class, and the images of one class vary less than all.
        for inputs, _ in BatchIterator(train, _SETTLING_BATCH, shuffle=True, max_batches=n_batches, device=net.device):
            net.infer(inputs)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        net.module_.eval()
