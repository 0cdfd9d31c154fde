"""ONNX export of a network, its comparison with torch, and sessions of onnxruntime."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.cpus import count_cpus
from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import read_bounded
from skconv.model_io.onnx_metadata import check_metadata, contains_outside_metadata
from skconv.model_io.serialization import FIX
from skconv.text import format_error

if TYPE_CHECKING:
    from torch import Tensor, nn

    from skconv.networks.ood_score import OodScore

INPUT_NAME = "images"
OUTPUT_NAMES = ("logits", "probabilities")
OOD_OUTPUT_NAME = "ood_score"  # third output of models with an out-of-distribution score, float32 (n,)
MAX_ONNX_BYTES = 2**31 - 1  # limit of protobuf
MAX_DIFFERENCE = 1e-4  # between the probabilities of torch and onnxruntime
_MAX_LOGIT_DIFFERENCE = 1e-3  # relative to the largest logit, if that is above 1
_MAX_SCORE_DIFFERENCE = 1e-2  # of out-of-distribution scores, relative to the score if that is above 1
_MAX_SAMPLE = 256
_OPSET = 18
_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def export_onnx(
    network: nn.Module, input_shape: tuple[int, int, int], *, score: OodScore | None = None, traced: bool = True
) -> bytes:
    """Return `network` as a self-contained ONNX file with a dynamic batch size.

    `network` must be on the CPU in evaluation mode, accept float32 (n, *input_shape) and return logits (n, k). The file
    has the input ``images`` and the outputs ``logits`` and ``probabilities``, and neither external data nor custom
    operators. With an out-of-distribution `score`, the output ``ood_score`` (n,) follows.

    If `traced`, the operators of one forward pass are exported, in about 0.1 s; an error is raised if they depend on
    the values of the images. Otherwise the network is exported by `torch.export`, which supports more networks but
    takes three seconds, because it imports torch's compiler.
    """
    import torch

    from skconv.networks.ood_score import ScoredNetwork

    class _WithProbabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network if score is None else ScoredNetwork(network, score)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            output = self.network(images)
            logits, *scores = (output,) if score is None else output
            return logits, torch.softmax(logits, dim=1), *scores

    images = torch.zeros(2, *input_shape)  # a batch size of 1 would be exported as a constant
    outputs = list_outputs(scored=score is not None)
    with _no_side_effects():
        model = (_export_trace if traced else _export_program)(_WithProbabilities().eval(), images, outputs)
    # Removed, because the metadata contains source lines and paths of this machine.
    for item in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output]:
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    model.graph.ClearField("value_info")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def list_outputs(*, scored: bool) -> tuple[str, ...]:
    """Return the names of the outputs of a model's graph, with or without an out-of-distribution score."""
    return (*OUTPUT_NAMES, OOD_OUTPUT_NAME) if scored else OUTPUT_NAMES


def _export_trace(network: nn.Module, images: Tensor, outputs: Sequence[str]) -> Any:
    """Return the ONNX model of the operators that one forward pass executes."""
    import onnx

    return onnx.load_from_string(_trace(network, images, outputs))


def trace_module(module: nn.Module, batch: Tensor) -> bytes:
    """Return an ONNX graph of a module with one input and one output, for batches of any size.

    Raise an error if its operators depend on the values of `batch`, which has at least two images.
    """
    with _no_side_effects():
        return _trace(module, batch, ["output"])


def _trace(network: nn.Module, images: Tensor, outputs: Sequence[str]) -> bytes:
    """Return the ONNX file of the operators that one forward pass executes."""
    import torch

    stream: Any = io.BytesIO()  # a buffer is accepted, although the signature has paths only
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.onnx.export(
            network,
            (images,),
            stream,
            dynamo=False,
            input_names=[INPUT_NAME],
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (INPUT_NAME, *outputs)},
            opset_version=_OPSET,
        )
    for each in caught:
        if issubclass(each.category, torch.jit.TracerWarning):
            # The trace has one branch, or one batch size, of a network that has several.
            raise ModelFileError(f"The network cannot be exported as a trace: {each.message}")
    content: bytes = stream.getvalue()
    return content


def _export_program(network: nn.Module, images: Tensor, outputs: Sequence[str]) -> Any:
    """Return the ONNX model of the program that `torch.export` derives from a network."""
    import torch
    from onnxscript import optimizer

    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        # torch.export prints and logs the whole graph if its operators depend on the images.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            program = torch.onnx.export(
                network,
                (images,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=list(outputs),
                dynamic_shapes={INPUT_NAME: {0: torch.export.Dim("batch")}},
                external_data=False,
                verbose=False,
                optimize=False,
            )
    finally:
        logging.disable(disabled)
    if program is None:
        raise ModelFileError("torch returned no ONNX program for this network. Use another network.")
    # The exporter's optimizer replaces ``x + 4e-9`` with ``x``, but such numbers occur where label smoothing of many
    # classes is undone. Constant folding alone is exact, and onnxruntime optimizes the rest when it loads the file.
    optimizer.inline(program.model)
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    return program.model_proto


