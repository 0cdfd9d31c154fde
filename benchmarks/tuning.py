"""Hyper-parameter search: test accuracy of the settings found by `skconv tune` and of the recipe.

    python benchmarks/tuning.py [--recipe fast] [--minutes 15] [--fraction 0.1] [--seeds 5] [--out FOLDER]

`skconv tune mnist` searches with a tenth of the training images, by validation accuracy. The recipe and the best one
found are then trained on the same tenth, interleaved, with seeds that the search has not used, and evaluated on the
test split.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from pathlib import Path

from report import write_result

import skconv
from skconv.data.splitting import take_fraction

SEARCH_SEED, FIRST_SEED = 0, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = skconv.tune(
            "mnist",
            recipe=options.recipe,
            minutes=options.minutes,
            fraction=options.fraction,
            seed=SEARCH_SEED,
            out=options.out or Path(scratch, "search"),
            progress=True,
        )
        print(result, flush=True)
        recipes = {"recipe": skconv.load_recipe(options.recipe), "best": skconv.load_recipe(result.best_recipe)}
    mnist = skconv.load_dataset("mnist")
    subset = take_fraction(mnist, options.fraction, seed=SEARCH_SEED)
    accuracies: dict[str, list[float]] = {name: [] for name in recipes}
    for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
        for name, recipe in recipes.items():
            estimator = recipe.create_estimator(random_state=seed).fit(subset.train_images, subset.train_labels)
            accuracies[name].append(float(estimator.score(mnist.test_images, mnist.test_labels)))
            print(f"seed {seed}, {name}: {accuracies[name][-1]:.4f} in {estimator.fit_seconds_:.1f} s", flush=True)
    gains = [found - own for own, found in zip(*accuracies.values(), strict=True)]
    best = recipes["best"]
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    write_result(
        "tuning",
        {
            "recipe": options.recipe,
            "minutes": options.minutes,
            "training images": len(subset.train_labels),
            "trials": len(result.trials),
            "best settings": {"network": best.network, "training": best.training, "augmentation": best.augmentation},
            "accuracy": {
                name: {"mean": statistics.mean(each), "sd": statistics.stdev(each), "each": each}
                for name, each in accuracies.items()
            },
            "gain": {
                "mean": statistics.mean(gains),
                "standard error": error,
                "gain in standard errors": statistics.mean(gains) / error,
            },
        },
    )


if __name__ == "__main__":
    main()
