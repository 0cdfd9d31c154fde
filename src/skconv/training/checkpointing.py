"""Training checkpoints: state of a run, callback that writes it, exact resumption."""

from __future__ import annotations

import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler, PassthroughScoring
from torch import Tensor

from skconv.exceptions import ModelFileError, ParameterError
from skconv.text import format_error
from skconv.training.callbacks import RecordIterations, RestoreBest
from skconv.training.net import ResumePoint
from skconv.training.threads import count_max_threads

SECONDS = 60.0  # between checkpoints: the maximum training time lost if the process is killed
_MAX_OVERHEAD = 0.02  # fraction of the training time spent on checkpoints
_INITIAL_COST = 0.03  # seconds per checkpoint, assumed until the first is written
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CALLBACK_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"),
    EpochScoring: ("best_score_",),
    PassthroughScoring: ("best_score_",),
    RestoreBest: ("lowest_", "weights_"),
    RecordIterations: ("rows_", "iteration_"),
}
_TENSOR, _NUMBER = "$tensor", "$number"  # JSON keys for a tensor, and for an infinite number or NaN


@dataclass(frozen=True)
class TrainingState:
    """State of a run: `tensors` by name, and JSON `values`, in which ``{"$tensor": name}`` refers to a tensor."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


class CheckpointStore(Protocol):
    """Storage of checkpoints."""

    def write(self, state: TrainingState, seconds: float) -> None:
        """Write a state and the training time so far; both are durable when the call returns."""

    def read(self) -> tuple[TrainingState, float] | None:
        """Return the latest state and its training time, or None."""


class Checkpointing(Callback):
    """Write the training state to a store, so that a killed run can be resumed.

    A checkpoint is written after each epoch and every `SECONDS` within long epochs, but less often if that would take
    more than 2 % of the training time. After SIGTERM or SIGINT, it is written at the end of the current step, before
    the signal takes effect; a second signal takes effect at once. If `save_end`, a checkpoint is also written after
    training, so that a resumed command with several trainings does not repeat the finished ones.

    This must be the last callback of a net, because it stores the state of the other callbacks. Training must run
    inside `handling_signals`. `seconds_` is the training time before the checkpoint that was resumed.
    """

    def __init__(self, store: CheckpointStore, *, save_end: bool = False) -> None:
        self.store = store
        self.save_end = save_end
        self._signal: int | None = None
        self._handlers: dict[int, Any] = {}

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Defer SIGTERM and SIGINT inside the block to the end of the current step."""
        if threading.current_thread() is threading.main_thread():  # Python handles signals only in the main thread
            self._handlers = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            self._restore_handlers()
        self._raise_signal()  # the signal came after the last step

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        checkpoint = self.store.read()
        self.seconds_ = 0.0
        if checkpoint is not None:
            state, self.seconds_ = checkpoint
            set_state(net, state)
        self._start = self._last = time.monotonic()
        self._cost = _INITIAL_COST

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if self._signal is not None or (training and self._is_due(SECONDS)):
            self._write(net, epoch_finished=False)
            self._raise_signal()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self._signal is not None or self._is_due(0.0):
            self._write(net, epoch_finished=True)
            self._raise_signal()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.save_end and net.is_finished and net.resume_point_ is None:  # at least one step was trained
            self._write(net, epoch_finished=True, training_finished=True)

    def _is_due(self, seconds: float) -> bool:
        return time.monotonic() - self._last >= max(seconds, self._cost / _MAX_OVERHEAD)

    def _write(self, net: Any, *, epoch_finished: bool, training_finished: bool = False) -> None:
        start = time.monotonic()
        state = get_state(net, epoch_finished=epoch_finished, training_finished=training_finished)
        self.store.write(state, self.seconds_ + start - self._start)
        self._last = time.monotonic()
        self._cost = self._last - start

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._signal is not None:  # a second signal does not wait for a checkpoint
            self._raise_signal()
        self._signal = number

    def _raise_signal(self) -> None:
        """Restore the previous handlers and raise the deferred signal, if any."""
        if self._signal is not None:
            number, self._signal = self._signal, None
            self._restore_handlers()
            signal.raise_signal(number)

    def _restore_handlers(self) -> None:
        while self._handlers:
            number, handler = self._handlers.popitem()
            signal.signal(number, handler)


def get_state(net: Any, *, epoch_finished: bool, training_finished: bool = False) -> TrainingState:
    """Return a copy of the state of a `ClassifierNet` between two training steps.

    `epoch_finished` is True if the last epoch of the history is complete, including its validation; `training_finished`
    is True if no epoch follows. Raise `ParameterError` if the state of a callback contains an object that is neither a
    plain value nor a tensor.
    """
    net.convert_losses()
    rows = list(net.history)
    batches = None
    if not epoch_finished and rows:  # an unfinished validation is repeated from its start
        batches = [batch for batch in rows.pop()["batches"] if "train_loss" in batch]
    document = {
        "weights": net.module_.state_dict(),
        "ema": None if net.ema_ is None else net.ema_.state_dict(),
        "optimizer": {
            "rates": [group["lr"] for group in net.optimizer_.param_groups],
            "moments": [net.optimizer_.state.get(parameter, {}) for parameter in net.module_.parameters()],
        },
        "random": {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "augmentation": None if training_finished else net.train_iterator_.augmentation_state(),
        },
        "threads": count_max_threads(),
        "history": rows,
        "batches": batches,
        "finished": training_finished,
        "seconds": 0.0 if batches is None else time.time() - dict(net.callbacks_)["epoch_timer"].epoch_start_time_,
        "callbacks": {name: _get_callback_state(callback) for name, callback in net.callbacks_},
    }
    tensors: dict[str, Tensor] = {}
    return TrainingState(tensors, _pack(document, "", tensors))


