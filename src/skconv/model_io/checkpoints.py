"""`CheckpointFolder`: the state of a training on disk, safe from a kill at any moment; data, never code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ModelFileError, OutputError
from skconv.files import atomic_dir
from skconv.model_io.config import FileRecord
from skconv.model_io.folder import read_bounded, read_verified
from skconv.model_io.serialization import canonical_json, check_keys, check_section, parse_json, read_tensors
from skconv.training.state import TrainingState

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "skconv-checkpoint"
FORMAT_VERSION = 1
_FACTS_NAME, _TENSORS_NAME = "checkpoint.json", "checkpoint.safetensors"
_KEPT = 2
_MOST_FACTS = 2**28  # bytes: the losses of some millions of steps
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
    """The last two states of one training, each in a folder of its own.

    Each is written beside, flushed to disk and moved into place, and verified by sha256 when it is read: whatever
    happens, the last that was finished is there. Writing fails as a whole where the disk is full, and what was there
    stays.

    Parameters
    ----------
    path : path-like
        The folder. It is made with the first checkpoint.
    training : mapping
        What the training is, as plain JSON values: a checkpoint of another is refused, and what differs is told.
        Values may be mappings of such values.
    """

    def __init__(self, path: str | os.PathLike[str], training: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.training = json.loads(canonical_json(dict(training)))

    def write(self, state: TrainingState, seconds: float) -> None:
        """Keep a state, and drop all but the one before.

        Parameters
        ----------
        state : TrainingState
            What is kept.
        seconds : float
            Time of training so far.

        Raises
        ------
        OutputError
            The disk is full, or the folder cannot be written; the checkpoints before are as they were.
        """
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
        document["digest"] = _digest(document)
        number = max(map(_number, self._list()), default=0) + 1
        with atomic_dir(self.path / f"checkpoint-{number:06d}") as beside:
            (beside / _TENSORS_NAME).write_bytes(content)
            (beside / _FACTS_NAME).write_bytes(json.dumps(document, allow_nan=False).encode())
        _flush_folder(self.path)
        for old in self._list()[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        self._sweep()

    def read(self) -> tuple[TrainingState, float] | None:
        """Return the last state that is whole, and its seconds of training; None where there is no checkpoint.

        Raises
        ------
        ModelFileError
            The checkpoint belongs to another training or was written by another version, or none is whole.

        Warns
        -----
        UserWarning
            A checkpoint is damaged, and the one before is taken.
        """
        damage = []
        for folder in self._list():
            try:
                document, tensors = _read(folder)
            except _DamageError as error:
                damage.append(str(error))
                continue
            self._check_training(document["training"])
            for each in damage:
                warnings.warn(f"{each} The checkpoint before it is taken: {folder.name}.", stacklevel=2)
            self._sweep()
            return TrainingState(tensors, document["state"]), document["seconds"]
        if damage:
            raise ModelFileError(
                f"No checkpoint in {self.path} is whole: {damage[0]} Remove the folder to train from the beginning."
            )
        return None

    def _sweep(self) -> None:
        """Take away what writes that were killed left half-done."""
        for part in self.path.glob(".skconv-*.part"):
            shutil.rmtree(part, ignore_errors=True)

    def _list(self) -> list[Path]:
        """Return the checkpoints, the last first."""
        try:
            found = [each for each in self.path.iterdir() if re.fullmatch(r"checkpoint-\d{6,18}", each.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"The checkpoints in {self.path} cannot be read: {error.strerror}.") from error
        return sorted(found, key=_number, reverse=True)

    def _check_training(self, there: Mapping[str, Any]) -> None:
        differences = _compare(there, self.training)
        if differences:
            shown = "; ".join(differences[:6]) + (f"; and {len(differences) - 6} more" if len(differences) > 6 else "")
            raise ModelFileError(
                f"The checkpoint in {self.path} is of another training: {shown}. Resume it as it was begun, or remove "
                "the folder to train from the beginning."
            )


def _number(folder: Path) -> int:
    return int(folder.name.partition("-")[2])


class _DamageError(ModelFileError):
    """A checkpoint that is cut off or altered, where the one before may be whole."""


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    path = folder / _FACTS_NAME
    try:
        content = read_bounded(path, _MOST_FACTS)
        if len(content) > _MOST_FACTS:
            raise ModelFileError(f"{path} holds more than {_MOST_FACTS:,} bytes.")
        document = parse_json(content, str(path))
        if document.get("digest") != _digest(document):
            raise ModelFileError(f"{path} is damaged: its digest does not match.")
    except (ModelFileError, ValueError) as error:
        raise _DamageError(str(error)) from error
    _check_format(document, path)
    try:
        check_keys(document, _KEYS, str(path))
        record = FileRecord(**check_section(document, "tensors", {"sha256": str, "bytes": int}))
        return document, read_tensors(read_verified(folder / _TENSORS_NAME, record), str(folder / _TENSORS_NAME))
    except ModelFileError as error:
        raise _DamageError(str(error)) from error


def _check_format(document: Mapping[str, Any], path: Path) -> None:
    """Refuse what another version wrote: that is no damage, and the one before would be no better."""
    found = document.get("format"), document.get("format_version")
    if found != (FORMAT, FORMAT_VERSION):
        raise ModelFileError(
            f"{path} is {str(found[0])[:60]!r} of version {str(found[1])[:20]}; this skconv reads {FORMAT!r} of "
            f"version {FORMAT_VERSION}. Resume with the skconv that wrote it, or remove the folder."
        )


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json({key: document[key] for key in document if key != "digest"})).hexdigest()


def _compare(there: Any, here: Any, name: str = "") -> list[str]:
    """Return what differs between two trainings, as parts of a sentence."""
    if isinstance(there, dict) and isinstance(here, dict):
        keys = sorted({*there, *here})
        return [each for key in keys for each in _compare(there.get(key), here.get(key), f"{name} {key}".strip())]
    return [] if there == here else [f"{name} was {_shorten(there)} and is {_shorten(here)}"]


def _shorten(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 60 else text[:24] + "…"


def _flush_folder(path: Path) -> None:
    """Make the names in a folder last through a loss of power, where the system has that."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
