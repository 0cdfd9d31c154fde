"""Checkpoints of a run on disk, valid after a kill at any time and without executable content."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ModelFileError, OutputError
from skconv.files import atomic_dir, expand_home
from skconv.model_io.config import FileRecord
from skconv.model_io.folder import read_bounded, read_verified
from skconv.model_io.serialization import (
    canonical_json,
    check_format,
    check_keys,
    check_section,
    digest_json,
    parse_json,
    parse_tensors,
)
from skconv.training.checkpointing import TrainingState

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "skconv-checkpoint"
FORMAT_VERSION = 1
_JSON_NAME, _TENSORS_NAME = "checkpoint.json", "checkpoint.safetensors"
_MAX_CHECKPOINTS = 2
_MAX_JSON_BYTES = 2**28  # enough for the losses of millions of steps
_HASHED = {  # recorded as a hash, which is not printed; with the possible cause of a difference
    "training data": "another source, size, split or changed files",
    "validation data": "another source, size, split or changed files",
    "initial weights": "another network instance",
}
_OPTIONS = {  # of the command line, by the name of a record
    "max_epochs": "--epochs",
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
    "number of threads": "--threads",
    "random_state": "--seed",
    "network": "--network",
}
_KEYS: dict[str, type] = {
    "format": str,
    "format_version": int,
    "training": dict,
    "seconds": float,
    "state": dict,
    "tensors": dict,
    "digest": str,
}


class CheckpointFolder:
    """The last two checkpoints of a run, one folder each.

    A checkpoint is written to a temporary folder, flushed to disk and renamed, and verified by sha256 when it is read.
    A full disk or a kill leaves the previous checkpoints intact. `training`, a nested mapping of JSON values,
    identifies the run. A checkpoint of another run is refused.
    """

    def __init__(
        self, path: str | os.PathLike[str], training: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    ) -> None:
        self.path = expand_home(path)
        self._training: Any = training

    @property
    def training(self) -> dict[str, Any]:
        """JSON values that identify the training."""
        if callable(self._training):  # hashes the images, which a training of a few seconds does not need
            self._training = self._training()
        return json.loads(canonical_json(dict(self._training)))

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_training": {} if callable(self._training) else self._training}

    def write(self, state: TrainingState, seconds: float) -> None:
        """Write a checkpoint with the training time so far, and remove all older ones except the previous one."""
        from safetensors.torch import save

        content = save(state.tensors)
        document: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "training": self.training,
            "seconds": float(seconds),
            "state": state.values,
            "tensors": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)},
        }
        document["digest"] = digest_json(document)
        number = max(map(_number, self._list_folders()), default=0) + 1
        with atomic_dir(self.path / f"checkpoint-{number:06d}") as temporary:
            (temporary / _TENSORS_NAME).write_bytes(content)
            (temporary / _JSON_NAME).write_bytes(json.dumps(document, allow_nan=False).encode())
        _flush_folder(self.path)
        for old in self._list_folders()[_MAX_CHECKPOINTS:]:
            shutil.rmtree(old, ignore_errors=True)
        self._remove_partial()

    def read(self) -> tuple[TrainingState, float] | None:
        """Return the last intact state and its training time in seconds; None if there is no checkpoint.

        Warn if the last checkpoint is damaged and the previous one is used. Raise `ModelFileError` if all are damaged,
        or the checkpoint is of another run or version.
        """
        damage = []
        for folder in self._list_folders():
            try:
                document, tensors = _read(folder)
            except _DamageError as error:
                damage.append(str(error))
                continue
            self._check_training(document["training"])
            for each in damage:
                warnings.warn(f"{each} The previous checkpoint is used: {folder.name}.", stacklevel=2)
            self._remove_partial()
            return TrainingState(tensors, document["state"]), document["seconds"]
        if damage:
            raise ModelFileError(
                f"All checkpoints in {self.path} are damaged: {damage[0]} Remove the folder to start again."
            )
        return None

    def _remove_partial(self) -> None:
        """Remove the temporary folders of interrupted writes."""
        for part in self.path.glob(".skconv-*.part"):
            shutil.rmtree(part, ignore_errors=True)

    def _list_folders(self) -> list[Path]:
        """Return the folders of the checkpoints, the last first."""
        try:
            found = [each for each in self.path.iterdir() if re.fullmatch(r"checkpoint-\d{6,18}", each.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(
                f"The checkpoints in {self.path} cannot be read: {error.strerror}. Choose another folder."
            ) from error
        return sorted(found, key=_number, reverse=True)

    def _check_training(self, saved: Mapping[str, Any]) -> None:
        differences = _compare(saved, self.training)
        if differences:
            shown = "; ".join(differences[:6]) + (f"; and {len(differences) - 6} more" if len(differences) > 6 else "")
            raise ModelFileError(
                f"The checkpoint in {self.path} is of another run: {shown}. Use the same settings to resume it, "
                "or remove the folder to train from the beginning."
            )


def _number(folder: Path) -> int:
    return int(folder.name.partition("-")[2])


class _DamageError(ModelFileError):
    """Error of a truncated or altered checkpoint; the previous checkpoint may be intact."""


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    path = folder / _JSON_NAME
    try:
        content = read_bounded(path, _MAX_JSON_BYTES)
        if len(content) > _MAX_JSON_BYTES:
            raise ModelFileError(f"{path} has more than {_MAX_JSON_BYTES:,} bytes.")
        document = parse_json(content, str(path))
        if document.get("digest") != digest_json(document):
            raise ModelFileError(f"{path} is damaged: its digest does not match.")
    except (ModelFileError, ValueError) as error:
        raise _DamageError(str(error)) from error
    # Not a `_DamageError`, because the previous checkpoint has the same format.
    check_format(document, FORMAT, FORMAT_VERSION, str(path))
    try:
        check_keys(document, _KEYS, str(path))
        record = FileRecord(**check_section(document, "tensors", {"sha256": str, "bytes": int}))
        return document, parse_tensors(read_verified(folder / _TENSORS_NAME, record), str(folder / _TENSORS_NAME))
    except ModelFileError as error:
        raise _DamageError(str(error)) from error


def _compare(saved: Any, current: Any, name: str = "") -> list[str]:
    """Return the differences between two nested mappings as phrases."""
    if isinstance(saved, dict) and isinstance(current, dict):
        keys = sorted({*saved, *current})
        return [each for key in keys for each in _compare(saved.get(key), current.get(key), f"{name} {key}".strip())]
    if saved == current:
        return []
    if name in _HASHED:
        return [f"the {name} differ ({_HASHED[name]})"]
    option = f" ({_OPTIONS[name]})" if name in _OPTIONS else ""
    return [f"{name}{option} was {_shorten(saved)} and is {_shorten(current)}"]


def _shorten(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 60 else text[:24] + "…"


def _flush_folder(path: Path) -> None:
    """Flush the entries of a folder to disk, if the system supports it."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
