"""Checkpoints of the commands that train: checks of the run folder, training that can be resumed, finished runs."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from skconv.commands.output_folder import get_checkpoint_path, open_run_folder
from skconv.commands.prepare import PreparedRun, fit_estimator, use_workers
from skconv.commands.recorded_call import describe_resume
from skconv.distributed.process_group import is_main_process
from skconv.exceptions import OutputError, ParameterError, TrainingError
from skconv.files import check_new_folder
from skconv.model_io.folder import MODEL_FOLDER_NAME, read_config

R = TypeVar("R")


def check_out(out: str | os.PathLike[str] | None, *, resume: bool, dask: str | None = None) -> None:
    """Raise an error unless a run can start in the folder `out` or, with `resume`, continue there."""
    if resume and dask is not None:
        raise ParameterError("'resume' is not supported with 'dask', because workers save no checkpoints. Omit one.")
    if out is None:
        if resume:
            raise ParameterError("'resume' requires the folder of the interrupted run. Pass the same --out as before.")
        return
    checkpoint = get_checkpoint_path(Path(out))
    if resume and Path(out).is_dir():
        return
    if not resume and checkpoint.exists():
        raise OutputError(
            f"{checkpoint} contains checkpoints of an interrupted run. Pass --resume to continue it, or remove "
            "that folder."
        )
    check_new_folder(out)


@contextmanager
def open_resumable_folder(out: str | os.PathLike[str] | None, name: str, *, resume: bool) -> Iterator[Path]:
    """Yield the run folder as `open_run_folder` does; an interrupt gets it as `run_folder`, to print how to resume."""
    if resume and out is not None and not (Path(out).exists() or get_checkpoint_path(Path(out)).exists()):
        # The frame of the caller is in contextlib, whose warnings are not shown.
        warnings.warn(f"Nothing to resume in {out}: training starts from the beginning.", stacklevel=1)
    # Only the main process of a distributed run writes files.
    parent = open_run_folder(out, name) if is_main_process() else nullcontext(Path(out or "runs"))
    with parent as folder:
        try:
            yield folder
        except KeyboardInterrupt as interrupt:
            interrupt.run_folder = folder  # type: ignore[attr-defined]  # read by the command line
            raise


def fit_resumable(estimator: Any, run: PreparedRun, folder: Path, *, resume: str) -> None:
    """Fit an estimator on the data of a run, with checkpoints beside its folder, and continue from these.

    `resume` is the command that resumes the run, for the progress output.
    """
    checkpoint = get_checkpoint_path(folder)
    member = estimator.estimator if run.recipe.ensemble else estimator
    member.set_params(checkpoint=checkpoint)
    estimator.run_part = replace(estimator.run_part, resume=resume)
    try:
        fit_estimator(estimator, run.dataset)
    except TrainingError:  # the loss is not finite, so the training cannot be continued
        remove_checkpoints(folder)
        raise


def fit_folds(estimator: Any, run: PreparedRun, folder: Path, *, dask: str | None) -> None:
    """Fit one member per fold: in this process, as `fit_resumable` does, or on Dask workers, without checkpoints."""
    if dask is None:
        fit_resumable(estimator, run, folder, resume=describe_resume(run.command, folder))
        return
    with use_workers(dask):
        fit_estimator(estimator, run.dataset)


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of the run in a folder."""
    shutil.rmtree(get_checkpoint_path(folder), ignore_errors=True)


def read_finished_run(folder: Path, run: PreparedRun, seed: int, read: Callable[[Mapping[str, Any]], R]) -> R | None:
    """Return the result of a finished run and warn that it is not trained again; None if it is not finished.

    `read` returns the result for the content of ``scores.json``. Raise `OutputError` if the folder is not a run folder,
    or that of a run with another seed, recipe, data or number of folds.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    expected = {"seed": seed, "recipe": run.recipe_texts[seed], "data": run.loaded.fingerprint}
    try:
        facts = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        found = {
            "seed": facts["seed"],
            "recipe": (folder / "recipe.toml").read_text(encoding="utf-8"),
            "data": _read_fingerprint(folder, facts),
        }
        if "folds" in facts:  # of a cross-validation; the recipe of an ensemble contains their number
            expected["number of folds"] = run.recipe.ensemble.get("folds")
            found["number of folds"] = len(facts["folds"])
        result = read(facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{folder} contains no run that can be resumed ({error}). Choose another folder.") from error
    different = [name for name in expected if expected[name] != found[name]]
    if different:
        raise OutputError(
            f"{folder} contains a finished run with another {' and another '.join(different)}. Choose another folder."
        )
    warnings.warn(f"{folder} is complete: nothing to resume. Its results are returned.", stacklevel=2)
    return result


def _read_fingerprint(folder: Path, facts: Mapping[str, Any]) -> str:
    """Return the fingerprint of the data from the model of a run, or from the scores of a cross-validation."""
    model = folder / MODEL_FOLDER_NAME
    fingerprint: str = read_config(model).data.fingerprint if model.exists() else facts["data"]["fingerprint"]
    return fingerprint
