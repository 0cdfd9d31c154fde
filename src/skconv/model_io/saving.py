"""Atomic saving of model folders, and loading of their weights into a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.files import atomic_dir, check_new_folder
from skconv.model_io.card import write_card
from skconv.model_io.config import FileRecord, ModelConfig
from skconv.model_io.folder import (
    CARD_NAME,
    CONFIG_NAME,
    FINGERPRINTS_NAME,
    HELD_OUT_NAME,
    ONNX_NAME,
    OOD_NAME,
    WEIGHTS_NAME,
    hash_file,
    read_bounded,
)
from skconv.model_io.onnx import check_parity, export_onnx
from skconv.model_io.onnx_metadata import describe_onnx, replace_metadata
from skconv.model_io.records import HeldOut, TrainingFingerprints
from skconv.model_io.serialization import FIX, parse_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from skconv.networks.ood_score import OodScore

MAX_WEIGHTS_BYTES = 2**34


def save_model(
    folder: str | os.PathLike[str],
    network: nn.Module,
    config: ModelConfig,
    *,
    sample: np.ndarray,
    fingerprints: TrainingFingerprints | None = None,
    held_out: HeldOut | None = None,
    score: OodScore | None = None,
    per_class: Sequence[Mapping[str, Any]] = (),
) -> ModelConfig:
    """Write a model folder atomically: weights, ONNX, ``config.json`` and ``card.md``.

    Parameters
    ----------
    folder : path-like
        The model folder to create. It must be empty or not exist.
    network : nn.Module
        Accepts float32 (n, channels, height, width), returns logits (n, k). A copy is exported.
    config : ModelConfig
        The configuration, without `files`.
    sample : ndarray of uint8 or float, shape (n, channels, height, width)
        Images on which ONNX and torch must agree to 1e-4 in probability and 0.1 % in logits, n > 0.
    fingerprints, held_out : optional
        Records to save with the model.
    score : OodScore or None, default=None
        Out-of-distribution score to add to the ONNX graph; its threshold is in ``config.ood``.
    per_class : sequence of mappings, default=()
        Scores per class for the card; see `skconv.model_io.card.write_card`.

    Returns
    -------
    ModelConfig
        `config` as written.

    Warns
    -----
    UserWarning
        If the ONNX export fails or differs from the network. The model is then saved without the out-of-distribution
        score, or without ONNX.
    """
    check_new_folder(folder)
    if sample.ndim != 4 or len(sample) == 0 or sample.shape[1:] != config.input.shape:
        raise ModelFileError(
            f"The sample has shape {sample.shape}; expected (n, {', '.join(map(str, config.input.shape))}), n > 0, as "
            "in config.input."
        )
    exported, score = _copy_to_cpu(network), None if score is None else _copy_to_cpu(score)
    weights = exported.state_dict()
    _check_finite(weights, "The network", "The training diverged: lower the learning rate.")
    onnx, reason = _export_checked(exported, config, sample, score)
    if onnx is None and score is not None:
        without = replace(config, ood=None)
        onnx, other = _export_checked(exported, without, sample)
        if onnx is not None:
            warnings.warn(f"The model is saved without an out-of-distribution score: {reason}.", stacklevel=2)
            score, config = None, without
        reason = other
    if onnx is None:
        warnings.warn(
            f"The model is saved without {ONNX_NAME}: {reason}. skconv predict, serve and evaluate cannot use it; "
            "CNNClassifier.load can.",
            stacklevel=2,
        )
    with atomic_dir(folder) as temporary:
        _write_weights(temporary / WEIGHTS_NAME, weights)
        if onnx is not None:
            metadata = describe_onnx(config, hash_file(temporary / WEIGHTS_NAME))
            (temporary / ONNX_NAME).write_bytes(replace_metadata(onnx, metadata))
        if fingerprints is not None:
            (temporary / FINGERPRINTS_NAME).write_bytes(fingerprints.to_bytes())
        if held_out is not None:
            (temporary / HELD_OUT_NAME).write_bytes(held_out.to_bytes())
        if score is not None:
            _write_weights(temporary / OOD_NAME, score.state_dict())
        records = {file.name: FileRecord(hash_file(file), file.stat().st_size) for file in sorted(temporary.iterdir())}
        written = replace(config, files=records)
        (temporary / CONFIG_NAME).write_bytes(written.to_bytes())
        n_parameters = sum(parameter.numel() for parameter in exported.parameters())
        card = write_card(written, n_parameters=n_parameters, folder_name=Path(folder).name, per_class=per_class)
        (temporary / CARD_NAME).write_text(card, encoding="utf-8")
    return written


def load_weights(folder: str | os.PathLike[str], network: nn.Module, *, passed: bool = False) -> None:
    """Load the weights in a folder; if names, shapes or dtypes differ, raise `ModelFileError` before any change.

    `passed` is whether the user has passed the network, instead of one created from ``config.json``.
    """
    weights = read_weights(folder)
    _check_names_and_shapes(weights, network.state_dict(), Path(folder) / WEIGHTS_NAME, passed=passed)
    network.load_state_dict(weights)


def read_weights(folder: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of ``model.safetensors`` by name; raise `ModelFileError` if one contains NaN or infinity."""
    path = Path(folder) / WEIGHTS_NAME
    weights = parse_tensors(read_bounded(path, MAX_WEIGHTS_BYTES), str(path))
    _check_finite(weights, str(path), FIX)
    return weights


