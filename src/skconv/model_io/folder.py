"""Find a model folder and check that nothing in it is missing or altered."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from skconv.exceptions import ModelFileError, SourceNotFoundError, list_some
from skconv.model_io.config import MAX_CONFIG_BYTES, FileRecord, ModelConfig
from skconv.registry import Registry

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
FINGERPRINTS_NAME = "fingerprints.safetensors"  # only where the model was saved with what it was trained on
HELD_OUT_NAME = "held_out.safetensors"  # only where it was calibrated
CARD_NAME = "card.md"
MODEL_FOLDER_NAME = "model"  # inside a run folder
BUNDLED: Registry[Path] = Registry("models", "model")  # folders of the models that come with skconv

_PICKLE_SUFFIXES = {
    ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5", ".hdf5", ".keras", ".bin",
}  # fmt: skip
_MEND = "Copy the model folder again, or train again."


def find_model_folder(path: str | os.PathLike[str]) -> Path:
    """Return the model folder at `path`: `path` itself, or its ``model`` folder where it is a run folder.

    Parameters
    ----------
    path : path-like
        A model folder, or a run folder as ``skconv train --out`` makes it. ``"digits"`` is the model that comes with
        skconv, unless there is a model in a folder of that name.

    Returns
    -------
    pathlib.Path
        A folder that holds ``config.json``.

    Raises
    ------
    SourceNotFoundError
        Nothing is at `path`.
    ModelFileError
        A file (a pickle above all: opening one can run code), or a folder without a model.
    """
    place = Path(path)
    for folder in (place, place / MODEL_FOLDER_NAME, *_find_bundled(path)):
        if (folder / CONFIG_NAME).is_file():
            return folder
    if not place.exists():
        raise SourceNotFoundError(
            f"No model at {place}: there is no such folder. "
            f"Expected a folder with {CONFIG_NAME}, {WEIGHTS_NAME}, {ONNX_NAME} as skconv train writes."
        )
    if not place.is_dir():
        raise _refuse_file(place)
    raise ModelFileError(
        f"The folder {place} holds no model: it has neither {CONFIG_NAME} nor "
        f"{MODEL_FOLDER_NAME}/{CONFIG_NAME}. {_suggest_run(place)}"
    )


def read_config(folder: str | os.PathLike[str]) -> ModelConfig:
    """Read ``config.json`` and check size and sha256 of the files it names.

    Parameters
    ----------
    folder : path-like
        A model folder, as `find_model_folder` returns it.

    Returns
    -------
    ModelConfig
        What the folder says about its model.

    Raises
    ------
    ModelFileError
        A file is missing, altered, or of another format; the message names it.
    """
    folder = Path(folder)
    path = folder / CONFIG_NAME
    config = ModelConfig.from_bytes(read_bounded(path, MAX_CONFIG_BYTES), str(path))
    if set(config.files) - {FINGERPRINTS_NAME, HELD_OUT_NAME} != {WEIGHTS_NAME, ONNX_NAME}:
        raise ModelFileError(
            f"{path} names the files {', '.join(sorted(config.files))[:200] or 'none'}; "
            f"expected {WEIGHTS_NAME} and {ONNX_NAME}, perhaps {FINGERPRINTS_NAME} and {HELD_OUT_NAME}. {_MEND}"
        )
    for name, record in config.files.items():
        file = folder / name
        if not file.is_file():  # a pipe or device would block the read below
            raise ModelFileError(f"{file} is missing. {_MEND}")
        try:
            size = file.stat().st_size
            intact = size == record.bytes and hash_file(file) == record.sha256
        except OSError as error:
            raise ModelFileError(f"{file} cannot be read: {error.strerror}.") from error
        if not intact:
            how = "" if size == record.bytes else f" ({size:,} bytes, {record.bytes:,} expected)"
            raise ModelFileError(f"{file} was altered after the model was saved{how}. {_MEND}")
    return config


def read_verified(path: Path, record: FileRecord) -> bytes:
    """Return the content of `path`, checked as it was read: between two reads a file can change.

    Raises
    ------
    ModelFileError
        It is missing, cannot be read, or holds other bytes than `record` says.
    """
    content = read_bounded(path, record.bytes)
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise ModelFileError(f"{path} was altered after the model was saved. {_MEND}")
    return content


def read_bounded(path: Path, most: int) -> bytes:
    """Return the content of the regular file `path`, at most `most` + 1 bytes of it.

    Raises
    ------
    ModelFileError
        It is not a regular file or cannot be read.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} is missing. {_MEND}")
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return stream.read(max(0, min(most, size)) + 1)  # room is made for what is asked, whatever is there
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error


def hash_file(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _find_bundled(path: str | os.PathLike[str]) -> list[Path]:
    """Return the folder of the bundled model of that name; a path, as ``./digits``, is no name."""
    name = os.fspath(path)
    return [BUNDLED.get(name)] if name in BUNDLED else []


def _suggest_run(place: Path) -> str:
    runs = sorted(str(each.parent.parent) for each in place.glob(f"*/{MODEL_FOLDER_NAME}/{CONFIG_NAME}"))
    if not runs:
        return "Pass a folder that skconv train wrote."
    return f"It holds several runs; pass one of them: {list_some(runs, 5)}."


def _refuse_file(place: Path) -> ModelFileError:
    if place.suffix.lower() in _PICKLE_SUFFIXES:
        return ModelFileError(
            f"{place} is refused: a {place.suffix} file can hold a pickle, and a pickle can run code "
            "when it is opened. Export the model to a folder instead (skconv train --out DIR, or "
            "CNNClassifier.save) and pass that."
        )
    hint = f" Pass {place.parent}." if (place.parent / CONFIG_NAME).is_file() else ""
    return ModelFileError(f"{place} is a file; a model is a folder with {CONFIG_NAME} in it.{hint}")
