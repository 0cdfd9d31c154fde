"""Run of recipe `auto`: candidates, selection of a recipe, and its record for a resumed run."""

from __future__ import annotations

import csv
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.output_folder import get_checkpoint_path
from skconv.commands.prepare import PreparedRun, check_pretrained, get_saving_seconds
from skconv.commands.run_folder import write_rows
from skconv.exceptions import MissingPackageError
from skconv.files import atomic_dir
from skconv.progress import print_progress
from skconv.recipes import Recipe, load_recipe
from skconv.recipes.editing import with_seed
from skconv.reports.training_sections import LEADERBOARD_NAME
from skconv.text import parse_duration

if TYPE_CHECKING:
    from skconv.auto.trials import Candidate
    from skconv.data.dataset import Dataset
    from skconv.data.spec import DataSpec

_RECORD_NAME = "selected"  # folder of the selected recipe, beside the checkpoints


def select_recipe(run: PreparedRun, folder: Path) -> PreparedRun:
    """Return the run with the selected recipe, its data and the remaining time; a resumed run reads its selection.

    The selection is recorded beside the checkpoints of `folder`.
    """
    from skconv.auto.planning import TimePlan
    from skconv.auto.selection import Search

    record = get_checkpoint_path(folder) / _RECORD_NAME
    written = _find_recipe(run, folder)
    if written is not None:
        return _read_selection(run, written)
    planned = run.recipe
    limit = parse_duration(planned.training["time_limit"])
    search = Search(
        TimePlan(run.start + limit, reserve=get_saving_seconds(limit)),
        seed=run.seed,
        device=run.device,
        chooses_flips="flip" not in planned.augmentation,
        progress=run.progress,
    )
    selection = search.run(_make_candidates(run))
    chosen = selection.candidate
    title = f"Recipe {chosen.recipe.name}, selected by {planned.name} for {run.loaded.name}"
    rows = tuple(trial.to_row() for trial in selection.trials)
    selected = _with_recipe(run, replace(chosen.recipe, title=title), chosen.loaded, chosen.dataset, rows)
    _write_selection(selected, record)
    return selected


def _find_recipe(run: PreparedRun, folder: Path) -> Path | None:
    """Return the file of the recipe that was selected before an interruption, or for a finished run; None if none."""
    recorded = (get_checkpoint_path(folder) / _RECORD_NAME).glob("*.toml")
    finished = [folder / "recipe.toml", folder / f"seed-{run.seed}" / "recipe.toml"]
    return next((path for path in (*recorded, *finished) if path.is_file()), None)


def _make_candidates(run: PreparedRun) -> list[Candidate]:
    """Return the candidates of the recipe, each with its images.

    Candidates whose package is missing, and recipes for longer trainings if there are many images, are left out.
    """
    from skconv.auto.trials import MAX_FEW, Candidate, trains_longer

    splits: dict[DataSpec, tuple[Dataset, Dataset]] = {run.recipe.data: (run.loaded, run.dataset)}
    candidates: list[Candidate] = []
    missing = None
    recipes = [run.create_candidate(name) for name in run.recipe.auto["candidates"]]
    for recipe in recipes:
        try:
            is_pretrained = check_pretrained(recipe)
        except MissingPackageError as error:
            missing = error
            if run.progress:
                print_progress(f"The candidate {recipe.name} is left out: {error}")
            continue
        if len(run.dataset.train_labels) > MAX_FEW and any(trains_longer(recipe, each) for each in recipes):
            warnings.warn(
                f"The candidate {recipe.name} is left out: it is for up to {MAX_FEW:,} training images.", stacklevel=4
            )
            continue
        if recipe.data not in splits:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # printed when the data was loaded for the first time
                loaded = recipe.data.load(progress=run.progress)
                splits[recipe.data] = loaded, _split(run, recipe, loaded)
        candidates.append(Candidate(recipe.name, recipe, *splits[recipe.data], is_pretrained))
    if missing is not None and not candidates:
        raise missing
    return candidates


def _with_recipe(
    run: PreparedRun, recipe: Recipe, loaded: Dataset, dataset: Dataset, rows: tuple[Mapping[str, Any], ...]
) -> PreparedRun:
    """Return the run of a selected recipe, which starts now."""
    texts = {seed: with_seed(recipe, seed, split_seed=run.seed).to_toml() for seed in run.recipe_texts}
    return replace(
        run,
        recipe=recipe,
        recipe_texts=texts,
        loaded=loaded,
        dataset=dataset,
        is_selected=True,
        trials=rows,
        start=time.monotonic(),
    )


def record_epochs(run: PreparedRun, estimator: Any, seed: int) -> PreparedRun:
    """Return the run with the number of epochs that were trained instead of the time limit of a selected recipe.

    The recipe then trains as many epochs on a machine of another speed. The number of epochs of a pretrained network is
    not part of its recipe, and the runs of several seeds share one recipe.
    """
    from skconv.networks.pretrained import PretrainedNetwork

    members = getattr(estimator, "estimators_", [estimator])
    if run.is_selected and len(run.recipe_texts) == 1 and not isinstance(members[0].net_.module_, PretrainedNetwork):
        epochs: float = estimator.n_epochs_
        if not run.recipe.ensemble and isinstance(estimator.max_epochs, int):
            epochs = round(estimator.planned_fraction_ * estimator.max_epochs, 2)
        kept = {key: value for key, value in run.recipe.training.items() if key not in ("time_limit", "min_steps")}
        recipe = replace(run.recipe, training={**kept, "max_epochs": epochs})
        text = with_seed(recipe, seed, split_seed=run.seed).to_toml()
        return replace(run, recipe_texts={**run.recipe_texts, seed: text})
    return run


def _write_selection(run: PreparedRun, record: Path) -> None:
    """Write the selected recipe and the leaderboard, for `_read_selection`."""
    with atomic_dir(record) as unfinished:
        if run.trials:
            write_rows(unfinished / LEADERBOARD_NAME, run.trials)
        (unfinished / f"{run.recipe.name}.toml").write_text(run.recipe_texts[run.seed], encoding="utf-8")


def _read_selection(run: PreparedRun, written: Path) -> PreparedRun:
    """Return the run with the recipe that was selected before an interruption."""
    recipe = load_recipe(written)
    rows: tuple[Mapping[str, Any], ...] = ()
    leaderboard = written.with_name(LEADERBOARD_NAME)
    if leaderboard.exists():
        with leaderboard.open(encoding="utf-8", newline="") as stream:
            rows = tuple(csv.DictReader(stream))
    recipe = replace(recipe, data=replace(recipe.data, data_home=run.recipe.data.data_home))
    loaded = recipe.data.load(progress=run.progress)
    return _with_recipe(run, recipe, loaded, _split(run, recipe, loaded), rows)


def _split(run: PreparedRun, recipe: Recipe, loaded: Dataset) -> Dataset:
    """Return the split data of a recipe, without groups if these are not held out together in the run."""
    dataset = recipe.data.split(loaded, run.seed)
    return dataset if run.dataset.groups is not None else replace(dataset, groups=None)
