"""Open ``model.onnx`` with onnxruntime, which is all that inference needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import read_bounded

INPUT_NAME = "images"
OUTPUT_NAMES = ("logits", "probabilities")
MAX_ONNX_BYTES = 2**31 - 1  # protobuf's own limit


def open_session(
    path: str | os.PathLike[str],
    config: ModelConfig,
    threads: int | None = None,
    content: bytes | None = None,
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the CPU for the model at `path`.

    Parameters
    ----------
    path : path-like
        The ONNX file, as errors name it.
    config : ModelConfig
        Says which input and how many classes the file must have.
    threads : int or None, default None
        Threads of one run; None lets onnxruntime take a thread a core.
    content : bytes or None, default None
        The file's content where it is in memory already.

    Raises
    ------
    ModelFileError
        Not ONNX, weights in other files, operators outside the standard, or inputs and outputs that do not
        fit `config`.
    """
    import onnxruntime

    path = Path(path)
    if content is None:
        content = read_bounded(path, MAX_ONNX_BYTES)
    if len(content) > MAX_ONNX_BYTES:
        raise ModelFileError(f"{path} is larger than 2 GiB; expected a model of small images.")
    # A tensor kept elsewhere names its place under the key "location": the runtime would read any file.
    if b"location" in content:
        raise ModelFileError(f"{path} is refused: it refers to other files. Train again, or export without them.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its warnings would break --json and one-line errors
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # Without a fallback: it would be the same again, and is told on standard output.
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # onnxruntime's errors share no base class
        raise ModelFileError(
            f"{path} cannot be opened as ONNX ({_first_line(error)}). Copy the model folder again, or train again."
        ) from error
    _check_interface(session, path, config)
    return session


def run_session(session: Any, images: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, k) of a float32 batch (n, channels, height, width).

    Raises
    ------
    ModelFileError
        The file passed every check and yet cannot be computed.
    """
    try:
        (probabilities,) = session.run([OUTPUT_NAMES[1]], {INPUT_NAME: images})
    except Exception as error:
        raise ModelFileError(
            f"model.onnx cannot be computed ({_first_line(error)}). Copy the model folder again, or train again."
        ) from error
    return np.asarray(probabilities)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _check_interface(session: Any, path: Path, config: ModelConfig) -> None:
    inputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_inputs()]
    if inputs != [(INPUT_NAME, "tensor(float)", config.input.shape)]:
        raise ModelFileError(
            f"{path} takes {inputs!r:.200}; config.json says '{INPUT_NAME}', float32, {config.input.shape}. "
            "Copy the model folder again, or train again."
        )
    outputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_outputs()]
    expected = [(name, "tensor(float)", (len(config.classes),)) for name in OUTPUT_NAMES]
    if outputs != expected:
        raise ModelFileError(
            f"{path} gives {outputs!r:.200}; config.json says {len(config.classes)} classes as 'logits' and "
            "'probabilities'. Copy the model folder again, or train again."
        )
