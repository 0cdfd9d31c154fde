"""Test accuracy on MNIST over training time: recipes, two tutorials' loops and other libraries' own examples.

    python benchmarks/accuracy_over_time.py [--recipes fast standard accurate] [--seeds 1]

Trains the recipes, reads the scores of the others from ``results/time_to_99.json`` (written by `make bench`, which must
have run on the same machine), and draws ``results/accuracy_over_time.png``. A point above and left of the line of the
recipes is both faster and more accurate.
"""

from __future__ import annotations

import argparse
import json
import statistics

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from report import RESULTS, write_result

from skconv import load_dataset, load_recipe
from skconv.reports.style import BLUE, GREY, new_figure, save_figure

ERRORS = (10, 5, 2, 1, 0.5, 0.3, 0.2)  # per cent, ticks of the axis


def train(name: str, seed: int) -> tuple[float, float]:
    """Return (seconds from images in memory to final weights, test accuracy)."""
    dataset = load_dataset("mnist")
    estimator = load_recipe(name).create_estimator(random_state=seed)
    estimator.fit(np.array(dataset.train_images), np.array(dataset.train_labels))
    return estimator.fit_seconds_, float(estimator.score(dataset.test_images, dataset.test_labels))


def read_others() -> dict[str, list[tuple[float, float]]]:
    """Return the (seconds, accuracy) of each evaluation in the first run of each other; evaluation is not timed."""
    others = json.loads((RESULTS / "time_to_99.json").read_text())["figures"]["others"]
    return {
        name: [(each["seconds"], each["accuracy"]) for each in other["runs"][0]["curve"]]
        for name, other in others.items()
    }


def find_better(ours: list[tuple[float, float]], others: dict[str, list[tuple[float, float]]]) -> list[str]:
    """Describe the epochs of others that are above and left of the line of the recipes."""
    seconds, errors = np.array(sorted(ours)).T
    errors = 1 - errors
    better = []
    for name, curve in others.items():
        for second, accuracy in curve:
            # np.interp is constant below the fastest recipe.
            line = np.exp(np.interp(np.log(second), np.log(seconds), np.log(errors)))
            if 1 - accuracy < line:
                better.append(f"{name}: {accuracy:.4f} after {second:.1f} s")
    return better


def draw_figure(ours: dict[str, tuple[float, float]], others: dict[str, list[tuple[float, float]]]):
    figure = new_figure(8, 5)
    axes = figure.subplots()
    for marker, (name, curve) in zip("sD^vPX*hp", others.items(), strict=False):
        points = np.array([(s, 100 - 100 * a) for s, a in curve]).T
        axes.plot(*points, marker=marker, color=GREY, lw=0.7, ms=5, label=name)
    axes.legend(loc="lower right", fontsize=8)
    line = sorted((s, 100 - 100 * a, name) for name, (s, a) in ours.items())
    axes.plot([p[0] for p in line], [p[1] for p in line], "o-", color=BLUE, lw=2, ms=8)
    for second, error, name in line:
        position = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
        axes.annotate(name, (second, error), color=BLUE, weight="bold", **position)
    axes.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test accuracy, %")
    axes.invert_yaxis()
    axes.margins(0.12)
    axes.yaxis.set_major_locator(FixedLocator(ERRORS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 - error:g}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: f"{second:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(lw=0.3)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["fast", "standard", "accurate"])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    runs = {name: [train(name, seed) for seed in range(options.seeds)] for name in options.recipes}
    ours = {
        name: (statistics.median(each[0] for each in results), statistics.fmean(each[1] for each in results))
        for name, results in runs.items()
    }
    others = read_others()
    save_figure(draw_figure(ours, others), RESULTS / "accuracy_over_time.png")
    better = find_better(list(ours.values()), others)
    write_result("accuracy_over_time", {"ours": runs, "others": others, "others above the line of the recipes": better})


if __name__ == "__main__":
    main()
