"""`TrainingConfig`: settings of one training; number of steps and epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from skconv.training.batches import Augment

_AUTO_MIN = {"muon": (1300, 3)}  # optimizer: steps until the averaged weights settle, and epochs
_AUTO_MIN_OTHERS = (1500, 6)
_AUTO_EPOCHS_MAX = 100
_AUTO_EPOCHS_MAX_TINY = 50  # for fewer images than this; more passes did not improve accuracy


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of one training, as `skconv.training.assembly.build_net` reads them.

    The defaults are neutral: plain AdamW at a constant rate. `CNNClassifier` sets all fields.

    Parameters
    ----------
    n_steps : int or None
        Length of the training; None for an open end and a constant learning rate.
    n_epochs : int, default=1
        Epochs that hold the steps; the last one may be incomplete.
    batch_size, learning_rate, weight_decay, label_smoothing, ema_decay, optimizer, schedule, patience, restore_best
        As in `CNNClassifier`.
    augment : callable or None, default=None
        Augmentation, as in `skconv.training.batches.BatchIterator`.
    precision : {"fp32", "bf16"}, default="fp32"
        Arithmetic of training.
    device : str, default="cpu"
        Device to train on.
    seed : int, default=0
        Seed of order and augmentation.
    progress : bool, default=False
        Whether to show a progress bar on standard error.
    """

    n_steps: int | None
    n_epochs: int = 1
    batch_size: int = 128
    learning_rate: float = 0.01
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    optimizer: str = "adamw"
    schedule: str = "constant"
    patience: int | None = None
    restore_best: str | None = None
    augment: Augment | None = None
    precision: str = "fp32"
    device: str = "cpu"
    seed: int = 0
    progress: bool = False

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
    optimizer: str = "adamw",
) -> tuple[int, int]:
    """Return the number of training steps, and of the epochs that hold them.

    Parameters
    ----------
    max_epochs : float or "auto"
        Passes over the data, fractions included. "auto" gives small data more passes: 6 to 100, with Muon 3 to 100;
        for fewer than 100 images as many as there are images, at least 50.
    batches_per_epoch : int
        At least 1.
    min_steps : int, default=0
        Minimum number of steps.
    n_images : int, default=inf
        Number of training images.
    optimizer : {"adamw", "adam", "muon"}, default="adamw"
        Muon needs fewer epochs of large data.

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