def is_calibration(name: str) -> bool:
    """Return whether a tensor of this name belongs to the logit calibration of a network."""
    return "logit_calibration" in name.split(".")


def _export_checked(
    network: nn.Module, config: ModelConfig, sample: np.ndarray, score: OodScore | None = None
) -> tuple[bytes | None, str]:
    """Return the ONNX file of a network and ""; None and the reason if it cannot be exported or differs from torch."""
    import torch

    with torch.inference_mode():
        n_logits = network(torch.from_numpy(sample[:2].astype(np.float32))).shape[1]
    if n_logits != len(config.classes):
        raise ModelFileError(
            f"The network has {n_logits} logits; the configuration has {len(config.classes)} classes. Pass one class "
            "per logit."
        )
    reason = ""
    for traced in (True, False):
        try:
            onnx = export_onnx(network, config.input.shape, score=score, traced=traced)
            check_parity(network, onnx, config, sample, score)
            return onnx, ""
        except Exception as error:  # of torch, onnxscript or onnxruntime; the trained network must not be lost
            reason = _describe_failure(error)
    return None, reason


def _describe_failure(error: BaseException) -> str:
    """Return the first line of an error of the export; that of torch.export only lists its steps, unlike its cause."""
    while type(error).__module__.startswith("torch.onnx") and error.__cause__ is not None:
        error = error.__cause__
    line = next(iter(str(error).removesuffix(FIX).strip().splitlines()), "")[:300].rstrip(".")
    return line if isinstance(error, ModelFileError) and line else f"{type(error).__name__}: {line}".removesuffix(": ")


def _copy_to_cpu(network: Any) -> Any:
    from skconv.networks.copying import copy_module

    exported = copy_module(network).cpu().eval().requires_grad_(False)
    for tensor in (*exported.parameters(), *exported.buffers()):
        tensor.data = tensor.data.contiguous()  # so that the strides of channels_last are not exported
    return exported


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    # Clones, because safetensors rejects tensors that share memory.
    path.write_bytes(save({name: tensor.contiguous().clone() for name, tensor in weights.items()}))


def _check_names_and_shapes(
    weights: dict[str, Tensor], expected: dict[str, Tensor], path: Path, *, passed: bool
) -> None:
    owner, fix = (
        "the network in config.json",
        "Load the model with the version of skconv that saved it, or train again.",
    )
    if passed:
        owner, fix = "the network that was passed", "Pass the class of the trained network, with the same options."
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected))
    if missing or unknown:
        difference = f"lacks the tensor '{missing[0]}'" if missing else f"has an unknown tensor '{unknown[0][:80]}'"
        raise ModelFileError(
            f"{path} {difference}; it has {len(weights)} tensors, but {owner} has {len(expected)}. {fix}"
        )
    for name, tensor in weights.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise ModelFileError(
                f"{path}: '{name}' is {tensor.dtype} {tuple(tensor.shape)}, but {owner} has {wanted.dtype} "
                f"{tuple(wanted.shape)}. {fix}"
            )


def _check_finite(weights: dict[str, Tensor], owner: str, fix: str) -> None:
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ModelFileError(f"{owner} contains NaN or infinity in '{name}'. {fix}")
