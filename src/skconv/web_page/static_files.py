"""Web page as static files, which run the model in the browser with onnxruntime-web."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from skconv.exceptions import DownloadError, MissingPackageError, SourceNotFoundError
from skconv.files import expand_home
from skconv.model_io.config import ModelConfig
from skconv.web_page import PAGE, describe_config

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# Files of the package and their names in the page. The first contains the licence; file servers that do not know the
# suffix .mjs would send it with a type that browsers do not run.
FILES = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
_MAX_BYTES = 2**27  # of a file of the package; the largest has 14 MB
_TIMEOUT = 600  # seconds of the download


def read_runtime(folder: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """Return the files of onnxruntime-web by their names in the page.

    `folder` is the package, or a folder in which npm has installed it; None downloads `VERSION` with npm, or takes it
    from npm's cache. Raise `SourceNotFoundError` if the folder lacks a file, `MissingPackageError` if npm is not
    installed, and `DownloadError` if it fails.
    """
    if folder is not None:
        return _read_package(expand_home(folder))
    npm = shutil.which("npm")
    if npm is None:
        raise MissingPackageError(
            f"npm, which downloads {PACKAGE} for the page, is not installed. Install Node.js, or copy the folder of "
            f"the package from another computer (npm install {PACKAGE}@{VERSION}) and pass it as --runtime."
        )
    with tempfile.TemporaryDirectory(prefix="skconv-") as temporary:
        return _download(npm, Path(temporary))


def write_page(folder: Path, config: ModelConfig, onnx: bytes, runtime: dict[str, bytes]) -> None:
    """Write the page of a model, its ONNX file, its description and the runtime into an empty folder."""
    shutil.copytree(PAGE, folder / "page", ignore=shutil.ignore_patterns("index.html", "examples", "service.js"))
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    html = html.replace('data-backend="service"', 'data-backend="local"')
    (folder / "index.html").write_text(html, encoding="utf-8")
    (folder / "model.onnx").write_bytes(onnx)
    (folder / "model.json").write_text(json.dumps(_describe(config), indent=2) + "\n", encoding="utf-8")
    (folder / PACKAGE).mkdir()
    for name, content in runtime.items():
        (folder / PACKAGE / name).write_bytes(content)


def _describe(config: ModelConfig) -> dict[str, object]:
    """Return the content of ``model.json``: the description of the model, and the rules for its images."""
    description = describe_config(config)
    description["input"] |= {
        "resize": config.input.resize or "stretch",
        "decoded_side": config.input.image_spec.shortest,
        "normalization": config.input.normalization,
    }
    return description


def _read_package(folder: Path) -> dict[str, bytes]:
    candidates = [folder / "dist", folder / PACKAGE / "dist", folder / "node_modules" / PACKAGE / "dist"]
    dist = next((each for each in candidates if all((each / name).is_file() for name in FILES)), None)
    if dist is None:
        raise SourceNotFoundError(
            f"The folder {folder} lacks dist/{' or dist/'.join(FILES)} of the package {PACKAGE}. Run 'npm install "
            f"{PACKAGE}@{VERSION}' in it, or omit the option."
        )
    try:
        return {name: (dist / source).read_bytes() for source, name in FILES.items()}
    except OSError as error:
        raise SourceNotFoundError(f"The package {dist.parent} cannot be read: {error.strerror}.") from error


def _download(npm: str, folder: Path) -> dict[str, bytes]:
    """Download the package into an empty folder; npm verifies its checksum."""
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--prefer-offline", "--loglevel=error"]
    fix = f"Try again, or pass a folder of the package as --runtime (npm install {PACKAGE}@{VERSION})."
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DownloadError(f"npm cannot download {PACKAGE} ({error}). {fix}") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[0].removeprefix("npm error").strip()[:200] if lines else f"exit status {done.returncode}"
        raise DownloadError(f"npm cannot download {PACKAGE} {VERSION} ({reason}). {fix}")
    try:
        with tarfile.open(archives[0], "r:gz") as archive:
            return {name: _extract(archive, f"package/dist/{source}") for source, name in FILES.items()}
    except (OSError, KeyError, tarfile.TarError) as error:
        raise DownloadError(f"The package {PACKAGE} from npm cannot be read ({error}). {fix}") from error


def _extract(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is not a file")
    content = member.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise tarfile.TarError(f"{name} is larger than {_MAX_BYTES:,} bytes")
    return content
