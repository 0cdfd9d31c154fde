"""Model folders: file names, search, verification by sha256."""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path

from skconv.data.content import is_table_name
from skconv.exceptions import ModelFileError, ParameterError, SourceNotFoundError, list_some
from skconv.files import expand_home, find_similar_path
from skconv.images.formats import has_image_suffix
from skconv.model_io.config import MAX_CONFIG_BYTES, FileRecord, ModelConfig
from skconv.model_io.serialization import FIX
from skconv.registry import MODELS

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
FINGERPRINTS_NAME = "fingerprints.safetensors"  # optional: hashes of the training images
HELD_OUT_NAME = "held_out.safetensors"  # optional: predictions for held-out images, if the model is calibrated
OOD_NAME = "ood.safetensors"  # optional: tables of the out-of-distribution score, which are also in the ONNX graph
CARD_NAME = "card.md"
MODEL_FOLDER_NAME = "model"  # inside a run folder

_MAX_OPTIONAL_BYTES = 2**30
_EXPECTED = f"expected a run folder of skconv train, or a folder with {CONFIG_NAME} in it"
_PICKLE_SUFFIXES = {
    ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5", ".hdf5", ".keras", ".bin",
}  # fmt: skip


def find_model_folder(path: str | os.PathLike[str], usage: str = "") -> Path:
    """Return the folder with ``config.json`` at `path`: a model folder, a run folder, or the name of a bundled model.

    A folder called ``digits`` takes precedence over the bundled model. Raise `SourceNotFoundError` if `path` does not
    exist, and `ModelFileError` if it is a file (loading a pickle could run code) or a folder without a model. `usage`,
    such as "skconv serve RUN", is the command that these errors show.
    """
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(
            f"The model is a {type(path).__name__}; expected the path of a model folder. Save an estimator first: "
            "classifier.save(folder)."
        )
    location = expand_home(path)
    for folder in (location, location / MODEL_FOLDER_NAME, *_find_bundled(path)):
        if (folder / CONFIG_NAME).is_file():
            return folder
    if not location.exists():
        raise _not_found(path, location, usage)
    if not location.is_dir():
        raise _refuse_file(location, usage)
    raise ModelFileError(
        f"The folder {location} contains no model: it has neither {CONFIG_NAME} nor "
        f"{MODEL_FOLDER_NAME}/{CONFIG_NAME}. {_suggest_run(location, usage)}"
    )


def read_config(folder: str | os.PathLike[str]) -> ModelConfig:
    """Read ``config.json``, and verify the size and the sha256 of all files listed in it."""
    folder = Path(folder)
    path = folder / CONFIG_NAME
    config = ModelConfig.from_bytes(read_bounded(path, MAX_CONFIG_BYTES), str(path))
    if set(config.files) - {FINGERPRINTS_NAME, HELD_OUT_NAME, OOD_NAME, ONNX_NAME} != {WEIGHTS_NAME}:
        raise ModelFileError(
            f"{path} lists the files {', '.join(sorted(config.files))[:200] or 'none'}; "
            f"expected {WEIGHTS_NAME} and {ONNX_NAME}, optionally {FINGERPRINTS_NAME}, {HELD_OUT_NAME} and {OOD_NAME}. "
            f"{FIX}"
        )
    for name, record in config.files.items():
        file = folder / name
        if not file.is_file():  # reading a pipe or device could block
            raise ModelFileError(f"{file} is missing. {FIX}")
        try:
            size = file.stat().st_size
            is_intact = size == record.bytes and hash_file(file) == record.sha256
        except OSError as error:
            raise ModelFileError(f"{file} cannot be read: {error.strerror}.") from error
        if not is_intact:
            sizes = "" if size == record.bytes else f" ({size:,} bytes, expected {record.bytes:,})"
            raise ModelFileError(f"{file} was altered after the model was saved{sizes}. {FIX}")
    return config


