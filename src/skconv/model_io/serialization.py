"""Strict parsing of untrusted JSON and safetensors files, and the canonical form of JSON for digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from skconv.exceptions import ModelFileError
from skconv.text import format_error

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

MAX_HEADER = 2**20  # bytes of a safetensors header; enough for some thousands of tensors
FIX = "Copy the model folder again, or train again."  # end of messages about damaged files

_KINDS = {dict: "an object", list: "a list", str: "a string", int: "an integer", float: "a float"}


def parse_json(content: bytes, where: str) -> dict[str, Any]:
    """Parse a JSON object; reject duplicate keys, NaN, infinity, and nesting beyond the recursion limit.

    Examples
    --------
    >>> parse_json(b'{"a": 1}', "config.json")
    {'a': 1}
    """
    try:
        document = json.loads(
            content.decode("utf-8"), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ModelFileError(f"{where} is nested too deeply. Copy the model folder again.") from error
    except ValueError as error:  # from decoding or parsing
        reason = str(error).splitlines()[0][:120]
        raise ModelFileError(f"{where} is not valid JSON ({reason}). Copy the model folder again.") from error
    if not isinstance(document, dict):
        raise ModelFileError(f"{where} contains {type(document).__name__}; expected a JSON object. {FIX}")
    return document


def canonical_json(value: Any) -> bytes:
    """Return `value` as JSON in ASCII, with sorted keys and without spaces, so that equal values have equal digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest_json(document: Mapping[str, Any]) -> str:
    """Return the sha256 of the canonical JSON of a document without its key ``digest``."""
    return hashlib.sha256(canonical_json({key: document[key] for key in document if key != "digest"})).hexdigest()


def copy_json(value: Any, name: str) -> Any:
    """Return a copy of `value` as read from JSON: tuples become lists, and NumPy scalars Python numbers.

    Examples
    --------
    >>> copy_json({"widths": (16, 32)}, "network.options")
    {'widths': [16, 32]}
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_to_python))
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{name} cannot be saved as JSON ({error}). Use numbers, strings, lists and dicts of them."
        ) from error


def check_format(document: Mapping[str, Any], expected: str, version: int, where: str) -> None:
    """Raise `ModelFileError` unless a document has the `expected` format of this version."""
    found = document.get("format"), document.get("format_version")
    if found != (expected, version):
        name, number = (repr(value)[:60] for value in found)
        raise ModelFileError(
            f"{where} is of format {name}, version {number}; this version of skconv reads '{expected}', version "
            f"{version}. Use the version of skconv that wrote the file, or train again."
        )


def check_keys(section: Mapping[str, Any], expected: Mapping[str, type], name: str) -> None:
    """Raise `ModelFileError` unless `section` has exactly the `expected` keys, with values of these types."""
    missing = [key for key in expected if key not in section]
    if missing:
        raise ModelFileError(f"{name} lacks {', '.join(missing)}. Copy the model folder again.")
    unknown = [key for key in section if key not in expected]
    if unknown:
        shown = ", ".join(repr(key[:40]) for key in unknown[:5])
        raise ModelFileError(f"{name} has unknown keys: {shown}. Expected only: {', '.join(expected)}.")
    for key, kind in expected.items():
        if type(section[key]) is not kind:  # isinstance would accept True as an int
            came = type(section[key]).__name__
            raise ModelFileError(f"{name}: '{key}' must be {_KINDS[kind]}, got {came}.")


def check_section(
    document: Mapping[str, Any], key: str, expected: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> dict[str, Any]:
    """Return the object at `key` after a check of its keys and types; `optional` keys may be missing."""
    section = document[key]
    if not isinstance(section, dict):
        raise ModelFileError(f"'{key}' must be an object, got {type(section).__name__}.")
    present = {name: kind for name, kind in (optional or {}).items() if name in section}
    check_keys(section, {**expected, **present}, f"'{key}'")
    return section


def parse_tensors(content: bytes, where: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, in torch; `where` names the file in errors."""
    from safetensors.torch import load

    return dict(_load_safetensors(load, content, where))


def parse_arrays(content: bytes, where: str) -> dict[str, np.ndarray]:
    """Return the tensors of a safetensors file by name, in NumPy; `where` names the file in errors."""
    from safetensors.numpy import load

    return dict(_load_safetensors(load, content, where))


def _load_safetensors(load: Any, content: bytes, where: str) -> Any:
    from safetensors import SafetensorError

    n_header = int.from_bytes(content[:8], "little")
    n_required = n_header + 8  # 8 bytes for the size of the header
    if len(content) < n_required:
        raise ModelFileError(
            f"{where} is truncated or is not a safetensors file: it has {len(content):,} bytes; its header requires at "
            f"least {n_required:,}. {FIX}"
        )
    if n_header > MAX_HEADER:
        raise ModelFileError(f"{where} has a header of {n_header:,} bytes; expected at most {MAX_HEADER:,}. {FIX}")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        raise ModelFileError(f"{where} is not a safetensors file ({format_error(error)}). {FIX}") from error


def _to_python(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    section = dict(pairs)
    if len(section) != len(pairs):
        raise ValueError("duplicate key")
    return section


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
