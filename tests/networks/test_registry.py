import numpy as np
import pytest

from skconv.exceptions import ParameterError
from skconv.networks import create_network

SHAPE = {"in_channels": 1, "image_size": (28, 28), "num_classes": 10}


def test_option_may_be_a_numpy_number():
    assert create_network("fast", crop=np.int64(2), **SHAPE).crop == 2


@pytest.mark.parametrize("crop", [True, 1.5, np.float64(2), "2", -1])
def test_option_of_another_kind_is_refused(crop):
    with pytest.raises(ParameterError, match="a whole number in 0"):
        create_network("fast", crop=crop, **SHAPE)
