"""Fixtures of the tests of synthetic data."""

import numpy as np
import pytest

from skconv import load_dataset


@pytest.fixture(scope="module")
def digits():
    mnist = load_dataset("mnist")
    return np.array(mnist.train_images[:200]), np.array(mnist.train_labels[:200])
