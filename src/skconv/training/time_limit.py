"""Time limit of a training: the number of steps that fit, and a schedule that anneals within them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from skorch.callbacks import Callback

from skconv.networks.copying import copy_module
from skconv.progress import print_progress
from skconv.text import format_duration
from skconv.training.batches import ImageDataset

_MARGIN = 0.95  # share of the remaining time that is planned
MEASURED_SHARE, MEASURED_MAX = 0.03, 3.0  # time of the first measurement: share of the limit, and seconds
_WARM_UP = 2  # steps before the measurement, because the first steps also allocate memory
_CHECKS = 50  # number of times that the plan is compared with the clock
_CHECKS_OF_STEPS = 10  # number of times in the planned steps
RATE_FACTOR = "rate_factor"  # key of an optimizer's parameter group: its learning rate, relative to the net's
# One-cycle schedule: share in which the learning rate rises, maximum relative to the start, and start to the end.
RISE, RATE_RATIO, FINAL_RATIO = 0.25, 25.0, 1000.0


@dataclass(frozen=True)
class StepCost:
    """Seconds per training step, and for the validation after an epoch."""

    step: float
    validation: float

    def count_steps(self, seconds: float, n_batches: int) -> int:
        """Return the number of steps that fit into `seconds`, at least 1, in epochs of `n_batches` steps.

        The last epoch may be incomplete; each epoch ends with a validation.

        Examples
        --------
        >>> StepCost(step=0.1, validation=1.0).count_steps(25.0, n_batches=100)
        220
        """
        n_epochs, rest = divmod(seconds, n_batches * self.step + self.validation)
        return max(int(n_epochs) * n_batches + max(int((rest - self.validation) / self.step), 0), 1)


def measure_steps(
    build: Callable[[Any], Any], network: Any, train: ImageDataset, valid: Any, seconds: float
) -> StepCost:
    """Time training steps and validation batches of a copy of the network for about `seconds`.

    ``build(network)`` returns the net that trains it, not yet initialised.
    """
    net = build(copy_module(network)).initialize()
    batches = net.get_iterator(net.get_dataset(train), training=True)  # of the first epoch, before it is in the history
    net.history.new_epoch()
    start, times = time.perf_counter(), []
    for batch in batches:
        begin = time.perf_counter()
        net._set_training(True)
        net.train_step(batch)["loss"].item()  # waits for a GPU
        times.append(time.perf_counter() - begin)
        if len(times) > _WARM_UP and time.perf_counter() - start >= seconds:
            break
    used = times[_WARM_UP:] or times[-1:]
    begin, n = time.perf_counter(), 0
    for batch in islice(net.get_iterator(valid, training=False), 2):
        net.validation_step(batch)["loss"].item()
        n += len(batch[1])
    return StepCost(sum(used) / len(used), (time.perf_counter() - begin) / n * len(valid))


class TimeLimit(Callback):
    """End training within a time limit, with a one-cycle schedule of as many steps as fit.

    The number of steps is planned before the first step. If the machine becomes slower, the remaining schedule is
    shortened, so that the learning rate still decays to its minimum; if it becomes faster in the first half, the
    schedule is extended. Training stops at once only if the time is over.

    Parameters
    ----------
    seconds : float
        Time limit, for the message.
    deadline : float
        Time at which the training must end, as of ``time.monotonic()``.
    n_max : int
        Number of steps without a limit.
    n_batches : int
        Steps per epoch.
    max_lr : float or None
        Peak learning rate of the one-cycle schedule; None for a constant learning rate.
    reserve : float, default=0.0
        Seconds needed after the last step.
    verbose : bool, default=False
        Print the number of epochs that fit, and changes of this number.
    """

    def __init__(
        self,
        seconds: float,
        deadline: float,
        *,
        n_max: int,
        n_batches: int,
        max_lr: float | None,
        reserve: float = 0.0,
        verbose: bool = False,
    ) -> None:
        self.seconds, self.deadline, self.n_max, self.n_batches = seconds, deadline, n_max, n_batches
        self.max_lr, self.reserve, self.verbose = max_lr, reserve, verbose
        self.n_steps = n_max
        self.stopped_ = False

    def plan(self, cost: StepCost) -> None:
        """Set the number of steps from a measurement."""
        self.n_steps = min(cost.count_steps(_MARGIN * self._time_left(), self.n_batches), self.n_max)
        if self.verbose:
            left, most = format_duration(max(self._time_left(), 0.0)), self._describe(self.n_max)
            planned = "all" if self.n_steps == self.n_max else f"{self._describe(self.n_steps)} of"
            print_progress(f"The time limit leaves {left} for training, enough for {planned} {most} epochs.")

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start with the first step, unless a checkpoint is loaded."""
        self.done_, self.position_, self.stopped_ = 0, 0.0, False
        self._marks: deque[tuple[float, int]] = deque(maxlen=20)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Apply the plan to the epoch."""
        self._apply(net)

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the learning rate of the step."""
        if training and self.max_lr is not None:
            rate = self.max_lr * one_cycle_factor(self.position_)
            for group in net.optimizer_.param_groups:
                group["lr"] = rate * group.get(RATE_FACTOR, 1.0)
            net.history.record_batch("event_lr", rate)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Advance the schedule, and compare the plan with the clock."""
        if not training:
            return
        self.position_ += (1 - self.position_) / max(self.n_steps - self.done_, 1)
        self.done_ += 1
        now = time.monotonic()
        waited = now - self._marks[-1][0] if self._marks else math.inf
        n_steps = self.done_ - self._marks[-1][1] if self._marks else 0
        # A short plan is also compared every few steps, because the first steps may be slow.
        if waited >= self.seconds / _CHECKS or n_steps >= max(self.n_steps // _CHECKS_OF_STEPS, 1):
            self._marks.append((now, self.done_))
            self._revise(net)
        if now >= self.deadline - self.reserve:
            self.n_steps = self.done_
            self._apply(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Stop after the planned steps."""
        if self.done_ >= self.n_steps < self.n_max:
            self.stopped_ = True
            if self.verbose and self.position_ < 1 - 1e-6:
                print_progress(
                    f"Stopped at the time limit in epoch {len(net.history)}: the machine became slower than planned."
                )
            raise KeyboardInterrupt  # skorch's early stopping also raises it

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"done": self.done_, "position": self.position_, "n_steps": self.n_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint; the plan of this process applies to the remaining steps."""
        self.done_, self.position_ = state["done"], state["position"]
        self.n_steps = min(self.done_ + self.n_steps, state["n_steps"])

    def _revise(self, net: Any) -> None:
        """Change the number of steps if the measured time per step no longer fits the plan."""
        if len(self._marks) < 3:
            return
        start, first = self._marks[0]
        cost = (self._marks[-1][0] - start) / max(self._marks[-1][1] - first, 1)  # includes validation
        fitting = self.done_ + int(_MARGIN * self._time_left() / cost)
        if fitting < self.n_steps * 0.98:
            self.n_steps = max(fitting, self.done_ + 1)
        elif fitting > 1.2 * self.n_steps and self.position_ < 0.5:
            self.n_steps = min(fitting, self.n_max)
        else:
            return
        self._apply(net)

    def _apply(self, net: Any) -> None:
        """Set the number of steps and epochs of the net."""
        net.iterator_train__max_batches = self.n_steps
        net.max_epochs = max(math.ceil(self.n_steps / self.n_batches), 1)
        if net.train_iterator_ is not None:
            net.train_iterator_.max_batches = self.n_steps

    def _time_left(self) -> float:
        return self.deadline - self.reserve - time.monotonic()

    def _describe(self, n_steps: int) -> str:
        return f"{n_steps / self.n_batches:.3g}"


def one_cycle_factor(position: float) -> float:
    """Return the learning rate of the one-cycle schedule relative to its maximum, at a position from 0 to 1.

    Examples
    --------
    >>> [round(one_cycle_factor(each), 4) for each in (0, 0.25, 0.625, 1)]
    [0.04, 1.0, 0.5, 0.0]
    """
    if position < RISE:
        start, end, share = 1 / RATE_RATIO, 1.0, position / RISE
    else:
        start, end, share = 1.0, 1 / (RATE_RATIO * FINAL_RATIO), (position - RISE) / (1 - RISE)
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
