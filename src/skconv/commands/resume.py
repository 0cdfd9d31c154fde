"""Take up a run that was stopped: its checkpoints lie beside the folder it will write, and go when that is there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from skconv.commands.results import SeedResult
from skconv.exceptions import OutputError, ParameterError
from skconv.files import check_new_folder
from skconv.model_io.folder import MODEL_FOLDER_NAME, read_config


def checkpoint_of(folder: Path) -> Path:
    """Return where the checkpoints of a run lie until its folder is written: ``runs/first.checkpoint``."""
    return folder.with_name(f"{folder.name}.checkpoint")


def check_out(out: str | os.PathLike[str] | None, *, resume: bool) -> None:
    """Raise unless a run may be begun in `out`, or, with `resume`, be taken up there.

    Raises
    ------
    ParameterError
        `resume` without `out`.
    OutputError
        The folder holds something, or a training was stopped there, and `resume` was not asked for.
    """
    if out is None:
        if resume:
            raise ParameterError("resume needs the folder of the run that was stopped. Pass its --out DIR.")
        return
    stopped = checkpoint_of(Path(out))
    if resume and Path(out).is_dir():
        return
    if not resume and stopped.exists():
        raise OutputError(
            f"{stopped} holds a training that was stopped. Pass --resume to go on with it, or remove that folder."
        )
    check_new_folder(out)


def read_finished(folder: Path, *, seed: int, recipe_text: str, fingerprint: str) -> SeedResult | None:
    """Return what a run that is done came to; None where it is not.

    Parameters
    ----------
    folder : pathlib.Path
        The run folder, which is only ever there as a whole.
    seed, recipe_text, fingerprint
        What it must have been trained with.

    Raises
    ------
    OutputError
        The folder holds another run, or something else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    try:
        facts = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        recipe = (folder / "recipe.toml").read_text(encoding="utf-8")
        config = read_config(folder / MODEL_FOLDER_NAME)
        test = facts["test"]
        found = {"seed": facts["seed"], "recipe": recipe, "data": config.data.fingerprint}
        result = SeedResult(
            seed=seed,
            test_accuracy=test["accuracy"],
            low=test["low"],
            high=test["high"],
            n=test["n"],
            fit_seconds=facts["fit_seconds"],
            n_epochs=facts["n_epochs"],
            n_parameters=facts["n_parameters"],
            precision=facts["precision"],
            model=str(folder / MODEL_FOLDER_NAME),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{folder} holds no run that can be taken up ({error}). Choose another folder.") from error
    asked = {"seed": seed, "recipe": recipe_text, "data": fingerprint}
    other = [name for name in asked if asked[name] != found[name]]
    if other:
        raise OutputError(
            f"{folder} holds a finished run with another {' and another '.join(other)}. Choose another folder."
        )
    return result


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoints of a run whose folder is written."""
    shutil.rmtree(checkpoint_of(folder), ignore_errors=True)
