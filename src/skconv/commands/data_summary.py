"""Say on standard error what a training is about to be fed, as tutorials do."""

from __future__ import annotations

import math
import sys

import numpy as np

from skconv.data.dataset import Dataset

_LABELS_TOLD = 10


def describe_data(dataset: Dataset, *, batch_size: int, held_out: float = 0.0) -> None:
    """Print the shapes of the data and of one batch, the first labels and the first image.

    Parameters
    ----------
    dataset : Dataset
        With both splits.
    batch_size : int
        Images a step.
    held_out : float, default=0
        Share of the training images that is held out for validation.
    """
    channels = 1 if len(dataset.image_shape) == 2 else 3
    height, width = dataset.image_shape[:2]
    n_train = len(dataset.train_labels) - math.ceil(held_out * len(dataset.train_labels))
    lines = [f"{dataset.name}: training images {dataset.train_images.shape}, labels {dataset.train_labels.shape}"]
    if dataset.test_images is not None and dataset.test_labels is not None:
        lines.append(f"test images {dataset.test_images.shape}, labels {dataset.test_labels.shape}")
    labels = ", ".join(dataset.class_names[label] for label in dataset.train_labels[:_LABELS_TOLD])
    lines += [
        f"one batch: images ({min(batch_size, n_train)}, {channels}, {height}, {width})",
        f"first labels: {labels}",
        "first image:",
        np.array2string(dataset.train_images[0], threshold=100, edgeitems=4),
    ]
    print("\n".join(lines), file=sys.stderr)
