"""API keys: reading from a file or the environment, verification in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import os
import re
import stat
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skconv.exceptions import ParameterError, SourceNotFoundError

VARIABLE = "SKCONV_API_KEYS"
# Both challenges: programs send the key as a bearer token, and browsers ask for a user name and a password.
CHALLENGES = (b'Bearer realm="skconv"', b'Basic realm="skconv", charset="UTF-8"')
HOW_TO_SEND = "Send a valid key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")  # the characters of a bearer token
_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")
_MAX_BYTES = 2**20  # of the file


@dataclass(frozen=True)
class ApiKey:
    """Name and sha256 of an API key, and its maximum rate in images per minute, or None."""

    name: str
    digest: bytes = field(repr=False)
    max_rate: float | None = None


def load_keys(path: str | os.PathLike[str] | None = None, max_rate: float | None = None) -> tuple[ApiKey, ...]:
    """Return the keys of a file and of the environment variable SKCONV_API_KEYS.

    The file has one key per line; the variable separates keys by commas or line breaks. Each has a name, the key or
    its sha256 as ``sha256:HEX``, and optionally its maximum rate in images per minute, separated by spaces. Other keys
    have the rate `max_rate`. Empty lines and lines that begin with ``#`` are ignored.

    Raises
    ------
    SourceNotFoundError
        If the file cannot be read.
    ParameterError
        If the file or the variable has no key, or a line is invalid. Or if there are no keys, but `max_rate`.

    Warns
    -----
    UserWarning
        If other users can read a file with keys that are not hashed.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "keys.txt"
    >>> _ = file.write_text("lab sha256:" + 64 * "0" + " 600")
    >>> load_keys(file)
    (ApiKey(name='lab', max_rate=600.0),)
    """
    keys = [] if path is None else _read_file(Path(path))
    content = os.environ.get(VARIABLE)
    if content is not None:
        keys += _parse(content.replace(",", "\n").splitlines(), f"The environment variable {VARIABLE}", "entry")
    names = [key.name for key in keys]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"The API key '{name}' is defined {names.count(name)} times. Rename it.")
    if max_rate is not None and not keys:
        raise ParameterError("The maximum rate is that of an API key, but there are no keys. Pass --keys FILE as well.")
    return tuple(key if key.max_rate else ApiKey(key.name, key.digest, max_rate) for key in keys)


def _read_file(path: Path) -> list[ApiKey]:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SourceNotFoundError(f"The API keys cannot be read from {path}: {error.strerror}.") from None
    if len(content) > _MAX_BYTES or b"\0" in content:
        raise ParameterError(f"{path} is not a text file of API keys. Expected one key per line: NAME KEY.")
    lines = content.decode("utf-8-sig", "replace").splitlines()
    keys = _parse(lines, str(path), "line")
    is_plain = any(not line.startswith("#") and "sha256:" not in line for line in map(str.strip, lines) if line)
    if is_plain and os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(
            f"{path} contains keys that are not hashed, and other users can read it. Run chmod 600 {path}, or replace "
            "each key by its hash.",
            stacklevel=4,
        )
    return keys


def _parse(lines: Sequence[str], where: str, unit: str) -> list[ApiKey]:
    """Return the keys of lines or entries; error messages contain their number, but never a key."""
    keys = []
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        problem = _find_problem(fields)
        if problem:
            raise ParameterError(
                f"{where}, {unit} {number}: {problem}. Expected NAME KEY or NAME sha256:HEX, and optionally the "
                "maximum number of images per minute."
            )
        digest = _DIGEST.fullmatch(fields[1])
        hashed = bytes.fromhex(digest[1]) if digest else hashlib.sha256(fields[1].encode()).digest()
        keys.append(ApiKey(fields[0], hashed, float(fields[2]) if len(fields) == 3 else None))
    if not keys:
        remedy = "Unset it to serve without keys" if unit == "entry" else "Omit --keys to serve without keys"
        raise ParameterError(f"{where} has no API key; expected NAME KEY. {remedy}.")
    return keys


def _find_problem(fields: Sequence[str]) -> str:
    """Return what is wrong with a line, or ""."""
    if not 2 <= len(fields) <= 3:
        return f"it has {len(fields)} fields"
    if not _NAME.fullmatch(fields[0]):
        return "the name has other characters than letters, digits, dots, hyphens and underscores, or more than 64"
    if ":" in fields[1] and not _DIGEST.fullmatch(fields[1]):
        return "the hash does not consist of sha256: and 64 hexadecimal digits"
    if ":" not in fields[1] and not _KEY.fullmatch(fields[1]):
        return "the key has fewer than 16 characters, more than 512, or others than letters, digits and - . _ ~ + / ="
    if len(fields) == 3:
        try:
            rate = float(fields[2])
        except ValueError:
            rate = math.nan
        if not 1 <= rate < 2**40:
            return "the maximum rate is not a number of at least 1"
    return ""


def requires_key(path: str) -> bool:
    """Return whether requests to a path need an API key, if there are keys."""
    return path.startswith("/v1/") or path == "/metrics"


def find_key(keys: Iterable[ApiKey], value: bytes) -> ApiKey | None:
    """Return the key that a client sent, or None if it is not valid.

    The hash of `value` is compared with those of all keys, each in constant time, so that the time depends neither on
    the position of the key nor on the number of equal characters.
    """
    digest = hashlib.sha256(value).digest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def extract_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the key in the headers of a request, or None.

    The key is the value of X-API-Key or, without that header, a bearer token or the password of basic authentication
    with any user name.
    """
    found = None
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization":
            scheme, _, credentials = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                found = credentials.strip()
            elif scheme.lower() == b"basic":
                found = _extract_password(credentials.strip())
    return found


def _extract_password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
