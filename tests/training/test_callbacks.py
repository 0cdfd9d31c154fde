"""The statistics of batch norm after a short training, from a real fit on rows that are sorted by class."""

import numpy as np
import torch

from skconv import CNNClassifier


def test_settled_statistics_are_those_of_all_classes_though_rows_are_sorted():
    labels = np.repeat([0, 1], 6000)  # more than are put in order by their content
    noise = np.random.default_rng(0).integers(0, 40, (len(labels), 8, 8))
    images = (noise + 180 * labels[:, None, None]).astype(np.uint8)  # first all dark ones, then all bright ones
    classifier = CNNClassifier("fast", max_epochs=1, batch_size=3000, random_state=0).fit(images, labels)
    network = classifier.net_.module_
    with torch.no_grad():
        features = network.blocks[1][0](network.input_normalization(torch.from_numpy(images)[:, None].float()))
    norm = network.blocks[1][1]
    assert torch.allclose(norm.running_mean, features.mean((0, 2, 3)), atol=0.1)
    assert torch.allclose(norm.running_var, features.var((0, 2, 3)), rtol=0.1)
