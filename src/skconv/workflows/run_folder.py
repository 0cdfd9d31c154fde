"""Write the folder of a training run: the model, its scores, the history and figures."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import RecipeError
from skconv.files import write_folder

if TYPE_CHECKING:
    import numpy as np

    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier
    from skconv.evaluation.scores import Scores


def write_run_folder(
    folder: Path,
    *,
    estimator: CNNClassifier,
    dataset: Dataset,
    fingerprint: str,
    seed: int,
    scores: Scores,
    probabilities: np.ndarray,
    recipe_text: str,
    command: str,
) -> None:
    """Write everything a training run leaves, as a whole or not at all.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to make: ``model/``, ``scores.json``, ``history.csv``, ``recipe.toml`` and four figures.
    estimator : CNNClassifier
        The fitted estimator.
    dataset : Dataset
        What it was fitted on, with the test split.
    fingerprint : str
        That of the data as it was loaded, before a test split was held out: by it `evaluate` knows the data again.
    seed : int
        The seed of the run.
    scores : Scores
        Scores of the test split.
    probabilities : ndarray of float, shape (n_test, n_classes)
        Predictions for the test split.
    recipe_text : str
        The recipe as TOML.
    command : str
        The command or call that made the run.

    Raises
    ------
    OutputError
        The folder cannot be written; nothing of it is left.
    """
    from skconv.artifacts.config import DataConfig

    facts = {
        "test": scores.to_json(),
        "data": {"name": dataset.name, "source": dataset.source, "n_train": len(dataset.train_labels)},
        "fit_seconds": estimator.fit_seconds_,
        "n_epochs": estimator.n_epochs_,
        "n_parameters": estimator.n_parameters_,
        "precision": estimator.precision_,
        "seed": seed,
        "command": command,
    }
    with write_folder(folder) as unfinished:
        estimator.save(
            unfinished / "model",
            class_names=dataset.class_names,
            data=DataConfig(
                name=dataset.name,
                source=dataset.source,
                licence=dataset.licence,
                fingerprint=fingerprint,
                n_train=len(dataset.train_labels),
            ),
            scores={"test_accuracy": scores.accuracy},
            command=command,
        )
        (unfinished / "scores.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (unfinished / "recipe.toml").write_text(recipe_text, encoding="utf-8")
        _write_history(unfinished / "history.csv", estimator.history_)
        _draw_figures(unfinished, estimator.history_, dataset, scores, probabilities)


def replace_network(recipe_text: str, network: str) -> str:
    r"""Return a recipe whose section [network] names `network`, with its default options.

    Raises
    ------
    RecipeError
        The recipe names its network in another form of TOML than such a section.

    Examples
    --------
    >>> print(replace_network('[network]\nname = "fast"\ncrop = 2\n\n[training]\nmax_epochs = 1', "standard"))
    [network]
    name = "standard"
    <BLANKLINE>
    [training]
    max_epochs = 1
    """
    section = f'[network]\nname = "{network}"\n'
    pattern = re.compile(r"^\[network\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
    replaced, found = pattern.subn(f"{section}\n", recipe_text)
    replaced = replaced if found else f"{recipe_text.rstrip()}\n\n{section}"
    try:
        followed = tomllib.loads(replaced).get("network") == {"name": network}
    except tomllib.TOMLDecodeError:
        followed = False
    if not followed:
        raise RecipeError(
            "The recipe's network cannot be replaced: it stands in another form than a section. "
            'Write it as a section: a line [network] and below it lines like name = "fast".'
        )
    return replaced


def _write_history(path: Path, history: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _draw_figures(
    folder: Path, history: list[dict[str, Any]], dataset: Dataset, scores: Scores, probabilities: np.ndarray
) -> None:
    from skconv.reports.figures import draw_confusion, draw_curves, draw_mistakes, draw_samples, save_figure

    assert dataset.test_images is not None and dataset.test_labels is not None  # hold_out_test saw to it
    names = dataset.class_names
    figures = {
        "samples": draw_samples(dataset.train_images, dataset.train_labels, names),
        "curves": draw_curves(history),
        "confusion": draw_confusion(scores.confusion, names),
        "mistakes": draw_mistakes(dataset.test_images, dataset.test_labels, probabilities, names),
    }
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")
