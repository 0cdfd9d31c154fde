"""The statistics of batch norm after a short training, from a real fit on rows that are sorted by class."""

import numpy as np
import torch

from skconv import CNNClassifier


def fit_sorted(n: int) -> tuple[CNNClassifier, np.ndarray]:
    """Fit a few steps on dark pictures of one class, then bright ones of the other."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], n // 2)
    images = (random.integers(0, 40, (n, 8, 8)) + 180 * labels[:, None, None]).astype(np.uint8)
    return CNNClassifier("fast", max_epochs=1, batch_size=n // 4, random_state=0).fit(images, labels), images


def test_settled_statistics_are_those_of_all_classes_though_rows_are_sorted():
    classifier, images = fit_sorted(12_000)  # more than are put in order by their content
    network = classifier.net_.module_
    with torch.no_grad():
        features = network.blocks[1][0](network.scaling(torch.from_numpy(images)[:, None].float()))
    norm = network.blocks[1][1]
    assert torch.allclose(norm.running_mean, features.mean((0, 2, 3)), atol=0.1)
    assert torch.allclose(norm.running_var, features.var((0, 2, 3)), rtol=0.1)
