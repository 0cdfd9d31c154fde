"""ONNX export of a network, its comparison with torch, and sessions of onnxruntime."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import read_bounded
from skconv.model_io.serialization import FIX

if TYPE_CHECKING:
    from torch import nn

INPUT_NAME = "images"
OUTPUT_NAMES = ("logits", "probabilities")
MAX_ONNX_BYTES = 2**31 - 1  # limit of protobuf
MAX_DIFFERENCE = 1e-4  # between the probabilities of torch and onnxruntime
_MAX_SAMPLE = 256


def export_onnx(network: nn.Module, input_shape: tuple[int, int, int]) -> bytes:
    """Return `network` as a self-contained ONNX file with a dynamic batch size.

    `network` must be on the CPU in evaluation mode, accept float32 (n, *input_shape) and return logits (n, k). The file
    has the input ``images`` and the outputs ``logits`` and ``probabilities``, and neither external data nor custom
    operators. The first export of a process takes about six seconds on two cores, later ones about three.
    """
    import torch

    class _WithProbabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = self.network(images)
            return logits, torch.softmax(logits, dim=1)

    with _no_warnings():
        program = torch.onnx.export(
            _WithProbabilities().eval(),
            (torch.zeros(2, *input_shape),),  # a batch size of 1 would be exported as a constant
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )
        if program is None:
            raise ModelFileError("torch returned no ONNX program for this network. Use another network.")
        model = program.model_proto
    # Removed, because the metadata contains source lines and paths of this machine.
    for item in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        item.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_parity(network: nn.Module, onnx: bytes, config: ModelConfig, sample: np.ndarray) -> float:
    """Return the largest difference in probability between torch and onnxruntime on the first 256 images of `sample`.

    Raise `ModelFileError` if it is above 1e-4.
    """
    import torch

    images = np.ascontiguousarray(sample[:_MAX_SAMPLE], dtype=np.float32)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(images)), dim=1).numpy()
    session = open_session("model.onnx", config, content=onnx)
    difference = float(np.abs(run_session(session, images) - expected).max())
    if not difference <= MAX_DIFFERENCE:  # negated, so that NaN raises too
        raise ModelFileError(
            f"The exported ONNX graph differs from the network by {difference:.2g} in probability; expected at most "
            f"{MAX_DIFFERENCE:g}. Nothing was saved. Report the name and the options of the network."
        )
    return difference


def open_session(
    path: str | os.PathLike[str],
    config: ModelConfig,
    threads: int | None = None,
    content: bytes | None = None,
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the CPU for the file at `path`, or for its `content`.

    `threads` is the number of threads per prediction, by default one per core. Raise `ModelFileError` if the file is
    not ONNX, refers to other files, has non-standard operators, or its inputs and outputs do not fit `config`.
    """
    import onnxruntime

    path = Path(path)
    if content is None:
        content = read_bounded(path, MAX_ONNX_BYTES)
    if len(content) > MAX_ONNX_BYTES:
        raise ModelFileError(f"{path} is larger than 2 GiB; expected a model of small images.")
    # External tensors have the key "location" with a path, and onnxruntime would read any file at that path.
    if b"location" in content:
        raise ModelFileError(f"{path} is refused: it refers to other files. Train again.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # warnings would break --json and one-line errors
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # The fallback would retry the same provider and print to standard output.
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # errors of onnxruntime have no common base class
        raise ModelFileError(f"{path} cannot be opened as ONNX ({_first_line(error)}). {FIX}") from error
    _check_interface(session, path, config)
    return session


def run_session(session: Any, images: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, k) of a float32 batch (n, channels, height, width)."""
    try:
        (probabilities,) = session.run([OUTPUT_NAMES[1]], {INPUT_NAME: images})
    except Exception as error:
        raise ModelFileError(f"model.onnx cannot be run ({_first_line(error)}). {FIX}") from error
    return np.asarray(probabilities)


def _check_interface(session: Any, path: Path, config: ModelConfig) -> None:
    inputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_inputs()]
    if inputs != [(INPUT_NAME, "tensor(float)", config.input.shape)]:
        raise ModelFileError(
            f"{path} has the inputs {inputs!r:.200}; expected '{INPUT_NAME}', float32, {config.input.shape} as in "
            f"config.json. {FIX}"
        )
    outputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_outputs()]
    expected = [(name, "tensor(float)", (len(config.classes),)) for name in OUTPUT_NAMES]
    if outputs != expected:
        raise ModelFileError(
            f"{path} has the outputs {outputs!r:.200}; expected 'logits' and 'probabilities' of "
            f"{len(config.classes)} classes as in config.json. {FIX}"
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _no_warnings() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # the exporter warns about missing optional operators
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
