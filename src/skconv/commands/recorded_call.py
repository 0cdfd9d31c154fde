"""Command line or Python call to record with a run, and the command that resumes it."""

from __future__ import annotations

import inspect
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def describe_call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return the Python call of a command, without default arguments."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if arguments[name] != parameter.default:
            given[name] = arguments[name]
    parts = []
    for name, value in given.items():
        # A class or function has a name, by which the call can be repeated.
        text = getattr(value, "__name__", None) or repr(os.fspath(value) if isinstance(value, os.PathLike) else value)
        parts.append(text if name == "source" else f"{name}={text}")
    return f"skconv.{function.__name__}({', '.join(parts)})"


def describe_resume(command: str, folder: Path) -> str:
    """Return the command line or Python call that resumes the run of `command` in `folder`.

    Examples
    --------
    >>> describe_resume("skconv train mnist", Path("runs/mnist-standard"))
    'skconv train mnist --out runs/mnist-standard --resume'
    >>> describe_resume("skconv.train('mnist')", Path("runs/mnist-standard"))
    "skconv.train('mnist', out='runs/mnist-standard', resume=True)"
    """
    if re.match(r"skconv\.\w+\(", command):
        given = command.removesuffix(")")
        given += "" if given.endswith("(") else ", "
        given += "" if "out=" in given else f"out={os.fspath(folder)!r}, "
        return f"{given}resume=True)" if "resume=" not in given else command
    words = shlex.split(command)
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        command += f" --out {shlex.quote(os.fspath(folder))}"
    return command if "--resume" in words else f"{command} --resume"