def check_has_onnx(folder: Path, config: ModelConfig) -> None:
    """Raise `ModelFileError` for a model that was saved without ``model.onnx``, because its export had failed."""
    if ONNX_NAME not in config.files:
        raise ModelFileError(
            f"{folder} has no {ONNX_NAME}, because its export failed when the model was saved. Load the model with "
            f"torch: skconv.CNNClassifier.load({str(folder)!r})."
        )


def read_verified(path: Path, record: FileRecord) -> bytes:
    """Return the content of `path` after verifying these bytes, because the file may change after `read_config`."""
    content = read_bounded(path, record.bytes)
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise ModelFileError(f"{path} was altered after the model was saved. {FIX}")
    return content


def read_optional(folder: Path, config: ModelConfig, name: str) -> bytes | None:
    """Return the verified content of an optional file of at most 1 GiB; None if the model was saved without it."""
    record = config.files.get(name)
    if record is None:
        return None
    path = folder / name
    if record.bytes > _MAX_OPTIONAL_BYTES:
        raise ModelFileError(
            f"{path} has {record.bytes:,} bytes according to {CONFIG_NAME}; expected at most {_MAX_OPTIONAL_BYTES:,}."
        )
    return read_verified(path, record)


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the content of the regular file `path`, at most `max_bytes` + 1 bytes."""
    if not path.is_file():
        raise ModelFileError(f"{path} is missing. {FIX}")
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return stream.read(max(0, min(max_bytes, size)) + 1)  # read allocates the requested number of bytes
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error


def hash_file(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _find_bundled(path: str | os.PathLike[str]) -> list[Path]:
    """Return the folder of a bundled model by name; ``./digits`` is a path, not a name."""
    name = os.fspath(path)
    return [MODELS.get(name)] if name in MODELS else []


def _not_found(path: str | os.PathLike[str], location: Path, usage: str) -> SourceNotFoundError:
    """Return the error for a path that does not exist."""
    from skconv.data.catalog.lookup import list_datasets

    if path in list_datasets():
        return SourceNotFoundError(
            f"There is no model {path}, only a data set of this name; {_EXPECTED}. {_suggest_training(usage)}"
        )
    nearest = difflib.get_close_matches(str(path), MODELS.names(), n=1)
    similar = nearest[0] if nearest else find_similar_path(location, folders=True)
    suggestion = f"Did you mean '{similar}'? " if similar else ""
    return SourceNotFoundError(
        f"No model at {location}: there is no such folder. {suggestion}"
        f"Expected a folder with {CONFIG_NAME}, {WEIGHTS_NAME} and {ONNX_NAME}, as written by skconv train."
    )


def _suggest_training(usage: str) -> str:
    then = f", then {usage}" if usage else ""
    return f"Train a model, and pass its run folder: skconv train DATA --out RUN{then}."


def _suggest_run(location: Path, usage: str) -> str:
    runs = sorted(str(each.parent.parent) for each in location.glob(f"*/{MODEL_FOLDER_NAME}/{CONFIG_NAME}"))
    if not runs:
        return _suggest_training(usage)
    return f"It contains several runs; pass one of them: {list_some(runs, 5)}."


def _refuse_file(location: Path, usage: str) -> ModelFileError:
    if location.suffix.lower() in _PICKLE_SUFFIXES:
        return ModelFileError(
            f"{location} is refused: a {location.suffix} file can contain a pickle, and loading a pickle can run code. "
            "Save the model to a folder (skconv train --out DIR, or CNNClassifier.save) and pass that folder."
        )
    kind = "an image" if has_image_suffix(location.name) else "a table" if is_table_name(location) else "a file"
    hint = _suggest_training(usage)
    if (location.parent / CONFIG_NAME).is_file():
        hint = f"Pass {location.parent}."
    elif location.suffix.lower() == ".onnx":
        hint = "Pass the run folder that the file was exported from."
    return ModelFileError(f"{location} is {kind}; {_EXPECTED}. {hint}")
