"""Candidates of recipe `auto` for tests, with images that a short training separates."""

from dataclasses import replace

import numpy as np

from skconv.auto.trials import Candidate
from skconv.data.dataset import Dataset
from skconv.recipes import load_recipe


def make_dataset(n, sizes=(0.5, 0.5), **splits):
    """Return images whose brightness is their class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), [round(size * n) for size in sizes])
    images = rng.integers(0, 60, (len(labels), 12, 12), np.uint8) + (80 * labels[:, None, None]).astype(np.uint8)
    return Dataset("shades", images, labels, tuple(f"shade {k}" for k in range(len(sizes))), **splits)


def make_candidate(dataset, name="fast", **training):
    """Return a candidate with the network `fast`."""
    recipe = load_recipe("fast")
    settings = {"max_epochs": 2, "batch_size": 32, **training}
    recipe = replace(recipe, name=name, training=settings, network={"name": "fast"}, figures={})
    return Candidate(name, recipe, dataset, dataset)
