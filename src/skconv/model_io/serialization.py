"""JSON from a file that anyone may have written: no duplicate keys, no NaN, exact keys and types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from skconv.exceptions import ModelFileError

if TYPE_CHECKING:
    from torch import Tensor

MAX_HEADER = 2**20  # bytes; the names of some thousands of tensors
_KINDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a fraction"}


def parse_json(content: bytes, where: str) -> dict[str, Any]:
    """Parse one JSON object.

    Raises
    ------
    ModelFileError
        Not UTF-8, not JSON, not an object, a key given twice, NaN or infinity, or nested too deep.

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
        raise ModelFileError(f"{where} is nested too deep. Copy the model folder again.") from error
    except ValueError as error:  # of decoding and parsing alike
        reason = str(error).splitlines()[0][:120]
        raise ModelFileError(f"{where} is not valid JSON ({reason}). Copy the model folder again.") from error
    if not isinstance(document, dict):
        raise ModelFileError(f"{where} holds {type(document).__name__}; expected a JSON object.")
    return document


def canonical_json(value: Any) -> bytes:
    """Return the one spelling of `value` that digests are taken of: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def copy_json(value: Any, name: str) -> Any:
    """Return `value` as JSON will give it back: tuples as lists, nothing shared with the caller.

    NumPy's numbers, as searches over hyper-parameters draw them, become Python's.

    Raises
    ------
    ModelFileError
        A value that JSON cannot hold: an object, an array, NaN.

    Examples
    --------
    >>> copy_json({"widths": (16, 32)}, "network.options")
    {'widths': [16, 32]}
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_as_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{name} cannot be saved as JSON ({error}). Use numbers, texts, lists and dicts of them."
        ) from error


def check_keys(section: Mapping[str, Any], expected: Mapping[str, type], name: str) -> None:
    """Raise `ModelFileError` unless `section` has exactly the `expected` keys, each of its type."""
    missing = [key for key in expected if key not in section]
    if missing:
        raise ModelFileError(f"{name} lacks {', '.join(missing)}. Copy the model folder again.")
    unknown = [key for key in section if key not in expected]
    if unknown:
        shown = ", ".join(repr(key[:40]) for key in unknown[:5])
        raise ModelFileError(f"{name} has unknown keys: {shown}. Expected only: {', '.join(expected)}.")
    for key, kind in expected.items():
        if type(section[key]) is not kind:  # True is an int to isinstance
            came = type(section[key]).__name__
            raise ModelFileError(f"{name}: '{key}' must be {_KINDS[kind]}, got {came}.")


def check_section(
    document: Mapping[str, Any], key: str, expected: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> dict[str, Any]:
    """Return the object at `key` after checking its keys and types; `optional` keys may be missing."""
    section = document[key]
    if not isinstance(section, dict):
        raise ModelFileError(f"'{key}' must be an object, got {type(section).__name__}.")
    present = {name: kind for name, kind in (optional or {}).items() if name in section}
    check_keys(section, {**expected, **present}, f"'{key}'")
    return section


def read_tensors(content: bytes, where: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by their names.

    Parameters
    ----------
    content : bytes
        The file's content.
    where : str
        How errors name the file.

    Raises
    ------
    ModelFileError
        No safetensors file, or a header above 1 MiB.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    n_header = int.from_bytes(content[:8], "little")
    if len(content) < 8 or n_header > min(MAX_HEADER, len(content) - 8):
        raise ModelFileError(
            f"{where} is not a safetensors file (a header of {n_header:,} bytes in {len(content):,}, at most "
            f"{MAX_HEADER:,} are read). Copy the folder again, or train again."
        )
    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(
            f"{where} is not a safetensors file ({reason}). Copy the folder again, or train again."
        ) from error


def _as_plain(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    section = dict(pairs)
    if len(section) != len(pairs):
        raise ValueError("a key is given twice")
    return section


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
