"""Options and help text of the commands that train: `skconv train`, `tune`, `ensemble`, `cross-validate`, `audit`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.app import library_command
from skconv.cli.options import DATA_HELP


@library_command(
    "skconv train flowers/ --time-limit 5m --out runs/flowers",
    progress=True,
    recipe=Annotated[
        str,
        typer.Option(
            help="Name of a recipe, or TOML file. Default: auto, which compares recipes and trains the best within "
            "--time-limit (5m); standard for data sets in the format of MNIST, or with options such as --network."
        ),
    ],
    out=typer.Option(help="New folder for the results; default: runs/DATA-RECIPE, with -2, -3 … if that exists."),
    seeds=typer.Option(min=1, max=1000, help="Number of runs with consecutive seeds; prints mean and deviation."),
    init_from=typer.Option(help="Model to initialise the weights from; classes and image size may differ."),
    freeze_fraction=typer.Option(
        help="Fraction of the stages of a pretrained network that are not trained; 1 trains the head only. With "
        "--init-from: fraction of training in which the loaded layers are unfrozen one by one."
    ),
)
def train() -> None:
    """Train a classifier and score it once on the test split.

    Without a test split, a stratified 15 % of the images is held out for testing. The run folder contains the model,
    scores, history and figures. --resume continues an interrupted run in --out, and the final weights are those of an
    uninterrupted run, except with a time limit.
    """


@library_command(
    "skconv tune mnist --fraction 0.1 --minutes 15 --out runs/search",
    progress=True,
    trials=typer.Option(min=1, max=100_000, help="Total number of trials; default: 20, unless --minutes is set."),
    minutes=typer.Option(min=0.001, max=1e6, help="Time limit in minutes."),
    fraction=typer.Option(min=0.0001, max=1, help="Share of the training images to search with."),
    storage=typer.Option(help="URL of the study's database; default: the file study.db in --out."),
    out=typer.Option(help="New or existing folder of the study; default: runs/DATA-RECIPE-tune."),
)
def tune() -> None:
    """Search the settings of a recipe by validation accuracy.

    Bad trials are stopped early, and the test images are never used. The best settings are written to best.toml, for
    skconv train --recipe. The same command continues an interrupted search, and can run in several processes.
    """


@library_command(
    "skconv ensemble kaggle-digits --folds 5 --recipe kaggle",
    progress=True,
    folds=typer.Option(min=2, max=1000, help="Number of members; default: the recipe's folds, or 5."),
    out=typer.Option(
        help="New folder for the results; default: runs/DATA-RECIPE-ensemble, with -2, -3 … if that exists."
    ),
)
def ensemble() -> None:
    """Train a k-fold ensemble and save it as one model.

    Each member is trained on all folds but one. A labelled test split is scored once. For a competition, the command
    writes the submission file. --resume continues an interrupted run in --out.
    """


@library_command(
    "skconv cross-validate mnist --folds 5 --recipe fast",
    progress=True,
    folds=typer.Option(min=2, max=1000, help="Number of folds."),
    out=typer.Option(help="New folder for the results; default: runs/DATA-RECIPE-folds, with -2, -3 … if that exists."),
)
def cross_validate() -> None:
    """Cross-validate a recipe on the training images.

    Estimates the accuracy of a recipe and its standard deviation over folds. The test images of skconv train are not
    used. --resume continues an interrupted run in --out.
    """


@library_command(
    "skconv audit mnist --out runs/mnist-audit",
    progress=True,
    source=Annotated[str, typer.Argument(help=DATA_HELP)],
    folds=typer.Option(min=2, max=1000, help="Number of folds of the cross-validation that checks labels."),
    out=typer.Option(help="New folder for issues.csv and contact sheets."),
)
def audit() -> None:
    """Find label issues, duplicates and unreadable images."""
