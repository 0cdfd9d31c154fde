"""`train`: a recipe and data in, a run folder with a scored model out."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ParameterError
from skconv.files import check_new_folder, reserve_folder
from skconv.workflows.results import SeedResult, TrainResult

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier


def train(
    source: str | os.PathLike[str] | None = None,
    *,
    recipe: str | os.PathLike[str] = "standard",
    network: str | None = None,
    out: str | os.PathLike[str] | None = None,
    seeds: int = 1,
    seed: int = 0,
    device: str = "auto",
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
    command: str | None = None,
) -> TrainResult:
    """Train a classifier, score it once on the test split and write a run folder.

    The test split plays no part in training: what the recipe selects by is a validation split of the training
    pictures. Data without a test split gives up a stratified 15 %.

    Parameters
    ----------
    source : str, path-like or None, default=None
        What `skconv.load_dataset` takes; None takes the recipe's own data.
    recipe : str or path-like, default="standard"
        A built-in recipe or a TOML file.
    network : str or None, default=None
        Another network than the recipe's.
    out : path-like or None, default=None
        The folder to make. None takes ``runs/DATA-RECIPE``, with ``-2``, ``-3`` … where that exists.
    seeds : int, default=1
        Number of runs, 1..1000, with the seeds `seed`, `seed` + 1, …; their folders are ``out/seed-0`` ….
    seed : int, default=0
        First seed, 0..2**31 - 1. It also decides which pictures are held out, the same in all runs.
    device : {"auto", "cpu", "cuda", "mps"}, default="auto"
        Where to train.
    data_home, images, label_column, image_size
        As in `skconv.load_dataset`.
    progress : bool, default=False
        Show the progress on standard error.
    command : str or None, default=None
        The command to keep with the model; None describes this call.

    Returns
    -------
    TrainResult
        Scores, times and folders, one record per seed.

    Raises
    ------
    UnknownNameError, RecipeError, ParameterError
        A name or a setting that does not exist or is out of range.
    SourceNotFoundError, DownloadError, DataError
        Data that cannot be found, fetched or used.
    OutputError
        The folder exists and is not empty, or cannot be written. Found before training where possible.

    Examples
    --------
    >>> result = train("digits", recipe="fast", out="runs/digits")  # doctest: +SKIP
    >>> print(result.test_accuracy, result.model)  # doctest: +SKIP
    """
    from skconv.data.sources import load_dataset
    from skconv.recipes import load_recipe
    from skconv.workflows.run_folder import replace_network
    from skconv.workflows.splits import hold_out_test

    command = command or _describe_call(locals())
    _check_seeds(seed, seeds)
    plan = load_recipe(recipe)
    source = source if source is not None else plan.source
    if source is None:
        raise ParameterError(f"No data given, and recipe {plan.name} names none. Name a data set, a file or a folder.")
    if out is not None:
        check_new_folder(out)
    recipe_text = plan.text if network is None else replace_network(plan.text, network)
    create = partial(plan.create_estimator, network=network, device=device, verbose=int(progress))
    create(random_state=seed)  # a wrong setting is told at once, not after a download
    loaded = load_dataset(
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    dataset = hold_out_test(loaded, seed=seed)
    with _open_folder(out, f"{loaded.name}-{plan.name}") as folder:
        results = [
            _run(
                create(random_state=each),
                dataset,
                folder if seeds == 1 else folder / f"seed-{each}",
                fingerprint=loaded.fingerprint,
                seed=each,
                recipe_text=recipe_text,
                command=command,
            )
            for each in range(seed, seed + seeds)
        ]
    return TrainResult(dataset.name, plan.name, str(folder), tuple(results))


def _check_seeds(seed: int, seeds: int) -> None:
    for name, value, low, high in (("seeds", seeds, 1, 1000), ("seed", seed, 0, 2**31 - 1)):
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ParameterError(
                f"The '{name}' parameter of train must be a whole number from {low} to {high}. Got {value!r}."
            )


def _run(
    estimator: CNNClassifier,
    dataset: Dataset,
    folder: Path,
    *,
    fingerprint: str,
    seed: int,
    recipe_text: str,
    command: str,
) -> SeedResult:
    from skconv.evaluation.scores import score_predictions
    from skconv.workflows.run_folder import write_run_folder

    assert dataset.test_images is not None and dataset.test_labels is not None  # hold_out_test saw to it
    estimator.fit(dataset.train_images, dataset.train_labels)
    probabilities = estimator.predict_proba(dataset.test_images)
    scores = score_predictions(dataset.test_labels, probabilities, dataset.class_names)
    write_run_folder(
        folder,
        estimator=estimator,
        dataset=dataset,
        fingerprint=fingerprint,
        seed=seed,
        scores=scores,
        probabilities=probabilities,
        recipe_text=recipe_text,
        command=command,
    )
    return SeedResult(
        seed=seed,
        test_accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        fit_seconds=estimator.fit_seconds_,
        n_epochs=estimator.n_epochs_,
        n_parameters=estimator.n_parameters_,
        precision=estimator.precision_,
        model=str(folder / "model"),
    )


def _open_folder(out: str | os.PathLike[str] | None, name: str) -> AbstractContextManager[Path]:
    if out is not None:
        return nullcontext(Path(out))
    # Reserved before training: two runs at a time must not end at one name.
    return reserve_folder(Path("runs"), re.sub(r"[^\w.-]+", "-", name).strip("-."))


def _describe_call(arguments: Mapping[str, Any]) -> str:
    """Write the call of `train` with these arguments, without those that are as by default."""
    told = []
    for name, parameter in inspect.signature(train).parameters.items():
        value = arguments[name]
        if value != parameter.default:
            text = repr(os.fspath(value) if isinstance(value, os.PathLike) else value)
            told.append(text if name == "source" else f"{name}={text}")
    return f"skconv.train({', '.join(told)})"