def set_state(net: Any, state: TrainingState) -> None:
    """Load a state into a net with the same settings, before its first step.

    Raise `ModelFileError` if the state does not fit the net, which is then unusable.
    """
    try:
        document = _unpack(state.values, state.tensors)
        _copy_weights(net.module_.state_dict(), document["weights"])
        if net.ema_ is not None:
            net.ema_.load_state_dict(document["ema"])
        _set_optimizer_state(net, document["optimizer"])
        for name, callback in net.callbacks_:
            _set_callback_state(callback, document["callbacks"].get(name))  # none if the first run had no progress
        net.history = type(net.history)(document["history"])
        augmentation = document["random"]["augmentation"]
        net.resume_point_ = ResumePoint(
            document["batches"], augmentation, document["seconds"], finished=document.get("finished", False)
        )
        _warn_of_threads(document["threads"])
        torch.set_rng_state(document["random"]["cpu"])
        if document["random"]["cuda"]:
            torch.cuda.set_rng_state_all(document["random"]["cuda"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(
            f"The checkpoint does not fit this run ({format_error(error)}). Remove it, or train without a checkpoint."
        ) from error


def _warn_of_threads(saved: int) -> None:
    """Warn if the number of threads has changed, because sums are then computed in another order.

    Changes because of other programs also happen without an interruption, and are reported when they happen.
    """
    current = count_max_threads()
    if saved != current:
        warnings.warn(
            f"The number of threads was {saved} and is now {current}: the weights will differ from those of an "
            "uninterrupted run.",
            stacklevel=2,
        )


def _set_optimizer_state(net: Any, saved: Mapping[str, Any]) -> None:
    for group, rate in zip(net.optimizer_.param_groups, saved["rates"], strict=True):
        group["lr"] = rate
    for parameter, moments in zip(net.module_.parameters(), saved["moments"], strict=True):
        for name, value in moments.items():
            if not isinstance(value, Tensor):  # other optimizers also store numbers
                net.optimizer_.state[parameter][name] = value
                continue
            # The fused step requires moments in the memory format of their parameter.
            like_parameter = value.shape == parameter.shape
            target = torch.empty_like(parameter) if like_parameter else torch.empty_like(value, device=parameter.device)
            net.optimizer_.state[parameter][name] = _copy(target, value, name).detach()


@torch.no_grad()
def _copy_weights(target: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    if set(target) != set(saved):
        raise ValueError(f"weights missing or unexpected: '{sorted(set(target) ^ set(saved))[0]}'")
    for name, tensor in target.items():
        _copy(tensor, saved[name], name)


@torch.no_grad()
def _copy(target: Tensor, saved: Tensor, name: str) -> Tensor:
    if target.shape != saved.shape or target.dtype != saved.dtype:
        raise ValueError(
            f"'{name}' is {saved.dtype} {tuple(saved.shape)}; expected {target.dtype} {tuple(target.shape)}"
        )
    return target.copy_(saved)


def _get_callback_state(callback: Any) -> Any:
    """Return the state of a callback, or None if it has none."""
    if isinstance(callback, LRScheduler):
        return {"batch": callback.batch_idx_, "schedule": callback.lr_scheduler_.state_dict()}
    for kind, names in _CALLBACK_ATTRIBUTES.items():
        if isinstance(callback, kind):
            return {name: getattr(callback, name) for name in names}
    return callback.state_dict() if hasattr(callback, "state_dict") else None


def _set_callback_state(callback: Any, saved: Any) -> None:
    if saved is None:
        return
    if isinstance(callback, LRScheduler):
        callback.batch_idx_ = saved["batch"]
        names = callback.lr_scheduler_.state_dict()
        callback.lr_scheduler_.load_state_dict({name: saved["schedule"][name] for name in names})
    elif isinstance(callback, tuple(_CALLBACK_ATTRIBUTES)):
        for name in next(names for kind, names in _CALLBACK_ATTRIBUTES.items() if isinstance(callback, kind)):
            setattr(callback, name, saved[name])
    else:
        callback.load_state_dict(saved)


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON; copy its tensors to `tensors`, each under its path in `value`."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name}
    if isinstance(value, Mapping):
        return {str(key): _pack(item, f"{name}/{key}".lstrip("/"), tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{name}/{number}", tensors) for number, item in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a NumPy scalar, such as a score
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(value)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ParameterError(
        f"A checkpoint cannot store {name or 'this'}, a {type(value).__name__}; expected numbers, strings, lists, "
        "mappings and tensors. Remove the callback, or let its state_dict() return such values."
    )


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_TENSOR}:
        return tensors[value[_TENSOR]]
    if set(value) == {_NUMBER}:
        return float(value[_NUMBER])
    return {name: _unpack(item, tensors) for name, item in value.items()}
