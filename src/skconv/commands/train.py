"""`train`: a recipe and data in, a run folder with a scored model out."""

from __future__ import annotations

import inspect
import os
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.results import SeedResult, TrainResult
from skconv.commands.resume import check_out, checkpoint_of, read_finished, remove_checkpoint
from skconv.distributed.process_group import (
    check_distributed,
    is_distributed,
    is_main_process,
    join_process_group,
    main_process_only,
)
from skconv.exceptions import ParameterError
from skconv.files import reserve_folder

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.recipes import Recipe


@main_process_only()
def train(
    source: str | os.PathLike[str] | None = None,
    *,
    recipe: str | os.PathLike[str] = "standard",
    network: str | None = None,
    out: str | os.PathLike[str] | None = None,
    seeds: int = 1,
    seed: int | None = None,
    resume: bool = False,
    init_from: str | os.PathLike[str] | None = None,
    freeze_fraction: float = 0.0,
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
    images. Data without a test split gives up a stratified 15 %. For a competition, its submission file is written too.

    Called in every process that torchrun started, it trains one model in all of them together. It returns in the first
    process only, which scores and writes; the others end here, with exit code 0.

    Parameters
    ----------
    source : str, path-like or None, default=None
        What `skconv.load_dataset` takes; None takes the recipe's own data, split as the recipe says.
    recipe : str or path-like, default="standard"
        A built-in recipe or a TOML file.
    network : str or None, default=None
        Another network than the recipe's.
    out : path-like or None, default=None
        The folder to make. None takes ``runs/DATA-RECIPE``, with ``-2``, ``-3`` … where that exists.
    seeds : int, default=1
        Number of runs, 1..1000, with the seeds `seed`, `seed` + 1, …; their folders are ``out/seed-0`` ….
    seed : int or None, default=None
        First seed, 0..2**31 - 1; None takes the recipe's, 0 where it has none. It also decides which images are held
        out, the same in all runs.
    resume : bool, default=False
        Go on with a run that was stopped or killed, and end with the same weights as if it had not been, bit for bit;
        begin it where there is nothing yet. A run with `out` keeps checkpoints in ``OUT.checkpoint`` until it is done.
    init_from : path-like or None, default=None
        A model whose weights the training begins with, as far as name and shape fit: of other classes and of images
        of another size. Its network is taken unless `network` names one. What was taken over is told on standard error.
    freeze : float, default=0.0
        Share of the training, 0..1, in which those weights are released layer by layer, the last one first.
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
    ModelFileError
        With `resume`: the checkpoint is of another training; what differs is told.
    ProcessLostError
        Another of several processes was killed or does not answer.

    Examples
    --------
    >>> result = train("digits", recipe="fast", out="runs/digits")  # doctest: +SKIP
    >>> print(result.test_accuracy, result.model)  # doctest: +SKIP
    """
    from skconv.commands.data_summary import describe_data
    from skconv.commands.transfer import initialize_from_model, warn_if_leaked
    from skconv.data.splitting import split_for_recipe
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run, write_seed

    command = command or describe_call(train, locals())
    check_whole_number("seeds", seeds, 1, 1000)
    plan = plan_run(
        load_recipe(recipe),
        source=source,
        network=network,
        images=images,
        label_column=label_column,
        image_size=image_size,
    )
    seed = choose_seed(seed, plan)
    check_whole_number("seed", seed, 0, 2**31 - seeds)  # the last of them has its limit too
    if init_from is not None:
        plan = initialize_from_model(plan, init_from, freeze_fraction=freeze_fraction, network=network)
    elif freeze_fraction:
        raise ParameterError(
            "'freeze_fraction' freezes loaded weights: name the model to load in 'init_from' (--init-from) too."
        )
    if is_distributed():
        from skconv.estimators.parameters import choose_device

        choose_device(device)  # a name that is none is told as in one process
        check_distributed(device)
        _check_several_processes(plan, seeds=seeds, resume=resume)
    recipe_texts = {each: write_seed(plan, each, split_seed=seed) for each in range(seed, seed + seeds)}
    check_out(out, resume=resume)
    plan.check_source()
    create = partial(plan.create_estimator, device=device, verbose=int(progress))
    create(random_state=seed)  # a wrong setting is told at once, not after a download
    loaded = plan.load_data(data_home=data_home, progress=progress)
    dataset = split_for_recipe(loaded, plan, seed=seed)
    if plan.report.get("describe_data"):
        member = plan.create_member()
        describe_data(dataset, batch_size=member.batch_size, held_out=member.validation_fraction)
    warn_if_leaked(plan.training.get("init_from"), dataset)
    warn_if_busy()
    others = nullcontext(Path(out or "runs"))  # of several processes, the first one writes
    with open_run_folder(out, f"{loaded.name}-{plan.name}") if is_main_process() else others as folder:
        results = [
            _run(
                create(random_state=each),
                dataset,
                folder if seeds == 1 else folder / f"seed-{each}",
                plan=plan,
                seed=each,
                device=device,
                resumable=out is not None and not is_distributed(),
                fingerprint=loaded.fingerprint,
                recipe_text=recipe_text,
                command=command,
            )
            for each, recipe_text in recipe_texts.items()
        ]
    return TrainResult(dataset.name, plan.name, str(folder), tuple(results))


def check_whole_number(name: str, value: object, low: int, high: int) -> None:
    """Raise `ParameterError` unless a command's parameter is a whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ParameterError(f"The '{name}' parameter must be a whole number from {low} to {high}. Got {value!r}.")


def choose_seed(seed: int | None, recipe: Recipe) -> int:
    """Return the seed of a run, that given or else the recipe's; one out of range is a `ParameterError`."""
    if seed is None:
        return recipe.seed
    check_whole_number("seed", seed, 0, 2**31 - 1)
    return seed


def _run(
    estimator: CNNClassifier | KFoldEnsembleClassifier,
    dataset: Dataset,
    folder: Path,
    *,
    plan: Recipe,
    seed: int,
    device: str,
    resumable: bool,
    **facts: Any,
) -> SeedResult:
    """Train, score on the test split and write the run folder, unless that is done; `facts` are passed on to it."""
    from skconv.commands.run_folder import score_test, write_run_folder
    from skconv.commands.transfer import report_loaded_weights
    from skconv.estimators.calibration import calibrate

    if resumable:
        known = {name: facts[name] for name in ("recipe_text", "fingerprint")}
        finished = read_finished(folder, seed=seed, **known)
        if finished is not None:
            return finished
        member: Any = estimator.estimator if plan.ensemble else estimator
        member.set_params(checkpoint=checkpoint_of(folder))
    with join_process_group(device):
        estimator.fit(dataset.train_images, dataset.train_labels, sample_weight=plan.weigh(dataset))
    if not is_main_process():
        raise SystemExit
    if getattr(estimator, "loaded_weights_", None):
        report_loaded_weights(estimator)
    held_out = calibrate(estimator, plan, dataset)
    scored = score_test(estimator, dataset)
    write_run_folder(
        folder,
        estimator=estimator,
        dataset=dataset,
        seed=seed,
        scored=scored,
        held_out=held_out,
        report=plan.report,
        **facts,
    )
    if resumable:
        remove_checkpoint(folder)
    return SeedResult(
        seed=seed,
        test_accuracy=scored.scores.accuracy,
        low=scored.scores.low,
        high=scored.scores.high,
        n=scored.scores.n,
        fit_seconds=estimator.fit_seconds_,
        n_epochs=estimator.n_epochs_,
        n_parameters=estimator.n_parameters_,
        precision=estimator.precision_,
        model=str(folder / "model"),
    )


def _check_several_processes(plan: Recipe, *, seeds: int, resume: bool) -> None:
    """Raise `ParameterError` for what several processes cannot do together."""
    refused = {
        f"{seeds} seeds": seeds > 1,
        f"the ensemble of recipe {plan.name}": bool(plan.ensemble),
        "resume": resume,
    }
    for what, asked in refused.items():
        if asked:
            raise ParameterError(
                f"Several processes train one model, from its beginning to its end: {what} cannot be spread over them. "
                "Start it without torchrun."
            )


def warn_if_busy() -> None:
    """Warn before a training that other programs will make far slower than their share of the processor."""
    from skconv.training.hardware import describe_busy_processor

    sentence = describe_busy_processor()
    if sentence:
        warnings.warn(sentence, stacklevel=2)


def open_run_folder(out: str | os.PathLike[str] | None, name: str) -> AbstractContextManager[Path]:
    """Return a context with the folder to make: `out`, or a new one of that name in ``runs``."""
    if out is not None:
        return nullcontext(Path(out))
    # Reserved before training: two runs at a time must not end at one name.
    return reserve_folder(Path("runs"), re.sub(r"[^\w.-]+", "-", name).strip("-."))


def describe_call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Write the call of a command with these arguments, without those that are as by default."""
    told = []
    for name, parameter in inspect.signature(function).parameters.items():
        value = arguments[name]
        if value != parameter.default:
            text = repr(os.fspath(value) if isinstance(value, os.PathLike) else value)
            told.append(text if name == "source" else f"{name}={text}")
    return f"skconv.{function.__name__}({', '.join(told)})"
