"""Model configuration: the content of ``config.json``, and the environment of a run."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.cpus import count_cpus
from skconv.exceptions import ModelFileError
from skconv.images.spec import PREPROCESSING, RESIZE_RULES, ImageSpec
from skconv.model_io.serialization import (
    FIX,
    check_format,
    check_keys,
    check_section,
    copy_json,
    digest_json,
    parse_json,
)

if TYPE_CHECKING:
    import numpy as np

FORMAT = "skconv-model"
FORMAT_VERSION = 1
MAX_CONFIG_BYTES = 4 * 2**20
MAX_SIDE = 2**16  # pixels; prevents an altered config from allocating terabytes

_PACKAGES = ("skconv", "torch", "skorch", "scikit-learn", "numpy", "onnx", "onnxruntime", "safetensors")
_KEYS: dict[str, type] = {
    "format": str,
    "format_version": int,
    "skconv_version": str,
    "created": str,
    "network": dict,
    "input": dict,
    "classes": list,
    "class_names": list,
    "parameters": dict,
    "data": dict,
    "scores": dict,
    "environment": dict,
    "files": dict,
    "digest": str,
}
_INPUT_KEYS: dict[str, type] = {"channels": int, "height": int, "width": int}
_OPTIONAL_INPUT_KEYS: dict[str, type] = {"pixel_range": list, "normalization": str, "resize": str}
_OOD_KEYS: dict[str, type] = {"method": str, "threshold": float, "false_alarm_rate": float, "n": int, "held_out": bool}
_DATA_KEYS: dict[str, type] = {
    "name": str, "source": str, "licence": str, "fingerprint": str, "n_train": int, "scored_on": str,
}  # fmt: skip


def describe_environment(command: str = "", n_threads: int | None = None) -> dict[str, Any]:
    """Return the hardware, the package versions and the `command` of a run as JSON values.

    `n_threads` is the number of threads of the training; by default, that of torch.

    Examples
    --------
    >>> sorted(describe_environment("skconv train mnist"))
    ['command', 'processor', 'system', 'threads', 'versions']
    """
    description: dict[str, Any] = {
        "versions": {"python": platform.python_version(), **_find_versions(_PACKAGES)},
        "threads": _count_threads() if n_threads is None else n_threads,
        "processor": _find_processor(),
        "system": platform.system(),
    }
    if gpu := _find_gpu():
        description["gpu"] = gpu
    if command:
        description["command"] = command
    return description


def _find_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of `packages` that are installed."""
    from importlib import metadata  # the import takes 20 ms, and prediction does not need it

    versions = {}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _read_version() -> str:
    return _find_versions(["skconv"]).get("skconv", "unknown")


@dataclass(frozen=True)
class NetworkConfig:
    """Registered name and options of the network."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class InputConfig:
    """Shape in pixels, pixel range and preprocessing of the network's input."""

    channels: int
    height: int
    width: int
    pixel_range: tuple[float, float] | None = None  # minimum and maximum of the training images; None if unknown
    normalization: str | None = None  # preprocessing before an image is resized: "digit" for `normalize_digit`
    resize: str | None = None  # rule for images of another aspect ratio, as in `skconv.images.spec.ImageSpec`

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width

    @property
    def image_spec(self) -> ImageSpec:
        """Format of the images, which also converts images of other formats."""
        return ImageSpec(self.height, self.width, self.channels, self.normalization, self.resize)


@dataclass(frozen=True)
class DataConfig:
    """The data that the network was trained on; name, source and licence as in `skconv.data.dataset.Dataset`."""

    name: str
    source: str
    licence: str
    fingerprint: str  # of the data set, before splitting
    n_train: int  # training images
    scored_on: str = ""  # the scored images: "the test split of mnist"


@dataclass(frozen=True)
class OodConfig:
    """Out-of-distribution score: an image with a score above `threshold` is unlike the training images."""

    method: str
    threshold: float
    false_alarm_rate: float  # fraction of images like the training images with a score above the threshold, 0..1
    n: int  # images that the threshold was set on
    held_out: bool  # whether the network was not trained on these images


