"""Training on a GPU: seconds, accuracy, and synchronisations per step.

    python benchmarks/gpu.py [--recipes fast standard accurate] [--seeds 3]

Training is timed from uint8 images in memory to final weights. Synchronisations are those that CUDA reports
(``torch.cuda.set_sync_debug_mode``) in a training of two epochs minus those in one epoch. `overhead.py --device cuda`
compares with a bare loop.
"""

from __future__ import annotations

import argparse
import statistics
import warnings

import numpy as np
import torch
from report import write_result

from skconv import CNNClassifier, load_dataset, load_recipe


def create(recipe: str, seed: int, **parameters) -> CNNClassifier:
    return load_recipe(recipe).create_estimator(random_state=seed, device="cuda").set_params(**parameters)


def train(recipe: str, seeds: int) -> dict:
    """Return seconds and test accuracies of a recipe on its own data."""
    dataset = load_dataset(load_recipe(recipe).data.source)
    images, labels = np.array(dataset.train_images), np.array(dataset.train_labels)
    seconds, accuracies = [], []
    for seed in range(seeds):
        torch.cuda.reset_peak_memory_stats()
        estimator = create(recipe, seed).fit(images, labels)
        seconds.append(estimator.fit_seconds_)
        accuracies.append(float(estimator.score(dataset.test_images, dataset.test_labels)))
        print(f"{recipe}, seed {seed}: {seconds[-1]:.2f} s, {accuracies[-1]:.4f}", flush=True)
    steps = sum(len(epoch["batches"]) for epoch in estimator.net_.history)
    return {
        "accuracy": statistics.mean(accuracies),
        "accuracy sd": statistics.stdev(accuracies) if seeds > 1 else None,
        "seconds": seconds,
        "milliseconds per step": 1000 * statistics.median(seconds) / steps,
        "peak MiB": torch.cuda.max_memory_allocated() / 2**20,
        "synchronizations per step": count_synchronizations(recipe, images, labels),
    }


def count_synchronizations(recipe: str, images: np.ndarray, labels: np.ndarray) -> float:
    counts = []
    for epochs in (1, 2):
        short = create(recipe, 0, max_epochs=epochs, min_steps=0, validation_fraction=0.0, patience=None)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            short.fit(images[:12800], labels[:12800])
            torch.cuda.set_sync_debug_mode("default")
        reported = [each for each in caught if "synchroniz" in str(each.message)]
        counts.append(len(reported))
    for location in sorted({f"{each.filename}:{each.lineno}" for each in reported}):
        print(f"  synchronises at {location}")
    return (counts[1] - counts[0]) / len(short.net_.history[-1]["batches"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["fast", "standard", "accurate"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(1, "torch finds no CUDA GPU.\n")
    images = np.random.default_rng(0).integers(0, 256, (600, 28, 28), dtype=np.uint8)
    create(options.recipes[0], 0, max_epochs=1, min_steps=0).fit(images, np.arange(600) % 10)  # initialises CUDA
    figures = {recipe: train(recipe, options.seeds) for recipe in options.recipes}
    write_result("gpu", figures)


if __name__ == "__main__":
    main()
