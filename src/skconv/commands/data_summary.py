"""Summary of the data of a run, printed before training."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.recipes import Recipe


_N_PRINTED_LABELS = 10


def describe_data(dataset: Dataset, recipe: Recipe) -> str:
    """Return a line that describes the data and the recipe of a run."""
    height, width = dataset.image_shape[:2]
    n_test = 0 if dataset.test_labels is None else len(dataset.test_labels)
    tested = f" and {n_test:,} test" if n_test else ""
    return (
        f"{dataset.name}: {len(dataset.train_labels):,} training{tested} images of {width}×{height}, "
        f"{len(dataset.class_names)} classes; recipe {recipe.name}."
    )


def print_data(dataset: Dataset, *, batch_size: int, validation_fraction: float = 0.0) -> None:
    """Print the shapes of the data and of one batch, the first labels and the first image to standard error."""
    channels = 1 if len(dataset.image_shape) == 2 else 3
    height, width = dataset.image_shape[:2]
    n_train = len(dataset.train_labels) - math.ceil(validation_fraction * len(dataset.train_labels))
    lines = [f"{dataset.name}: training images {dataset.train_images.shape}, labels {dataset.train_labels.shape}"]
    if dataset.test_images is not None and dataset.test_labels is not None:
        lines.append(f"test images {dataset.test_images.shape}, labels {dataset.test_labels.shape}")
    labels = ", ".join(dataset.class_names[label] for label in dataset.train_labels[:_N_PRINTED_LABELS])
    lines += [
        f"one batch: images ({min(batch_size, n_train)}, {channels}, {height}, {width})",
        f"first labels: {labels}",
        "first image:",
        np.array2string(dataset.train_images[0], threshold=100, edgeitems=4),
    ]
    print("\n".join(lines), file=sys.stderr)
