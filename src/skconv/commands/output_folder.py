"""Folder of a run: choice of its name, lock, checkpoints."""

from __future__ import annotations

import functools
import os
import re
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from skconv.distributed.process_group import ignoring_sigterm, is_main_process
from skconv.exceptions import OutputError
from skconv.files import lock_folder, reserve_folder

P = ParamSpec("P")
R = TypeVar("R")

_N_TRIED, _PAUSE = 10, 0.1  # attempts to acquire a lock, and seconds between them


def open_run_folder(out: str | os.PathLike[str] | None, name: str) -> AbstractContextManager[Path]:
    """Return a context manager with the run folder: `out`, or a new folder ``runs/NAME``, reserved while it is open."""
    if out is not None:
        return nullcontext(Path(out))
    return reserve_folder(Path("runs"), clean_name(name), is_taken=_has_checkpoint)


def get_checkpoint_path(folder: Path) -> Path:
    """Return the folder of a run's checkpoints: ``runs/first.checkpoint`` for the run folder ``runs/first``."""
    return folder.with_name(f"{folder.name}.checkpoint")


def _has_checkpoint(folder: Path) -> bool:
    """Return whether an interrupted run can be resumed in the folder; warn if so."""
    checkpoint = get_checkpoint_path(folder)
    if checkpoint.exists():
        warnings.warn(
            f"{checkpoint} has the checkpoints of an interrupted run. To resume the run, pass --out {folder} --resume; "
            "to discard it, remove the checkpoints.",
            stacklevel=2,
        )
    return checkpoint.exists()


def lock_output(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command so that its folder `out` is locked from its start to its end."""

    @functools.wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        out: Any = kwargs.get("out")
        if out is None:
            return command(*args, **kwargs)
        if is_main_process():
            with lock_folder(out):
                return command(*args, **kwargs)
        try:
            return command(*args, **kwargs)
        except (Exception, KeyboardInterrupt):
            _remove_lock(out)
            raise

    return call


def _remove_lock(out: str | os.PathLike[str]) -> None:
    """Remove the lock of a main process that was killed; a running one holds its lock."""
    with ignoring_sigterm():
        for _ in range(_N_TRIED):  # the system releases the lock of a killed process after its connections
            with suppress(OutputError), lock_folder(out):
                return
            time.sleep(_PAUSE)


def clean_name(name: str) -> str:
    """Replace characters that are unusual in file names by '-'."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")
