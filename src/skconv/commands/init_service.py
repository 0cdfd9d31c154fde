"""`init_service`: write the files that deploy a model as an HTTP service."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import shutil
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.digits import needs_opencv
from skconv.files import atomic_dir, check_new_folder
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import (
    CARD_NAME,
    CONFIG_NAME,
    MODEL_FOLDER_NAME,
    check_has_onnx,
    find_model_folder,
    read_config,
)
from skconv.signature import expand_paths

TEMPLATES = Path(__file__).with_name("service_files")
REQUIREMENTS_NAME = "requirements-runtime.txt"
_OPENCV = "opencv-python-headless=="
_METADATA = {"METADATA": "PKG-INFO", "entry_points.txt": "entry_points.txt", "licenses/LICENSE": "LICENSE"}
_WHEEL = "Wheel-Version: 1.0\nGenerator: skconv\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class ServiceFiles(Result):
    """Result of `init_service`.

    Parameters
    ----------
    model, out : str
        Model folder, and the written folder.
    files : tuple of str
        Names of the written files and folders, sorted.
    """

    model: str
    out: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Wrote {self.out}: {', '.join(self.files)}.\n"
            f"Start the service: cd {shlex.quote(self.out)} && docker compose up --build --detach --wait\n"
            "Send an image: curl --insecure -F image=@photo.jpg https://localhost/v1/predict"
        )


@expand_paths
def init_service(model: str | os.PathLike[str], out: str | os.PathLike[str]) -> ServiceFiles:
    """Write a folder that deploys a model as an HTTP service, with Docker or systemd.

    The folder contains the model, skconv as a wheel, the list of the packages that the service needs, a Dockerfile, a
    compose file with a proxy for TLS, a hardened systemd unit, and a README with the commands to start the service.

    Parameters
    ----------
    model : path-like
        A run folder or a model folder, or ``"digits"``.
    out : path-like
        New folder to write.

    Returns
    -------
    ServiceFiles
        The folder and its files.

    Raises
    ------
    SourceNotFoundError, ModelFileError
        If the model does not exist, is incomplete or altered, or was saved without ONNX.
    OutputError
        If the folder exists and is not empty, or cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> result = init_service("digits", pathlib.Path(tempfile.mkdtemp()) / "service")
    >>> [name for name in result.files if not name.endswith(".whl")]  # doctest: +NORMALIZE_WHITESPACE
    ['Caddyfile', 'Dockerfile', 'README.md', 'compose.yaml', 'model', 'requirements-runtime.txt', 'skconv.service']
    """
    # Before the check of the folder, whose error advises to remove it.
    check_model(model, "skconv init-service RUN FOLDER", [out], expected="a new folder")
    check_new_folder(out)
    folder = find_model_folder(model)
    config = read_config(folder)
    check_has_onnx(folder, config)
    with atomic_dir(out) as target:
        for template in TEMPLATES.iterdir():
            shutil.copyfile(template, target / template.name)
        if not needs_opencv(config):
            _remove_opencv(target / REQUIREMENTS_NAME)
        _copy_model(folder, config, target / MODEL_FOLDER_NAME)
        _write_wheel(target)
        for path in (target, *target.rglob("*")):
            # The user of the container is neither the owner nor in the group of the files.
            path.chmod(0o755 if path.is_dir() else 0o644)
        files = tuple(sorted(path.name for path in target.iterdir()))
    return ServiceFiles(str(folder), str(out), files)


def _remove_opencv(path: Path) -> None:
    """Remove OpenCV and the comment above it from the requirements, because it has 40 % of the size of the packages."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (index,) = (number for number, line in enumerate(lines) if line.startswith(_OPENCV))
    path.write_text("".join([*lines[: index - 1], *lines[index + 1 :]]), encoding="utf-8")


def _copy_model(source: Path, config: ModelConfig, target: Path) -> None:
    """Copy the files of a model and verify the copies."""
    target.mkdir()
    for name in (CONFIG_NAME, CARD_NAME, *config.files):
        if (source / name).is_file():  # the card is optional
            shutil.copyfile(source / name, target / name)
    read_config(target)


def _write_wheel(folder: Path) -> None:
    """Write this installation of skconv as a wheel, because a package index may not have its version."""
    installed = distribution("skconv")
    name = f"skconv-{installed.version}"
    package = Path(__file__).parents[1]
    content = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    for entry, other in _METADATA.items():  # the second name is that of an installation in a checkout
        text = installed.read_text(entry) or installed.read_text(other)
        if text is not None:
            content[f"{name}.dist-info/{entry}"] = text.encode()
    content[f"{name}.dist-info/WHEEL"] = _WHEEL.encode()
    record = [f"{path},sha256={_hash(each)},{len(each)}\n" for path, each in content.items()]
    content[f"{name}.dist-info/RECORD"] = "".join([*record, f"{name}.dist-info/RECORD,,\n"]).encode()
    with ZipFile(folder / f"{name}-py3-none-any.whl", "w", ZIP_DEFLATED) as archive:
        for path, each in content.items():
            archive.writestr(
                ZipInfo(path), each, ZIP_DEFLATED
            )  # without times, so that equal content gives equal files


def _hash(content: bytes) -> str:
    """Return the sha256 in the format of RECORD."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
