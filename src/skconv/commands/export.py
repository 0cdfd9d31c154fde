"""`export`: write a model as one ONNX file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skconv.commands import Result
from skconv.exceptions import ParameterError
from skconv.files import atomic_write, check_new_file
from skconv.model_io.folder import (
    ONNX_NAME,
    WEIGHTS_NAME,
    check_has_onnx,
    find_model_folder,
    read_config,
    read_verified,
)
from skconv.model_io.onnx import INPUT_NAME, OUTPUT_NAMES
from skconv.model_io.onnx_metadata import describe_onnx, replace_metadata
from skconv.signature import expand_paths

FORMATS = ("onnx",)


@dataclass(frozen=True)
class ExportResult(Result):
    """Result of `export`: the file, its input and its outputs.

    Parameters
    ----------
    model, out : str
        Model folder, and the written file.
    format : str
        ``"onnx"``.
    bytes : int
        Size of the file.
    input : dict
        Name, type and shape of the images; ``n`` is any number. ``pixel_range`` is the minimum and maximum of the
        training images; ``normalization`` is "digit" if images must be preprocessed by `skconv.normalize_digit`;
        ``resize`` is the rule for images of another aspect ratio, if the training images were resized.
    outputs : list of str
        Names of the outputs, float32 (n, classes).
    class_names : list of str
        Names of the classes, in the order of the columns of the outputs.
    """

    model: str
    out: str
    format: str
    bytes: int
    input: dict[str, Any]
    outputs: list[str]
    class_names: list[str]

    def __str__(self) -> str:
        shape = ", ".join(map(str, self.input["shape"]))
        normalised = " of normalised digits" if self.input["normalization"] else ""
        return (
            f"{self.out}: {self.bytes:,} bytes\n"
            f"input {self.input['name']}: float32 ({shape}){normalised}\n"
            f"outputs {' and '.join(self.outputs)}: float32 (n, {len(self.class_names)})\n"
            f"classes: {', '.join(self.class_names)}"
        )


@expand_paths
def export(
    model: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, *, format: str = "onnx"
) -> ExportResult:
    """Write a model as one file that other programs can run without skconv.

    Parameters
    ----------
    model : path-like
        A run folder or a model folder, or ``"digits"``.
    out : path-like or None, default=None
        File to write or replace. None uses the name of the run, in the current folder: ``first.onnx`` for
        ``runs/first``.
    format : {"onnx"}, default="onnx"
        Graph of standard operators that includes the weights and the scaling of pixels.

    Returns
    -------
    ExportResult
        The file, its input and its outputs.

    Raises
    ------
    ParameterError
        If the format is unknown.
    ModelFileError
        If the model is incomplete or altered.
    OutputError
        If the file cannot be written, or its name has another suffix.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> result = export("digits", pathlib.Path(tempfile.mkdtemp()) / "digits.onnx")
    >>> result.input["shape"], result.outputs
    (['n', 1, 28, 28], ['logits', 'probabilities'])
    """
    if format not in FORMATS:
        raise ParameterError(f"The 'format' parameter must be one of {', '.join(map(repr, FORMATS))}. Got {format!r}.")
    folder = find_model_folder(model)
    config = read_config(folder)
    check_has_onnx(folder, config)
    run = folder.parent if folder.name == "model" else folder
    target = Path(f"{run.resolve().name}.{format}" if out is None else out)
    check_new_file(target, suffix=f".{format}")
    content = read_verified(folder / ONNX_NAME, config.files[ONNX_NAME])
    content = replace_metadata(content, describe_onnx(config, config.files[WEIGHTS_NAME].sha256))
    with atomic_write(target) as path:
        path.write_bytes(content)
    images = config.input
    return ExportResult(
        model=str(folder),
        out=str(target),
        format=format,
        bytes=len(content),
        input={
            "name": INPUT_NAME,
            "type": "float32",
            "shape": ["n", images.channels, images.height, images.width],
            "pixel_range": list(images.pixel_range) if images.pixel_range else None,
            "normalization": images.normalization,
            **({} if images.resize is None else {"resize": images.resize}),
        },
        outputs=list(OUTPUT_NAMES),
        class_names=list(config.class_names),
    )
