"""Medians and quartiles against NumPy's, bit for bit: what the bundled model learned from depends on them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skconv.digits.preprocess.ranks import median, upper_quartile

VALUES = arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 255, width=32))


@given(VALUES)
def test_rank_is_that_of_numpy(values):
    assert median(values) == float(np.median(values))
    assert upper_quartile(values) == np.percentile(values, 75)


@pytest.mark.parametrize(
    "values", [np.arange(6), np.arange(7)[::-1], np.ones((3, 4), int), np.eye(3, dtype=bool).sum(1)]
)
def test_median_of_whole_numbers_and_tables_is_that_of_numpy(values):
    assert median(values) == float(np.median(values))
