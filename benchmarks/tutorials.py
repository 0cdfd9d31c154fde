"""Training time of the five tutorials' own loops and of skconv's recipes of the same protocol, interleaved.

    SKCONV_DATA=FOLDER python benchmarks/tutorials.py [--runs 3] [--share 0.01] [--images N]

Both train the same network on the same number of images in batches of the same size, for a share of the tutorial's
epochs (at least one), and evaluate as many images as often. Timed from images in memory to final weights. The clothing
images are also read from a folder of PNG files. --images uses the first N of each split, to check that everything runs;
its figures mean nothing and are not written.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import tutorial_loop
from interleaved import time_runs
from PIL import Image
from report import write_result
from sklearn.model_selection import train_test_split

from skconv import load_dataset, load_recipe
from skconv.data.dataset import Dataset
from skconv.exceptions import SkconvError

# (epochs, number of the run) → last accuracy on the evaluated images
Train = Callable[[int, int], float]


def load_part(name: str, images: int | None) -> Dataset:
    """Load the first images of both splits of a data set into memory; None for all."""
    dataset = load_dataset(name)
    return replace(
        dataset,
        train_images=np.array(dataset.train_images[:images]),
        train_labels=dataset.train_labels[:images],
        test_images=np.array(dataset.test_images[:images]),
        test_labels=dataset.test_labels[:images],
    )


def create_short(recipe: str, epochs: int, seed: int):
    """Return a recipe's estimator with fewer epochs."""
    estimator = load_recipe(recipe).create_estimator(random_state=seed, device="cpu")
    member = getattr(estimator, "estimator", estimator)  # of an ensemble
    member.set_params(max_epochs=epochs, min_steps=0)
    return estimator


def fit_recipe(recipe: str, images: np.ndarray, labels: np.ndarray, validation: tuple | None = None) -> Train:
    """Return skconv's training, validated on the given images or as in the recipe."""
    valid = (None, None) if validation is None else validation

    def fit(epochs: int, run: int) -> float:
        estimator = create_short(recipe, epochs, run).fit(images, labels, X_val=valid[0], y_val=valid[1])
        return estimator.history_[-1]["valid_accuracy"]

    return fit


def make_skorch(recipe: str, images: int | None) -> tuple[Train, Train]:
    usps = load_part("usps", images)
    images = np.concatenate([usps.train_images, usps.test_images])
    labels = np.concatenate([usps.train_labels, usps.test_labels])
    images, _, labels, _ = train_test_split(images, labels, test_size=0.3, random_state=11)

    def loop(epochs: int, run: int) -> float:
        return tutorial_loop.train_skorch(images, labels, epochs=epochs, seed=run)

    return loop, fit_recipe(recipe, images, labels)


def find_last_accuracy(records: Iterable[tuple[int, float, float, float]]) -> float:
    """Run a loop to its end; return NaN if nothing was evaluated, as in T2 with fewer than 50 steps."""
    accuracies = [record[3] for record in records]
    return accuracies[-1] if accuracies else float("nan")


def make_sequential(recipe: str, images: int | None) -> tuple[Train, Train]:
    mnist = load_part("mnist", images)

    def loop(epochs: int, run: int) -> float:
        return find_last_accuracy(tutorial_loop.train_sequential(mnist, epochs=epochs, seed=run))

    # Both are evaluated on the test images; by default the recipe holds out a part of the training images.
    test = mnist.test_images, mnist.test_labels
    return loop, fit_recipe(recipe, mnist.train_images, mnist.train_labels, test)


def make_folds(recipe: str, images: int | None) -> tuple[Train, Train]:
    mnist = load_part("mnist", images)
    images, labels = mnist.train_images[:42000], mnist.train_labels[:42000]
    folds = tutorial_loop.split_folds(images)

    def loop(epochs: int, run: int) -> float:
        return tutorial_loop.train_fold(images, labels, run % len(folds), epochs=epochs, seed=run)

    def fit(epochs: int, run: int) -> float:
        estimator = create_short(recipe, epochs, run).set_params(cv=[folds[run % len(folds)]])
        return estimator.fit(images, labels).out_of_fold_score_

    return loop, fit


def make_one_batch(recipe: str, images: int | None) -> tuple[Train, Train]:
    clothing = load_part("fashion-mnist", images)
    scaled, labels = clothing.train_images.astype(np.float32) / 255, clothing.train_labels

    def loop(epochs: int, run: int) -> float:
        return tutorial_loop.train_one_batch(scaled, labels, epochs=epochs, seed=run)

    return loop, fit_recipe(recipe, clothing.train_images, labels)


