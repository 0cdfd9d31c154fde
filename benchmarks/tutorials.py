"""The five tutorials' own loops against skconv's recipes of the same protocol, in one run and in turn, A B A B.

    python benchmarks/tutorials.py [--runs 3] [--share 0.01] [--images N]

Both train the same network on as many images in batches of the same size, for a share of the tutorial's epochs (at
least one), and score as many images as often; in both the clock runs from images in memory to final weights. The
garments are also read from their folder of PNG files. With --images only the first N of each split are used: a trial
that everything runs, whose figures mean nothing and are not kept.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import tutorial_loop
from PIL import Image
from report import write_result
from sklearn.model_selection import train_test_split

from skconv import load_dataset, load_recipe
from skconv.data.dataset import Dataset
from skconv.exceptions import SkconvError

# Trains for so many epochs, given the number of the run, and returns the accuracy on what is scored on the way.
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
    getattr(estimator, "estimator", estimator).set_params(max_epochs=epochs, min_steps=0)  # an ensemble's, or its own
    return estimator


def fit_recipe(recipe: str, images: np.ndarray, labels: np.ndarray, validation: tuple | None = None) -> Train:
    """Return skconv's training, validated on the images given or else as the recipe says."""

    def fit(epochs: int, run: int) -> float:
        estimator = create_short(recipe, epochs, run).fit(images, labels, validation=validation)
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
    """Run a loop to its end; NaN where nothing is scored, as fewer than 50 steps are not in T2."""
    accuracies = [record[3] for record in records]
    return accuracies[-1] if accuracies else float("nan")


def make_sequential(recipe: str, images: int | None) -> tuple[Train, Train]:
    mnist = load_part("mnist", images)

    def loop(epochs: int, run: int) -> float:
        return find_last_accuracy(tutorial_loop.train_sequential(mnist, epochs=epochs, seed=run))

    # Both are scored on the test images, so that both do the same work; the recipe by itself holds out a part.
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
    garments = load_part("fashion-mnist", images)
    scaled, labels = garments.train_images.astype(np.float32) / 255, garments.train_labels

    def loop(epochs: int, run: int) -> float:
        return tutorial_loop.train_one_batch(scaled, labels, epochs=epochs, seed=run)

    return loop, fit_recipe(recipe, garments.train_images, labels)


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


def time_in_turn(calls: dict[str, Callable[[int], object]], runs: int) -> tuple[dict[str, list], dict[str, list]]:
    """Call each with the number of the run, A B A B; return seconds and answers by name."""
    seconds: dict[str, list] = {who: [] for who in calls}
    answers: dict[str, list] = {who: [] for who in calls}
    for run in range(runs):
        for who, call in calls.items():
            start = time.perf_counter()
            answers[who].append(call(run))
            seconds[who].append(time.perf_counter() - start)
    return seconds, answers


def compare_training(recipe: str, options: argparse.Namespace) -> dict:
    """Time a tutorial's training in both, in seconds an epoch."""
    loop, fit = TUTORIALS[recipe](recipe, options.images)
    epochs = max(1, round(options.share * load_recipe(recipe).training["max_epochs"]))
    calls = {"loop": partial(loop, epochs), "skconv": partial(fit, epochs)}
    seconds, accuracies = time_in_turn(calls, options.runs)
    per_epoch = {who: [each / epochs for each in times] for who, times in seconds.items()}
    return {"epochs": epochs, **summarize(per_epoch), "accuracies": accuracies}


def compare_reading(options: argparse.Namespace) -> dict:
    """Time the reading of the garments' folder, in seconds: skconv's first time, and again from its cache."""
    with apparel_folder(options.images) as folder:
        table = folder / "train.csv"

        def read_first(run: int) -> None:
            (folder / "train" / "1.png").touch()  # a folder that was changed is decoded anew
            load_dataset(table, images=folder / "train")

        calls = {
            "loop": lambda run: tutorial_loop.read_images(table, folder / "train"),
            "skconv": read_first,
            "skconv_again": lambda run: load_dataset(table, images=folder / "train"),
        }
        return summarize(time_in_turn(calls, options.runs)[0])


@contextmanager
def apparel_folder(images: int | None) -> Iterator[Path]:
    """Make a temporary competition folder (``train.csv``, ``train/1.png``, …) and an empty cache."""
    garments = load_part("fashion-mnist", images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train").mkdir()
        with (folder / "train.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "label"])
            for number, (image, label) in enumerate(zip(garments.train_images, garments.train_labels, strict=True), 1):
                Image.fromarray(image).save(folder / "train" / f"{number}.png")
                writer.writerow([number, label])
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        try:
            yield folder
        finally:
            os.environ.pop("XDG_CACHE_HOME") if before is None else os.environ.update(XDG_CACHE_HOME=before)


def summarize(seconds: dict[str, list[float]]) -> dict:
    """Medians, and ratios within each turn, which a drift of the machine's speed leaves alone."""
    loop = seconds["loop"]
    ratios = {
        who: statistics.median(theirs / ours for theirs, ours in zip(loop, times, strict=True))
        for who, times in seconds.items()
        if who != "loop"
    }
    medians = {who: statistics.median(times) for who, times in seconds.items()}
    return {"n": len(loop), "medians": medians, "ratios": ratios, "seconds": seconds}


def format_row(what: str, figures: dict, who: str = "skconv") -> str:
    """Return a line of the table."""
    loop, ours, ratio = figures["medians"]["loop"], figures["medians"][who], figures["ratios"][who]
    return f"{what:<36}{loop:>9.2f}{ours:>9.2f}{ratio:>8.1f}{figures['n']:>4}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="turns of each (3)")
    parser.add_argument("--share", type=float, default=0.01, help="of each tutorial's epochs, at least one (0.01)")
    parser.add_argument("--images", type=int, help="a trial on the first so many of each split")
    options = parser.parse_args()
    try:
        for recipe, make in TUTORIALS.items():  # the first calls load and measure things: not counted
            for train in make(recipe, 600):
                train(1, 0)
    except SkconvError as error:
        parser.exit(1, f"{error}\n")
    figures, rows = {}, []
    for recipe in TUTORIALS:
        figures[recipe] = compare_training(recipe, options)
        rows.append(format_row(f"{recipe}, an epoch", figures[recipe]))
        print(rows[-1], flush=True)
    figures["reading"] = reading = compare_reading(options)
    rows.append(format_row("t4's folder, read the first time", reading))
    rows.append(format_row("t4's folder, read again", reading, "skconv_again"))
    if options.images is None:
        write_result("tutorials", {"share": options.share, **figures})
    print(f"\n{'median seconds':<36}{'loop':>9}{'skconv':>9}{'ratio':>8}{'n':>4}", *rows, sep="\n")


if __name__ == "__main__":
    main()
