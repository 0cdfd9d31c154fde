"""Write a network as ONNX, and check that onnxruntime computes what torch computes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.onnx_session import INPUT_NAME, OUTPUT_NAMES, open_session, run_session

if TYPE_CHECKING:
    from torch import nn

PARITY = 1e-4  # largest difference of a probability between torch and onnxruntime
_MAX_SAMPLE = 256


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
