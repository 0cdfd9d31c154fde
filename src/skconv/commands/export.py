"""`export`: write a model as one ONNX file, or as a web page."""

from __future__ import annotations

import os
import shlex
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skconv.commands import Result
from skconv.exceptions import ParameterError
from skconv.files import atomic_dir, atomic_write, check_new_file, check_new_folder
from skconv.images.arrays import describe_file_range
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import (
    MODEL_FOLDER_NAME,
    ONNX_NAME,
    WEIGHTS_NAME,
    check_has_onnx,
    find_model_folder,
    read_config,
    read_verified,
)
from skconv.model_io.onnx import INPUT_NAME, OOD_OUTPUT_NAME, OUTPUT_NAMES
from skconv.model_io.onnx_metadata import describe_onnx, replace_metadata
from skconv.signature import expand_paths

FORMATS = ("onnx", "web")


@dataclass(frozen=True)
class ExportResult(Result):
    """Result of `export`: the file or folder, the input and the outputs of the model.

    Parameters
    ----------
    model, out : str
        Model folder, and the written file or folder.
    format : str
        ``"onnx"`` or ``"web"``.
    bytes : int
        Size of the file, or of all files in the folder.
    input : dict
        Name, type and shape of the images; ``n`` is any number. ``pixel_range`` is the minimum and maximum of the
        training images; ``normalization`` is "digit" if images must be preprocessed by `skconv.normalize_digit`;
        ``resize`` is the rule for images of another aspect ratio, if the training images were resized.
    outputs : list of str
        Names of the outputs: ``logits`` and ``probabilities``, float32 (n, classes); ``ood_score``, float32 (n,), if
        the model has it.
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
        if self.format == "web":
            return (
                f"{self.out}: {self.bytes:,} bytes\n"
                "Serve it with any file server, such as: python -m http.server --bind 127.0.0.1 --directory "
                + shlex.quote(self.out)
            )
        shape = ", ".join(map(str, self.input["shape"]))
        normalised = " of normalised digits" if self.input["normalization"] else ""
        return (
            f"{self.out}: {self.bytes:,} bytes\n"
            f"input {self.input['name']}: float32 ({shape}){normalised}\n"
            f"outputs {' and '.join(self.outputs[:2])}: float32 (n, {len(self.class_names)})"
            f"{'; ood_score: float32 (n)' if len(self.outputs) > 2 else ''}\n"
            f"classes: {', '.join(self.class_names)}"
        )


@expand_paths
def export(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    format: str = "onnx",
    runtime: str | os.PathLike[str] | None = None,
) -> ExportResult:
    """Write a model as one file that other programs can run without skconv, or as a web page.

    Parameters
    ----------
    model : path-like
        A run folder or a model folder, or ``"digits"``.
    out : path-like or None, default=None
        File to write or replace; for a page, the folder to create. None uses the name of the run, in the current
        folder: ``first.onnx`` or ``first-web`` for ``runs/first``.
    format : {"onnx", "web"}, default="onnx"
        ``"onnx"`` is a graph of standard operators that includes the weights and the scaling of pixels. Its metadata
        contain the class names and the rules for images. ``"web"`` is the page of ``skconv serve`` as static files:
        it runs the model in the browser and sends no image anywhere.
    runtime : path-like or None, default=None
        Folder of the npm package onnxruntime-web, or a folder in which npm has installed it, for ``"web"``. None
        downloads the package with npm.

    Returns
    -------
    ExportResult
        The file or folder, the input and the outputs of the model.

    Raises
    ------
    ParameterError
        If the format is unknown, or `runtime` is passed with another format than "web".
    MissingPackageError, DownloadError, SourceNotFoundError
        If onnxruntime-web is needed and npm is not installed or fails, or `runtime` does not contain the package.
    ModelFileError
        If the model is incomplete or altered.
    OutputError
        If the file or folder cannot be written, the file has another suffix, or the folder is not empty.

    Warns
    -----
    UserWarning
        If the page would pass pixels to the model that clearly differ from those of its training images.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> result = export("digits", pathlib.Path(tempfile.mkdtemp()) / "digits.onnx")
    >>> result.input["shape"], result.outputs
    (['n', 1, 28, 28], ['logits', 'probabilities', 'ood_score'])
    """
    if format not in FORMATS:
        raise ParameterError(f"The 'format' parameter must be one of {', '.join(map(repr, FORMATS))}. Got {format!r}.")
    if runtime is not None and format != "web":
        raise ParameterError(f"The 'runtime' parameter is for the format 'web'. Got the format {format!r}.")
    folder = find_model_folder(model, "skconv export RUN")
    config = read_config(folder)
    check_has_onnx(folder, config)
    content = read_verified(folder / ONNX_NAME, config.files[ONNX_NAME])
    content = replace_metadata(content, describe_onnx(config, config.files[WEIGHTS_NAME].sha256))
    run = folder.parent if folder.name == MODEL_FOLDER_NAME else folder
    name = run.resolve().name
    if format == "web":
        target = Path(f"{name}-web" if out is None else out)
        n_bytes = _write_page(target, config, content, runtime)
    else:
        target = Path(f"{name}.onnx" if out is None else out)
        check_new_file(target, suffix=".onnx")
        with atomic_write(target) as path:
            path.write_bytes(content)
        n_bytes = len(content)
    images = config.input
    return ExportResult(
        model=str(folder),
        out=str(target),
        format=format,
        bytes=n_bytes,
        input={
            "name": INPUT_NAME,
            "type": "float32",
            "shape": ["n", images.channels, images.height, images.width],
            "pixel_range": list(images.pixel_range) if images.pixel_range else None,
            "normalization": images.normalization,
            **({} if images.resize is None else {"resize": images.resize}),
        },
        outputs=[*OUTPUT_NAMES, *([] if config.ood is None else [OOD_OUTPUT_NAME])],
        class_names=list(config.class_names),
    )


def _write_page(folder: Path, config: ModelConfig, content: bytes, runtime: str | os.PathLike[str] | None) -> int:
    """Write the page of a model with its ONNX file into a new folder, and return the number of bytes."""
    from skconv.web_page.static_files import read_runtime, write_page

    check_new_folder(folder)  # before the download
    if config.input.channels not in (1, 3):
        raise ParameterError(
            f"The page shows images with 1 or 3 channels; the model expects {config.input.channels}. Export it as ONNX."
        )
    if message := describe_file_range(config.input.pixel_range):
        warnings.warn(message, stacklevel=3)
    files = read_runtime(runtime)
    with atomic_dir(folder) as temporary:
        write_page(temporary, config, content, files)
        return sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
