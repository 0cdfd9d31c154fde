"""Calibration of an ensemble by the predictions of its members on the folds they were not trained on.

    python benchmarks/ensemble_calibration.py [--images 3000] [--runs 3]

Trains five members of the recipe `fast`, six epochs each, on MNIST's training images, and evaluates on 10,000 others of
them. The calibration of `skconv ensemble` is compared with no calibration and with the temperature that is best on the
10,000 images. The prediction sets of `--coverage` are compared with those by the quantile of the members' predictions,
as for a single network.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace

import numpy as np
from report import write_result
from scipy.special import softmax

from skconv import load_dataset, load_recipe
from skconv.data.dataset import Dataset
from skconv.estimators import KFoldEnsembleClassifier
from skconv.evaluation.conformal import predict_sets
from skconv.evaluation.metrics import score_predictions

N_EVALUATED = 10_000
LEVELS = (0.9, 0.95, 0.99)


def run(dataset: Dataset, n: int, seed: int) -> dict[str, float]:
    chosen = np.random.default_rng(seed).permutation(len(dataset.train_labels))[: n + N_EVALUATED]
    training = replace(
        dataset, train_images=dataset.train_images[chosen[:n]], train_labels=dataset.train_labels[chosen[:n]]
    )
    images, labels = dataset.train_images[chosen[n:]], dataset.train_labels[chosen[n:]]
    recipe = load_recipe("fast")
    member = recipe.create_member().set_params(max_epochs=6)
    plain, calibrated = (  # of the same weights, because of the same seed
        KFoldEnsembleClassifier(member, cv=5, calibrate=calibrate, random_state=seed).fit(
            training.train_images, training.train_labels
        )
        for calibrate in (False, True)
    )
    members = np.stack([each.predict_proba(images) for each in plain.estimators_])
    held_out = calibrated.held_out_
    probabilities = calibrated.predict_proba(images)
    figures = {"temperature": held_out.temperature, "best temperature": find_best_temperature(members, labels)}
    for name, predictions in {
        "uncalibrated": members.mean(0),
        "calibrated": probabilities,
        "at the best temperature": average_at(members, figures["best temperature"]),
    }.items():
        scores = score_predictions(labels, predictions)
        figures |= {f"{name}: accuracy": scores.accuracy, f"{name}: confidence": float(predictions.max(1).mean())}
        figures |= {f"{name}: calibration error": scores.expected_calibration_error}
    for level in LEVELS:
        for name, average in {"sets": "probabilities", "sets by quantile": None}.items():
            sets = predict_sets(held_out.probabilities, held_out.labels, probabilities, level, average=average)
            figures[f"{name} at {level}: coverage"] = float(sets[np.arange(N_EVALUATED), labels].mean())
            figures[f"{name} at {level}: size"] = float(sets.sum(1).mean())
    return figures


def average_at(members: np.ndarray, temperature: float) -> np.ndarray:
    return np.mean([softmax(np.log(each.clip(1e-30)) / temperature, axis=1) for each in members], axis=0)


def find_best_temperature(members: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature of the members that minimises the log loss of their mean."""

    def loss(temperature: float) -> float:
        return score_predictions(labels, average_at(members, temperature)).negative_log_likelihood

    return min((float(each) for each in np.geomspace(0.1, 4, 60)), key=loss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    dataset = load_dataset("mnist")
    runs = [run(dataset, options.images, seed) for seed in range(options.runs)]
    write_result(
        "ensemble_calibration",
        {
            "images": options.images,
            "evaluation images": N_EVALUATED,
            "runs": options.runs,
            "means": {name: statistics.fmean(each[name] for each in runs) for name in runs[0]},
            "standard deviations": {name: statistics.stdev(each[name] for each in runs) for name in runs[0]}
            if len(runs) > 1
            else None,
        },
    )


if __name__ == "__main__":
    main()