def check_parity(
    network: nn.Module, onnx: bytes, config: ModelConfig, sample: np.ndarray, score: OodScore | None = None
) -> float:
    """Return the largest difference in probability between torch and onnxruntime on the first 256 images of `sample`.

    Raise `ModelFileError` if it is above 1e-4, or if a logit differs by more than 0.1 % of the largest logit. The
    probabilities of improbable classes are too small to show a wrong logit. An out-of-distribution `score` may differ
    by 1 %.
    """
    import torch

    from skconv.networks.ood_score import ScoredNetwork

    images = np.ascontiguousarray(sample[:_MAX_SAMPLE], dtype=np.float32)
    with torch.inference_mode():
        batch = torch.from_numpy(images)
        logits, *scores = (network(batch),) if score is None else ScoredNetwork(network, score)(batch)
    session = open_session("model.onnx", config, content=onnx)
    exported = run_session(session, images, list_outputs(scored=score is not None))
    for values, expected in zip(exported[2:], scores, strict=True):
        size = expected.abs().clamp(min=1).numpy()
        of_scores = _find_difference(values / size, expected.numpy() / size)
        if not of_scores <= _MAX_SCORE_DIFFERENCE:
            raise ModelFileError(
                f"The out-of-distribution score of the exported ONNX graph differs from that of the network by "
                f"{of_scores:.2g}; expected at most {_MAX_SCORE_DIFFERENCE:g}"
            )
    difference = _find_difference(exported[1], torch.softmax(logits, dim=1).numpy())
    of_logits = _find_difference(exported[0], logits.numpy())
    max_of_logits = _MAX_LOGIT_DIFFERENCE * max(1.0, float(logits.abs().max()))
    if not (difference <= MAX_DIFFERENCE and of_logits <= max_of_logits):  # negated, so that NaN raises too
        raise ModelFileError(
            f"The exported ONNX graph differs from the network by {difference:.2g} in probability and {of_logits:.2g} "
            f"in logits; expected at most {MAX_DIFFERENCE:g} and {max_of_logits:.2g}. Check that the network returns "
            "the same logits for the same images; if it does, open an issue with its name and options."
        )
    return difference


def import_onnxruntime() -> Any:
    """Return the module onnxruntime with its telemetry disabled."""
    # Set before onnxruntime is loaded, which would otherwise write to the cache and send usage data.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def open_session(
    path: str | os.PathLike[str],
    config: ModelConfig,
    threads: int | None = None,
    content: bytes | None = None,
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the CPU for the file at `path`, or for its `content`.

    `threads` is the number of threads per prediction, by default one per core that this process may use. Raise
    `ModelFileError` if the file is not ONNX, refers to other files, has non-standard operators, or its inputs,
    outputs or metadata do not fit `config`.
    """
    onnxruntime = import_onnxruntime()
    path = Path(path)
    if content is None:
        content = read_bounded(path, MAX_ONNX_BYTES)
    if len(content) > MAX_ONNX_BYTES:
        raise ModelFileError(f"{path} is larger than 2 GiB; expected a model of small images.")
    # External tensors have the key "location" with a path, and onnxruntime would read any file at that path.
    if contains_outside_metadata(content, b"location"):
        raise ModelFileError(f"{path} is refused: it refers to other files. Train again.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # warnings would break --json and one-line errors
    n_cpus = count_cpus()
    if threads is not None or n_cpus < (os.cpu_count() or 1):  # the runtime does not respect the quota of a container
        options.intra_op_num_threads = threads or n_cpus
    try:
        # The fallback would retry the same provider and print to standard output.
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # errors of onnxruntime have no common base class
        raise ModelFileError(f"{path} cannot be opened as ONNX ({format_error(error)}). {FIX}") from error
    _check_interface(session, path, config)
    check_metadata(session.get_modelmeta().custom_metadata_map, config, str(path))
    return session


def run_session(session: Any, images: np.ndarray, outputs: Sequence[str] = OUTPUT_NAMES[1:]) -> list[np.ndarray]:
    """Return outputs, by default the probabilities (n, k), of a float32 batch (n, channels, height, width)."""
    try:
        return [np.asarray(output) for output in session.run(list(outputs), {INPUT_NAME: images})]
    except Exception as error:
        raise ModelFileError(f"model.onnx cannot be run ({format_error(error)}). {FIX}") from error


def _check_interface(session: Any, path: Path, config: ModelConfig) -> None:
    inputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_inputs()]
    if inputs != [(INPUT_NAME, "tensor(float)", config.input.shape)]:
        raise ModelFileError(
            f"{path} has the inputs {inputs!r:.200}; expected '{INPUT_NAME}', float32, {config.input.shape} as in "
            f"config.json. {FIX}"
        )
    outputs = [(node.name, node.type, tuple(node.shape[1:])) for node in session.get_outputs()]
    expected: list[tuple[str, str, tuple[int, ...]]] = [
        (name, "tensor(float)", (len(config.classes),)) for name in OUTPUT_NAMES
    ]
    if config.ood is not None:
        expected.append((OOD_OUTPUT_NAME, "tensor(float)", ()))
    if outputs != expected:
        score = "" if config.ood is None else f", and '{OOD_OUTPUT_NAME}',"
        raise ModelFileError(
            f"{path} has the outputs {outputs!r:.200}; expected 'logits' and 'probabilities' of "
            f"{len(config.classes)} classes{score} as in config.json. {FIX}"
        )


def _find_difference(values: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference; NaN if one of two values is NaN, 0 for equal infinities."""
    different = values != expected
    return float(np.abs(values - expected, where=different, out=np.zeros_like(expected)).max())


@contextmanager
def _no_side_effects() -> Iterator[None]:
    """Suppress the messages of the exporter, and restore the environment variable that it sets."""
    import torch

    before = os.environ.get(_CACHE_VARIABLE)
    # Prints the whole graph to standard output if an operator is not supported; torch enables it by mistake.
    print_graph = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *_: None
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # the exporter warns about missing optional operators
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._C._jit_onnx_log = print_graph
        logger.setLevel(level)
        if before is None:
            os.environ.pop(_CACHE_VARIABLE, None)
