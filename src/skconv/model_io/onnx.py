"""ONNX: export a network, verify the exported graph, open and run it with onnxruntime."""

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

if TYPE_CHECKING:
    from torch import nn

INPUT_NAME = "images"
OUTPUT_NAMES = ("logits", "probabilities")
MAX_ONNX_BYTES = 2**31 - 1  # protobuf's own limit
PARITY = 1e-4  # largest difference of a probability between torch and onnxruntime
_MAX_SAMPLE = 256


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


def export_onnx(network: nn.Module, input_shape: tuple[int, int, int]) -> bytes:
    """Return `network` as an ONNX file of its own, with a free batch axis.

    Parameters
    ----------
    network : nn.Module
        On the CPU, in evaluation mode; takes float32 (n, channels, height, width), returns logits (n, k).
    input_shape : (int, int, int)
        Channels, height and width.

    Returns
    -------
    bytes
        Input ``images`` float32 (batch, channels, height, width); outputs ``logits`` and ``probabilities``
        float32 (batch, k). No external data, no custom operators.

    Notes
    -----
    The first export of a process takes about six seconds on two cores, most of it the exporter's own
    start; later ones about three.
    """
    import torch

    class _WithProbabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = self.network(images)
            return logits, torch.softmax(logits, dim=1)

    with _silence():
        program = torch.onnx.export(
            _WithProbabilities().eval(),
            (torch.zeros(2, *input_shape),),  # a batch of one would be taken for a constant
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )
        if program is None:
            raise ModelFileError("torch returned no ONNX program for this network.")
        model = program.model_proto
    # The exporter notes the source lines of this machine beside every operator; nobody else can use them.
    for item in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        item.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check_parity(network: nn.Module, onnx: bytes, config: ModelConfig, sample: np.ndarray) -> float:
    """Compare the probabilities of torch and onnxruntime on real images.

    Parameters
    ----------
    network : nn.Module
        As in `export_onnx`.
    onnx : bytes
        What `export_onnx` returned.
    config : ModelConfig
        The model's configuration.
    sample : ndarray of uint8 or float, shape (n, channels, height, width)
        Images; the first 256 are used.

    Returns
    -------
    float
        The largest difference of a probability, at most 1e-4.

    Raises
    ------
    ModelFileError
        A larger difference: the ONNX file must not be shipped.
    """
    import torch

    images = np.ascontiguousarray(sample[:_MAX_SAMPLE], dtype=np.float32)
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(images)), dim=1).numpy()
    session = open_session("model.onnx", config, content=onnx)
    difference = float(np.abs(run_session(session, images) - expected).max())
    if not difference <= PARITY:  # a NaN is not at most anything
        raise ModelFileError(
            f"The exported ONNX differs from the network by {difference:.2g} in probability; "
            f"at most {PARITY:g} is expected. Nothing was saved; report the network's name and options."
        )
    return difference


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


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it lists the torchvision operators that it does not find
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
