"""What does a model of other images give to a training with few of one's own?

    SKCONV_DATA=FOLDER python benchmarks/transfer.py MODEL [--of-a-class 10] [--runs 5] [--freeze 0.5]

MODEL is a run of `skconv train mnist --recipe standard`. The same recipe is then trained on USPS, made 28×28 by
resizing alone, on ten labelled images a class, once from random weights and once from the model's; both are scored
on USPS' 2,007 test images. Each run takes other images and another seed, the same for both ways.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from report import write_result

from skconv import load_dataset, load_recipe


def choose(labels: np.ndarray, of_a_class: int, seed: int) -> np.ndarray:
    """Return the positions of so many images of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == label), of_a_class, replace=False) for label in np.unique(labels)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--of-a-class", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--freeze", type=float, default=0.5)
    options = parser.parse_args()
    usps = load_dataset("usps", image_size=(28, 28))
    initialised = {"init_from": options.model, "freeze_fraction": options.freeze_fraction}
    ways = {"from scratch": {}, "from the model": initialised}
    accuracies: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(options.runs):
        chosen = choose(usps.train_labels, options.of_a_class, seed)
        for name, settings in ways.items():
            # Of so few images none is held out.
            estimator = load_recipe("standard").create_estimator(random_state=seed)
            estimator.set_params(validation_fraction=0.0, **settings)
            estimator.fit(usps.train_images[chosen], usps.train_labels[chosen])
            accuracies[name].append(float(estimator.score(usps.test_images, usps.test_labels)))
            print(f"seed {seed}, {name}: {accuracies[name][-1]:.4f} in {estimator.fit_seconds_:.0f} s", flush=True)
    gains = [with_ - without for without, with_ in zip(*accuracies.values(), strict=True)]
    write_result(
        "transfer",
        {
            "images of a class": options.of_a_class,
            "runs": options.runs,
            "test images": len(usps.test_labels),
            "accuracy": {
                name: {"mean": statistics.mean(found), "sd": statistics.stdev(found), "each": found}
                for name, found in accuracies.items()
            },
            "points gained": {"mean": 100 * statistics.mean(gains), "sd": 100 * statistics.stdev(gains)},
        },
    )


if __name__ == "__main__":
    main()
