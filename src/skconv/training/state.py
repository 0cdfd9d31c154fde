"""The whole state of a training: taken at any step, and put back so that it goes on as if it had never stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler, PassthroughScoring
from torch import Tensor

from skconv.exceptions import ModelFileError, ParameterError
from skconv.training.callbacks import ProgressBar, RestoreBest
from skconv.training.net import ResumePoint
from skconv.training.recording import RecordIterations

_REMEMBERED: dict[type, tuple[str, ...]] = {
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"),
    EpochScoring: ("best_score_",),
    PassthroughScoring: ("best_score_",),
    RestoreBest: ("lowest_", "weights_"),
    RecordIterations: ("rows_", "iteration_"),
}
_TENSOR, _NUMBER = "$tensor", "$number"  # what stands in JSON for a tensor, and for a number that JSON has not


@dataclass(frozen=True)
class TrainingState:
    """A training as tensors and JSON.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights, their average, the optimizer's moments, random states.
    facts : dict
        All else as JSON values; where a tensor belongs stands ``{"$tensor": name}``.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def get_state(net: Any, *, finished: bool) -> TrainingState:
    """Return the state of a net between two training steps.

    Parameters
    ----------
    net : ClassifierNet
        In training.
    finished : bool
        Whether the last epoch of its history is over, its validation included.

    Returns
    -------
    TrainingState
        A copy: training can go on.

    Raises
    ------
    ParameterError
        A callback's state holds an object that is neither plain values nor tensors.
    """
    net.settle_losses()
    rows = list(net.history)
    batches = None
    if not finished and rows:  # of the validation nothing is kept: it is done again from its beginning
        batches = [batch for batch in rows.pop()["batches"] if "train_loss" in batch]
    live, average = net.module_.state_dict(), net.averaged_
    document = {
        "weights": live,
        "average": None if average is None else average.state_dict(),
        "optimizer": {
            "rates": [group["lr"] for group in net.optimizer_.param_groups],
            "moments": [net.optimizer_.state.get(parameter, {}) for parameter in net.module_.parameters()],
        },
        "random": {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "augmentation": net.train_iterator_.augmentation_state(),
        },
        "history": rows,
        "batches": batches,
        "seconds": 0.0 if batches is None else time.time() - dict(net.callbacks_)["epoch_timer"].epoch_start_time_,
        "callbacks": {name: _take_callback(callback) for name, callback in net.callbacks_},
    }
    tensors: dict[str, Tensor] = {}
    return TrainingState(tensors, _pack(document, "", tensors))


def set_state(net: Any, state: TrainingState) -> None:
    """Bring a net, whose training has just begun, to a state that `get_state` took of one with the same settings.

    Raises
    ------
    ModelFileError
        The state does not fit the net. The net is then of no use.
    """
    try:
        document = _unpack(state.facts, state.tensors)
        _fill(net.module_.state_dict(), document["weights"])
        if net.averaged_ is not None:
            net.averaged_.load_state_dict(document["average"])
        _put_optimizer(net, document["optimizer"])
        for name, callback in net.callbacks_:
            _put_callback(callback, document["callbacks"][name])
        net.history = type(net.history)(document["history"])
        net.place_ = ResumePoint(document["batches"], document["random"]["augmentation"], document["seconds"])
        torch.set_rng_state(document["random"]["cpu"])
        if document["random"]["cuda"]:
            torch.cuda.set_rng_state_all(document["random"]["cuda"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"The checkpoint does not fit this training ({reason}). Start anew without it.") from error


def _put_optimizer(net: Any, saved: Mapping[str, Any]) -> None:
    for group, rate in zip(net.optimizer_.param_groups, saved["rates"], strict=True):
        group["lr"] = rate
    for parameter, moments in zip(net.module_.parameters(), saved["moments"], strict=True):
        for name, value in moments.items():
            # A moment lies in memory as its parameter does: the fused step goes through both side by side.
            alike = value.shape == parameter.shape
            held = torch.empty_like(parameter) if alike else torch.empty_like(value, device=parameter.device)
            net.optimizer_.state[parameter][name] = _copy_into(held, value, name).detach()


@torch.no_grad()
def _fill(target: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    if set(target) != set(saved):
        raise ValueError(f"other weights: {sorted(set(target) ^ set(saved))[0]}")
    for name, tensor in target.items():
        _copy_into(tensor, saved[name], name)


@torch.no_grad()
def _copy_into(target: Tensor, saved: Tensor, name: str) -> Tensor:
    if target.shape != saved.shape or target.dtype != saved.dtype:
        raise ValueError(f"'{name}' is {saved.dtype} {tuple(saved.shape)}, not {target.dtype} {tuple(target.shape)}")
    return target.copy_(saved)


def _take_callback(callback: Any) -> Any:
    """Return what a callback must remember; None where it remembers nothing, or is no concern of ours."""
    if isinstance(callback, LRScheduler):
        return {"batch": callback.batch_idx_, "schedule": callback.lr_scheduler_.state_dict()}
    if isinstance(callback, ProgressBar):
        return {"steps": callback.bar_.n}
    for kind, names in _REMEMBERED.items():
        if isinstance(callback, kind):
            return {name: getattr(callback, name) for name in names}
    return callback.state_dict() if hasattr(callback, "state_dict") else None


def _put_callback(callback: Any, saved: Any) -> None:
    if saved is None:
        return
    if isinstance(callback, LRScheduler):
        callback.batch_idx_ = saved["batch"]
        known = callback.lr_scheduler_.state_dict()
        callback.lr_scheduler_.load_state_dict({name: saved["schedule"][name] for name in known})
    elif isinstance(callback, ProgressBar):
        callback.bar_.n = callback.bar_.initial = saved["steps"]
    elif isinstance(callback, tuple(_REMEMBERED)):
        names = next(names for kind, names in _REMEMBERED.items() if isinstance(callback, kind))
        for name in names:
            setattr(callback, name, saved[name])
    else:
        callback.load_state_dict(saved)


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return `value` as JSON; its tensors are copied to `tensors`, each under the path that leads to it."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name}
    if isinstance(value, Mapping):
        return {str(key): _pack(each, f"{name}/{key}".lstrip("/"), tensors) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(each, f"{name}/{number}", tensors) for number, each in enumerate(value)]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # NumPy's numbers, as scores are
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(value)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ParameterError(
        f"A checkpoint cannot hold {name or 'this'}, a {type(value).__name__}: numbers, texts, lists, mappings and "
        "tensors are expected. Leave the callback out, or give it a state_dict() of such values."
    )


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_TENSOR}:
        return tensors[value[_TENSOR]]
    if set(value) == {_NUMBER}:
        return float(value[_NUMBER])
    return {name: _unpack(each, tensors) for name, each in value.items()}
