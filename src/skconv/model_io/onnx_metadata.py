"""Metadata of an ONNX file, with which other programs can preprocess images and name the classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from skconv.exceptions import ModelFileError
from skconv.model_io.config import MAX_CONFIG_BYTES, ModelConfig
from skconv.model_io.serialization import FIX

PREFIX = "skconv."  # of the keys; files of other programs may have keys of their own
_METADATA_FIELD = 14  # number of ModelProto.metadata_props, a list of pairs of strings
_LENGTH_DELIMITED = 2  # wire type of strings and messages in protobuf
_FIXED_SIZES = {1: 8, 5: 4}  # bytes, by wire type


def describe_onnx(config: ModelConfig, weights_sha256: str) -> dict[str, str]:
    """Return the metadata of the ONNX file of a model: JSON values in ASCII, by key.

    `weights_sha256` is the sha256 of ``model.safetensors``. The same model has the same metadata on every machine.

    Examples
    --------
    >>> from skconv.model_io.config import DataConfig, InputConfig, NetworkConfig
    >>> config = ModelConfig(
    ...     network=NetworkConfig("fast"), input=InputConfig(3, 48, 48, (0.0, 255.0), None, "pad"), classes=("a", "b"),
    ...     class_names=("a", "b"), parameters={}, data=DataConfig("letters", "memory", "unknown", "", 10))
    >>> metadata = describe_onnx(config, "0" * 64)
    >>> metadata["skconv.class_names"], metadata["skconv.resize"], metadata["skconv.decoded_side"]
    ('["a", "b"]', '"pad"', '192')
    """
    images = config.input
    values: dict[str, Any] = {
        "version": config.skconv_version,
        "classes": list(config.classes),
        "class_names": list(config.class_names),
        "channel_order": "RGB" if images.channels == 3 else "grey" if images.channels == 1 else None,
        "height": images.height,
        "width": images.width,
        "pixel_range": None if images.pixel_range is None else list(images.pixel_range),
        "resize": images.resize or "stretch",
        "resize_filter": "bicubic",
        # A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if its shorter side remains at least this long.
        "decoded_side": images.image_spec.shortest,
        "normalization": images.normalization,
        "weights_sha256": weights_sha256,
    }
    if config.ood is not None:  # images whose score is above the threshold are unlike the training images
        values["ood"] = asdict(config.ood)
    return {PREFIX + key: json.dumps(value, allow_nan=False) for key, value in values.items()}


def replace_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return an ONNX file with `metadata` in place of its own metadata; the graph is not parsed.

    Protobuf is edited here, because the package onnx is not needed to run a model.
    """
    kept = [content[start:end] for number, start, end in find_fields(content) if number != _METADATA_FIELD]
    pairs = (_encode(1, key.encode()) + _encode(2, value.encode()) for key, value in metadata.items())
    return b"".join([*kept, *(_encode(_METADATA_FIELD, pair) for pair in pairs)])


def check_metadata(found: Mapping[str, str], config: ModelConfig, where: str) -> None:
    """Raise `ModelFileError` if the metadata of an ONNX file contradicts the configuration of its model.

    `found` may lack keys, because files of other versions have other keys.
    """
    if sum(map(len, found.values())) > MAX_CONFIG_BYTES:
        raise ModelFileError(f"{where} has more than {MAX_CONFIG_BYTES:,} characters of metadata. {FIX}")
    for key, value in describe_onnx(config, "").items():
        if key in found and found[key] != value and not key.endswith("_sha256"):
            raise ModelFileError(
                f"{where} has the metadata {key} = {found[key]:.80}; expected {value:.80} as in config.json. {FIX}"
            )


def contains_outside_metadata(content: bytes, words: bytes) -> bool:
    """Return whether `words` occur in an ONNX file other than in its metadata."""
    return any(
        content.find(words, start, end) >= 0 for number, start, end in find_fields(content) if number != _METADATA_FIELD
    )


def find_fields(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field of a protobuf message; number 0 for an invalid remainder."""
    position = 0
    while position < len(content):
        start = position
        tag, position = _read_varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, position = _read_varint(content, position)
        elif wire_type == _LENGTH_DELIMITED:
            length, position = _read_varint(content, position)
            position += length
        else:
            position += _FIXED_SIZES.get(wire_type, len(content))
        if number == 0 or position > len(content):
            number, position = 0, len(content)
        yield number, start, position


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    """Return an integer in the variable-length encoding of protobuf, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            break
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return 0, len(content) + 1  # truncated or too long


def _encode(number: int, value: bytes) -> bytes:
    """Return a length-delimited field of protobuf."""
    encoded = bytearray([number << 3 | _LENGTH_DELIMITED])
    length = len(value)
    while length >= 0x80:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + value
