"""Calibration of recipe `standard`, and coverage of its prediction sets.

    python benchmarks/confidence.py [--seeds 5] [--splits 100] [--sources mnist fashion-mnist]

Expected calibration error (15 bins) and log loss on the test split, before and after calibration on the validation
split. For prediction sets, the predictions of the test images are split at random, again and again: 3,000 calibrate the
sets, the rest are evaluated. Each random order is rotated to ten positions, so that every image calibrates equally
often, which lowers the variance of the mean.
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
N_ROTATIONS = 10


def split_randomly(n: int, n_splits: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield calibration and evaluation positions, `n_splits` times."""
    for split in range(n_splits):
        rotation = split % N_ROTATIONS
        if rotation == 0:
            permutation = rng.permutation(n)
        order = np.roll(permutation, rotation * (n // N_ROTATIONS))
        yield order[:N_CALIBRATING], order[N_CALIBRATING:]


def run(source: str, seed: int, n_splits: int) -> dict[str, float]:
    """Train without and with calibration, and return the figures."""
    dataset, recipe = load_dataset(source), load_recipe("standard")
    plain, calibrated = (  # of the same weights, because of the same seed
        recipe.create_estimator(random_state=seed)
        .set_params(calibrate=calibrate)
        .fit(dataset.train_images, dataset.train_labels)
        for calibrate in (False, True)
    )
    labels = np.asarray(dataset.test_labels)
    before = plain.predict_proba(dataset.test_images)
    probabilities = calibrated.predict_proba(dataset.test_images).astype(np.float64)
    run_figures = {"seconds": calibrated.fit_seconds_, "temperature": calibrated.held_out_.temperature}
    for name, predictions in {"before": before, "after": probabilities}.items():
        scores = score_predictions(labels, predictions)
        run_figures |= {f"{name}: accuracy": scores.accuracy}
        run_figures |= {f"{name}: calibration error": scores.expected_calibration_error}
        run_figures |= {f"{name}: log loss": scores.negative_log_likelihood}
    rng = np.random.default_rng(seed)
    for level in LEVELS:
        coverages, sizes = [], []
        for calibration, evaluation in split_randomly(len(labels), n_splits, rng):
            sets = predict_sets(probabilities[calibration], labels[calibration], probabilities[evaluation], level)
            coverages.append(sets[np.arange(len(evaluation)), labels[evaluation]].mean())
            sizes.append(sets.sum(1).mean())
        run_figures |= {
            f"sets at {level}: coverage": float(np.mean(coverages)),
            f"sets at {level}: size": float(np.mean(sizes)),
        }
    print(source, seed, {name: round(value, 5) for name, value in run_figures.items()}, flush=True)
    return run_figures


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
