"""`ensemble`: a recipe trained on all folds but one each, and the mean of the answers as one model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from skconv.commands.results import EnsembleResult
from skconv.commands.train import (
    check_whole_number,
    choose_seed,
    describe_call,
    open_run_folder,
    warn_if_busy,
)
from skconv.distributed.process_group import check_not_distributed
from skconv.files import check_new_folder
from skconv.parallel.folds import spread

if TYPE_CHECKING:
    from skconv.commands.run_folder import Scored
    from skconv.data.dataset import Dataset
    from skconv.estimators import KFoldEnsembleClassifier


def ensemble(
    source: str | os.PathLike[str] | None = None,
    *,
    folds: int | None = None,
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
) -> EnsembleResult:
    """Train a k-fold ensemble on all training images and write a run folder.

    A labelled test split is scored once. Without one nothing is held out: the out-of-fold accuracy tells how good a
    member is, and every image is used. Confidences are calibrated by the out-of-fold answers. For a competition, its
    submission file is written too.

    Parameters
    ----------
    source : str, path-like or None, default=None
        What `skconv.load_dataset` takes; None takes the recipe's own data.
    folds : int or None, default=None
        Number of members, 2..1000; None takes the recipe's, 5 where it has none. Folds are
        stratified unless the recipe says otherwise.
    recipe, network, out, device, data_home, images, label_column, image_size, progress, command
        As in `skconv.train`; without `out` the folder is ``runs/DATA-RECIPE-ensemble``.
    dask : str or None, default=None
        Address of a Dask scheduler, ``tcp://127.0.0.1:8786``, whose workers train the folds; None trains them here. The
        scores are the same, bit for bit, on machines of the same kind.
    seed : int or None, default=None
        Seed of the folds and the members, 0..2**31 - 1; None takes the recipe's, 0 where it has none.

    Returns
    -------
    EnsembleResult
        Scores, times and folders.

    Raises
    ------
    SkconvError
        As `skconv.train`; a `ClusterError` also where no scheduler or worker answers.

    Examples
    --------
    >>> result = ensemble("digits", folds=3, recipe="fast", out="runs/three")  # doctest: +SKIP
    >>> print(result.out_of_fold_accuracy)  # doctest: +SKIP
    """
    from skconv.commands.run_folder import score_test, write_run_folder
    from skconv.data.splitting import check_folds
    from skconv.estimators.calibration import calibrate
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run, write_seed

    command = command or describe_call(ensemble, locals())
    check_not_distributed("ensemble")
    named = load_recipe(recipe)
    folds = named.ensemble.get("folds", 5) if folds is None else folds
    check_whole_number("folds", folds, 2, 1000)
    plan = plan_run(
        named,
        source=source,
        network=network,
        folds=folds,
        images=images,
        label_column=label_column,
        image_size=image_size,
    )
    seed = choose_seed(seed, plan)
    recipe_text = write_seed(plan, seed)
    if out is not None:
        check_new_folder(out)
    plan.check_source()
    estimator = plan.create_estimator(random_state=seed, device=device, verbose=int(progress))
    dataset = plan.load_data(data_home=data_home, progress=progress)
    check_folds(dataset, folds)
    if dask is None:
        warn_if_busy()
    with open_run_folder(out, f"{dataset.name}-{plan.name}-ensemble") as folder:
        with spread(dask):
            estimator.fit(dataset.train_images, dataset.train_labels, sample_weight=plan.weigh(dataset))
        held_out = calibrate(estimator, plan, dataset)
        tested = dataset.test_images is not None
        scored = score_test(estimator, dataset) if tested else _score_out_of_fold(estimator, dataset)
        write_run_folder(
            folder,
            estimator=estimator,
            dataset=dataset,
            fingerprint=dataset.fingerprint,
            seed=seed,
            scored=scored,
            held_out=held_out,
            report=plan.report,
            recipe_text=recipe_text,
            command=command,
        )
    scores = scored.scores
    return EnsembleResult(
        data=dataset.name,
        recipe=plan.name,
        folder=str(folder),
        model=str(folder / "model"),
        test_accuracy=scores.accuracy if tested else None,
        low=scores.low if tested else None,
        high=scores.high if tested else None,
        n=scores.n if tested else 0,
        out_of_fold_accuracy=estimator.out_of_fold_score_,
        fold_accuracies=tuple(float(score) for score in estimator.fold_scores_),
        fit_seconds=estimator.fit_seconds_,
        n_parameters=estimator.n_parameters_,
        n_epochs=estimator.n_epochs_,
    )


def _score_out_of_fold(estimator: KFoldEnsembleClassifier, dataset: Dataset) -> Scored:
    from skconv.commands.run_folder import Scored
    from skconv.evaluation.metrics import score_predictions

    probabilities = estimator.out_of_fold_proba_
    scores = score_predictions(dataset.train_labels, probabilities, dataset.class_names)
    return Scored("out_of_fold", dataset.train_images, dataset.train_labels, probabilities, scores)