@dataclass(frozen=True)
class FileRecord:
    """The sha256 (64 hexadecimal digits) and the size of a file of the model folder."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class ModelConfig:
    """Configuration of a model: everything except its weights.

    The network is rebuilt from its registered name and options. Raise `ModelFileError` for a value of another type, or
    one that JSON cannot represent.

    Examples
    --------
    >>> config = ModelConfig(
    ...     network=NetworkConfig("fast"), input=InputConfig(1, 28, 28), classes=(0, 1),
    ...     class_names=("0", "1"), parameters={}, data=DataConfig("mnist", "memory", "unknown", "", 10))
    >>> ModelConfig.from_bytes(config.to_bytes()) == config
    True
    """

    network: NetworkConfig
    input: InputConfig
    classes: tuple[int | float | str | bool, ...]  # labels, in the order of the outputs of the network
    class_names: tuple[str, ...]  # in the same order
    parameters: dict[str, Any]  # of the estimator
    data: DataConfig
    # Fractions: test_accuracy, optionally test_low and test_high (95 % interval) and test_n (number of images).
    scores: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=describe_environment)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    skconv_version: str = field(default_factory=_read_version)
    files: dict[str, FileRecord] = field(default_factory=dict)  # set when the folder is written
    ood: OodConfig | None = None  # None without an out-of-distribution score

    def __post_init__(self) -> None:
        options = copy_json(self.network.options, "network.options")
        object.__setattr__(self, "network", NetworkConfig(self.network.name, options))
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        for name in ("parameters", "scores", "environment"):
            object.__setattr__(self, name, copy_json(getattr(self, name), name))
        object.__setattr__(self, "input", _check_input(self.input))
        _check_classes(self.classes, self.class_names)
        _check_scores(self.scores)
        if self.ood is not None and not _is_finite(self.ood.threshold):
            raise ModelFileError(f"ood.threshold must be a finite number, got {_shorten(self.ood.threshold)}.")

    @property
    def label_array(self) -> np.ndarray:
        """The classes as an array of shape (k,), as ``classes_`` of an estimator."""
        import numpy as np

        return np.asarray(self.classes)

    def to_bytes(self) -> bytes:
        """Return the content of ``config.json``: indented JSON; its last key is the digest of the others."""
        document: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
        values = asdict(self)
        values["input"] = {name: value for name, value in values["input"].items() if value is not None}
        document.update({key: values[key] for key in _KEYS if key in values})
        if self.ood is not None:
            document["ood"] = values["ood"]
        document = copy_json(document, "config")
        document["digest"] = digest_json(document)
        return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes, where: str = "config.json") -> ModelConfig:
        """Parse the output of `to_bytes`; raise `ModelFileError`, with the file name `where`, if it was altered."""
        if len(content) > MAX_CONFIG_BYTES:
            raise ModelFileError(f"{where} has {len(content):,} bytes; expected at most {MAX_CONFIG_BYTES:,}. {FIX}")
        document = parse_json(content, where)
        check_format(document, FORMAT, FORMAT_VERSION, where)
        check_keys(document, {**_KEYS, "ood": dict} if "ood" in document else _KEYS, where)
        if document["digest"] != digest_json(document):
            raise ModelFileError(
                f"{where} was altered after the model was saved: its digest does not match. "
                "Copy the model folder again, or train again."
            )
        try:
            return cls(
                network=NetworkConfig(**check_section(document, "network", {"name": str, "options": dict})),
                input=InputConfig(**check_section(document, "input", _INPUT_KEYS, _OPTIONAL_INPUT_KEYS)),
                data=DataConfig(**check_section(document, "data", _DATA_KEYS)),
                files=_read_records(document["files"]),
                ood=OodConfig(**check_section(document, "ood", _OOD_KEYS)) if "ood" in document else None,
                **{key: document[key] for key in ("classes", "class_names", "parameters", "scores", "environment")},
                created=document["created"],
                skconv_version=document["skconv_version"],
            )
        except ModelFileError as error:
            raise ModelFileError(f"{where}: {error}") from error


def _count_threads() -> int:
    torch = sys.modules.get("torch")  # not imported here, because that takes seconds
    if torch is not None:
        return int(torch.get_num_threads())
    return count_cpus()


def _find_gpu() -> str:
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_initialized() else ""


def _find_processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _read_records(files: Mapping[str, Any]) -> dict[str, FileRecord]:
    records = {}
    for name in files:
        record = FileRecord(**check_section(files, name, {"sha256": str, "bytes": int}))
        if record.bytes < 0:
            raise ModelFileError(f"The recorded size of '{name}' is {record.bytes} bytes; expected at least 0. {FIX}")
        records[name] = record
    return records


def _check_input(images: InputConfig) -> InputConfig:
    """Check an input section, and return it with the pixel range as two floats."""
    for side in ("channels", "height", "width"):
        value = getattr(images, side)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SIDE:
            raise ModelFileError(f"input.{side} must be an integer from 1 to {MAX_SIDE}, got {_shorten(value)}.")
    name = images.normalization
    if name is not None and not (isinstance(name, str) and name in PREPROCESSING):
        known = ", ".join(map(repr, PREPROCESSING.names()))
        raise ModelFileError(
            f"input.normalization is {_shorten(name)}; expected {known}. "
            "Load the model with the version of skconv that saved it."
        )
    if images.resize is not None and images.resize not in RESIZE_RULES:
        raise ModelFileError(
            f"input.resize is {_shorten(images.resize)}; expected {', '.join(map(repr, RESIZE_RULES))}. Install the "
            "version of skconv that wrote the file."
        )
    if images.pixel_range is None:
        return images
    ends = tuple(images.pixel_range)
    if len(ends) != 2 or not all(map(_is_finite, ends)) or ends[0] > ends[1]:
        raise ModelFileError(f"input.pixel_range must be the minimum and maximum pixel value, got {_shorten(ends)}.")
    return replace(images, pixel_range=(float(ends[0]), float(ends[1])))


def _is_finite(value: Any) -> bool:
    """Return whether `value` is a number within the range of a float; NaN fails the comparison."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _check_classes(classes: tuple[Any, ...], class_names: tuple[Any, ...]) -> None:
    kinds = {type(label) for label in classes}
    if len(kinds) != 1 or not kinds <= {int, float, str, bool}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds)) or "none"
        raise ModelFileError(
            f"classes must be labels of one type, int, float, str or bool; got {names}. Pass classes_.tolist()."
        )
    if kinds == {int} and not all(-(2**63) <= label < 2**63 for label in classes):
        raise ModelFileError("classes must be integers of at most 64 bits.")
    if len(set(classes)) != len(classes):
        raise ModelFileError("classes must be unique; got a label twice.")
    if len(class_names) != len(classes) or not all(isinstance(name, str) for name in class_names):
        raise ModelFileError(f"class_names must be {len(classes)} strings; got {len(class_names)} values.")


def _check_scores(scores: Mapping[str, Any]) -> None:
    for name, value in scores.items():
        if not _is_finite(value):
            raise ModelFileError(f"scores.{name} must be a finite number, got {_shorten(value)}.")
