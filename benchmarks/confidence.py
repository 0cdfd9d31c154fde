"""Is the confidence of recipe `standard` right, and do its prediction sets hold the label as often as asked?

    python benchmarks/confidence.py [--seeds 5] [--splits 100] [--sources mnist fashion-mnist]

Calibration error (15 bins) and log loss on the test split, before the calibration on the validation split and after
it. For the sets, the test images' answers are divided at random, again and again: 3,000 to make the sets by,
the rest to count. Each order, drawn at random, is divided at ten places in turn, so that every image calibrates as
often as any other: the mean then varies less with the draw.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator

import numpy as np
from report import write_result

from skconv import load_dataset, load_recipe
from skconv.evaluation.conformal import predict_sets
from skconv.evaluation.metrics import score_predictions

LEVELS = (0.95, 0.99)
N_CALIBRATING = 3000
N_TURNS = 10


def divide(n: int, n_splits: int, chance: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions to make the sets by, and those to count, of so many divisions."""
    for split in range(n_splits):
        turn = split % N_TURNS
        if turn == 0:
            drawn = chance.permutation(n)
        order = np.roll(drawn, turn * (n // N_TURNS))
        yield order[:N_CALIBRATING], order[N_CALIBRATING:]


def run(source: str, seed: int, n_splits: int) -> dict[str, float]:
    """Train once; return the figures."""
    dataset, recipe = load_dataset(source), load_recipe("standard")
    classifier = recipe.create_estimator(random_state=seed).set_params(calibrate=False)
    classifier.fit(dataset.train_images, dataset.train_labels)
    labels = np.asarray(dataset.test_labels)
    before = classifier.predict_proba(dataset.test_images)
    classifier.set_params(calibrate=True)._calibrate()
    held_out = classifier.held_out_
    probabilities = classifier.predict_proba(dataset.test_images).astype(np.float64)
    found = {"seconds": classifier.fit_seconds_, "temperature": held_out.temperature}
    for name, answers in {"before": before, "after": probabilities}.items():
        scores = score_predictions(labels, answers)
        found |= {f"{name}: accuracy": scores.accuracy}
        found |= {f"{name}: calibration error": scores.expected_calibration_error}
        found |= {f"{name}: log loss": scores.negative_log_likelihood}
    chance = np.random.default_rng(seed)
    for level in LEVELS:
        held, sizes = [], []
        for by, of in divide(len(labels), n_splits, chance):
            sets = predict_sets(probabilities[by], labels[by], probabilities[of], level)
            held.append(sets[np.arange(len(of)), labels[of]].mean())
            sizes.append(sets.sum(1).mean())
        found |= {
            f"sets at {level}: hold the label": float(np.mean(held)),
            f"sets at {level}: size": float(np.mean(sizes)),
        }
    print(source, seed, {name: round(value, 5) for name, value in found.items()}, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--sources", nargs="+", default=["mnist", "fashion-mnist"])
    options = parser.parse_args()
    figures: dict[str, object] = {"seeds": options.seeds, "splits": options.splits}
    for source in options.sources:
        runs = [run(source, seed, options.splits) for seed in range(options.seeds)]
        figures[source] = {
            "means": {name: statistics.fmean(each[name] for each in runs) for name in runs[0]},
            "standard deviations": {name: statistics.stdev(each[name] for each in runs) for name in runs[0]}
            if len(runs) > 1
            else None,
        }
    write_result("confidence", figures)


if __name__ == "__main__":
    main()
