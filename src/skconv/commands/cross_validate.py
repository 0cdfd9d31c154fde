"""`cross_validate`: how well a recipe does on images it has not seen, measured on the training images alone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.fold_results import CrossValidationResult, FoldResult
from skconv.commands.train import (
    check_whole_number,
    choose_seed,
    describe_call,
    open_run_folder,
    warn_if_busy,
)
from skconv.distributed.process_group import check_not_distributed
from skconv.files import atomic_dir, check_new_folder
from skconv.parallel.folds import spread

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import KFoldEnsembleClassifier


def cross_validate(
    source: str | os.PathLike[str] | None = None,
    *,
    folds: int = 5,
    recipe: str | os.PathLike[str] = "standard",
    network: str | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    device: str = "auto",
    dask: str | None = None,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
    command: str | None = None,
) -> CrossValidationResult:
    """Train a recipe on all folds but one each, score it on that one, and write the scores and figures.

    Recipes can be compared by it without a look at the test images: those that `skconv.train` with the same recipe
    and seed would score are left out here. No model is kept; `skconv.ensemble` keeps the members as one.

    Parameters
    ----------
    source : str, path-like or None, default=None
        What `skconv.load_dataset` takes; None takes the recipe's own data, split as the recipe says.
    folds : int, default=5
        Number of folds, 2..1000; stratified unless the recipe says otherwise.
    recipe, network, device, data_home, images, label_column, image_size, progress, command
        As in `skconv.train`.
    out : path-like or None, default=None
        The folder to make. None takes ``runs/DATA-RECIPE-folds``, with ``-2``, ``-3`` … where that exists.
    dask : str or None, default=None
        Address of a Dask scheduler, ``tcp://127.0.0.1:8786``, whose workers train the folds; None trains them here. The
        scores are the same, bit for bit, on machines of the same kind.
    seed : int or None, default=None
        Seed of the test split, the folds and the members, 0..2**31 - 1; None takes the recipe's, 0 where it has none.

    Returns
    -------
    CrossValidationResult
        One record a fold, with mean and standard deviation.

    Raises
    ------
    SkconvError
        As `skconv.train`; a `DataError` also where a class has fewer images than there are folds, a `ClusterError`
        where no scheduler or worker answers.

    Examples
    --------
    >>> result = cross_validate("digits", folds=3, recipe="fast", out="runs/three")  # doctest: +SKIP
    >>> print(result.accuracy, result.accuracy_sd)  # doctest: +SKIP
    """
    from skconv.data.splitting import check_folds, split_for_recipe
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run, write_seed

    command = command or describe_call(cross_validate, locals())
    check_not_distributed("cross-validate")
    check_whole_number("folds", folds, 2, 1000)
    plan = plan_run(
        load_recipe(recipe),
        source=source,
        network=network,
        images=images,
        label_column=label_column,
        image_size=image_size,
    )
    seed = choose_seed(seed, plan)
    recipe_text = write_seed(plan, seed)
    if out is not None:
        check_new_folder(out)
    plan.check_source()
    plan = replace(plan, ensemble={**plan.ensemble, "folds": folds})
    estimator: Any = plan.create_estimator(random_state=seed, device=device, verbose=int(progress))
    loaded = plan.load_data(data_home=data_home, progress=progress)
    dataset = split_for_recipe(loaded, plan, seed=seed)
    check_folds(dataset, folds)
    if dask is None:
        warn_if_busy()
    with open_run_folder(out, f"{loaded.name}-{plan.name}-folds") as folder:
        with spread(dask):
            estimator.fit(dataset.train_images, dataset.train_labels, sample_weight=plan.weigh(dataset))
        member = estimator.estimator_
        result = CrossValidationResult(
            data=dataset.name,
            recipe=plan.name,
            folder=str(folder),
            folds=_score_folds(estimator, dataset),
            fit_seconds=estimator.fit_seconds_,
            n_train=len(dataset.train_labels),
            n_test=0 if dataset.test_labels is None else len(dataset.test_labels),
            selected=member.restore_best is not None or member.patience is not None,
        )
        _write_folder(folder, result, estimator, dataset, seed=seed, recipe_text=recipe_text, command=command)
    return result


def _score_folds(estimator: KFoldEnsembleClassifier, dataset: Dataset) -> tuple[FoldResult, ...]:
    """Score each member, with the weights it ended with, on the images it did not see."""
    from skconv.evaluation.metrics import score_predictions

    results = []
    for number, (member, held_out) in enumerate(zip(estimator.estimators_, estimator.held_out_, strict=True), 1):
        scores = score_predictions(dataset.train_labels[held_out], estimator.out_of_fold_proba_[held_out])
        results.append(
            FoldResult(
                fold=number,
                accuracy=scores.accuracy,
                valid_loss=scores.negative_log_likelihood,
                fit_seconds=member.fit_seconds_,
                n_epochs=member.n_epochs_,
                n_train=member.n_samples_fit_,
                n_valid=scores.n,
            )
        )
    return tuple(results)


def _write_folder(
    folder: Path,
    result: CrossValidationResult,
    estimator: KFoldEnsembleClassifier,
    dataset: Dataset,
    *,
    seed: int,
    recipe_text: str,
    command: str,
) -> None:
    """Write scores, curves and recipe, as a whole or not at all."""
    from skconv.commands.run_folder import write_rows
    from skconv.evaluation.metrics import score_predictions
    from skconv.reports.confusion import draw_confusion
    from skconv.reports.curves import draw_folds
    from skconv.reports.style import save_figure

    scores = score_predictions(dataset.train_labels, estimator.out_of_fold_proba_, dataset.class_names)
    rows = [asdict(fold) for fold in result.folds]
    facts = {
        "accuracy": result.accuracy,
        "accuracy_sd": result.accuracy_sd,
        "folds": rows,
        "out_of_fold": scores.to_json(),
        "data": {"name": dataset.name, "source": dataset.source, "n_train": result.n_train, "n_test": result.n_test},
        "fit_seconds": result.fit_seconds,
        "precision": estimator.precision_,
        "seed": seed,
        "command": command,
    }
    with atomic_dir(folder) as unfinished:
        write_rows(unfinished / "folds.csv", rows)
        (unfinished / "scores.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        (unfinished / "recipe.toml").write_text(recipe_text, encoding="utf-8")
        save_figure(draw_folds(estimator.histories_), unfinished / "curves.png")
        save_figure(draw_confusion(scores.confusion, dataset.class_names), unfinished / "confusion.png")
