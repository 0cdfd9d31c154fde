"""Transfer learning: gain of initialising from a pretrained model with few images.

    SKCONV_DATA=FOLDER python benchmarks/transfer.py MODEL [--per-class 10] [--runs 5] [--freeze 0.5]

MODEL is a run of `skconv train mnist --recipe standard`. The same recipe is trained on USPS, resized to 28×28, on ten
images per class, from random weights and from the model's; both are evaluated on USPS' 2,007 test images. Each run uses
other images and another seed, the same for both.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from report import write_result

from skconv import load_dataset, load_recipe


def choose(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Return the positions of `per_class` random images of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == label), per_class, replace=False) for label in np.unique(labels)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--per-class", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--freeze", type=float, default=0.5)
    options = parser.parse_args()
    usps = load_dataset("usps", image_size=(28, 28))
    initialised = {"init_from": options.model, "freeze_fraction": options.freeze}
    settings_by_name = {"from scratch": {}, "from a model": initialised}
    accuracies: dict[str, list[float]] = {name: [] for name in settings_by_name}
    for seed in range(options.runs):
        chosen = choose(usps.train_labels, options.per_class, seed)
        for name, settings in settings_by_name.items():
            # Too few images for a validation split.
            estimator = load_recipe("standard").create_estimator(random_state=seed)
            estimator.set_params(validation_fraction=0.0, **settings)
            estimator.fit(usps.train_images[chosen], usps.train_labels[chosen])
            accuracies[name].append(float(estimator.score(usps.test_images, usps.test_labels)))
            print(f"seed {seed}, {name}: {accuracies[name][-1]:.4f} in {estimator.fit_seconds_:.0f} s", flush=True)
    gains = [loaded - random for random, loaded in zip(*accuracies.values(), strict=True)]
    write_result(
        "transfer",
        {
            "images per class": options.per_class,
            "runs": options.runs,
            "test images": len(usps.test_labels),
            "accuracy": {
                name: {"mean": statistics.mean(each), "sd": statistics.stdev(each), "each": each}
                for name, each in accuracies.items()
            },
            "gain in points": {"mean": 100 * statistics.mean(gains), "sd": 100 * statistics.stdev(gains)},
        },
    )


if __name__ == "__main__":
    main()