def make_average_pooling(recipe: str, images: int | None) -> tuple[Train, Train]:
    mnist = load_part("mnist", images)

    def loop(epochs: int, run: int) -> float:
        return find_last_accuracy(tutorial_loop.train_average_pooling(mnist, epochs=epochs, seed=run))

    test = mnist.test_images, mnist.test_labels  # as in make_sequential
    return loop, fit_recipe(recipe, mnist.train_images, mnist.train_labels, test)


TUTORIALS = {
    "t1-usps-skorch": make_skorch,
    "t2-mnist-sequential": make_sequential,
    "t3-kaggle-kfold": make_folds,
    "t4-apparel-folder": make_one_batch,
    "t5-convnet-avgpool": make_average_pooling,
}


def compare_training(recipe: str, options: argparse.Namespace) -> dict:
    """Time a tutorial's training, in seconds per epoch."""
    loop, fit = TUTORIALS[recipe](recipe, options.images)
    epochs = max(1, round(options.share * load_recipe(recipe).training["max_epochs"]))
    calls = {"loop": partial(loop, epochs), "skconv": partial(fit, epochs)}
    seconds, accuracies = time_runs(calls, options.runs)
    per_epoch = {name: [each / epochs for each in times] for name, times in seconds.items()}
    return {"epochs": epochs, **summarize(per_epoch), "accuracies": accuracies}


def compare_reading(options: argparse.Namespace) -> dict:
    """Time reading the folder of clothing images, in seconds: skconv's first read, and from its cache."""
    with apparel_folder(options.images) as folder:
        table = folder / "train.csv"

        def read_first(run: int) -> None:
            (folder / "train" / "1.png").touch()  # a changed folder is not read from the cache
            load_dataset(table, images=folder / "train")

        calls = {
            "loop": lambda run: tutorial_loop.read_images(table, folder / "train"),
            "skconv": read_first,
            "skconv_again": lambda run: load_dataset(table, images=folder / "train"),
        }
        return summarize(time_runs(calls, options.runs)[0])


@contextmanager
def apparel_folder(images: int | None) -> Iterator[Path]:
    """Make a temporary competition folder (``train.csv``, ``train/1.png``, …) and an empty cache."""
    clothing = load_part("fashion-mnist", images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train").mkdir()
        with (folder / "train.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "label"])
            for number, (image, label) in enumerate(zip(clothing.train_images, clothing.train_labels, strict=True), 1):
                Image.fromarray(image).save(folder / "train" / f"{number}.png")
                writer.writerow([number, label])
        cache_home = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        try:
            yield folder
        finally:
            os.environ.pop("XDG_CACHE_HOME") if cache_home is None else os.environ.update(XDG_CACHE_HOME=cache_home)


def summarize(seconds: dict[str, list[float]]) -> dict:
    """Return medians, and medians of the ratios per round, which do not depend on the machine's drift."""
    loop = seconds["loop"]
    ratios = {
        name: statistics.median(theirs / ours for theirs, ours in zip(loop, times, strict=True))
        for name, times in seconds.items()
        if name != "loop"
    }
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {"n": len(loop), "medians": medians, "ratios": ratios, "seconds": seconds}


def format_row(label: str, figures: dict, name: str = "skconv") -> str:
    """Return a row of the table."""
    loop, ours, ratio = figures["medians"]["loop"], figures["medians"][name], figures["ratios"][name]
    return f"{label:<36}{loop:>9.2f}{ours:>9.2f}{ratio:>8.1f}{figures['n']:>4}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each (3)")
    parser.add_argument(
        "--share", type=float, default=0.01, help="share of each tutorial's epochs, at least one (0.01)"
    )
    parser.add_argument("--images", type=int, help="use the first N of each split, as a check")
    options = parser.parse_args()
    try:
        for recipe, make in TUTORIALS.items():  # warm-up
            for train in make(recipe, 600):
                train(1, 0)
    except SkconvError as error:
        parser.exit(1, f"{error}\n")
    figures, rows = {}, []
    for recipe in TUTORIALS:
        figures[recipe] = compare_training(recipe, options)
        rows.append(format_row(f"{recipe}, per epoch", figures[recipe]))
        print(rows[-1], flush=True)
    figures["reading"] = reading = compare_reading(options)
    rows.append(format_row("t4's folder, first read", reading))
    rows.append(format_row("t4's folder, from the cache", reading, "skconv_again"))
    if options.images is None:
        write_result("tutorials", {"share": options.share, **figures})
    print(f"\n{'median seconds':<36}{'loop':>9}{'skconv':>9}{'ratio':>8}{'n':>4}", *rows, sep="\n")


if __name__ == "__main__":
    main()
