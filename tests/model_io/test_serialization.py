import numpy as np
import pytest

from skconv.exceptions import ModelFileError
from skconv.model_io.serialization import copy_json


def test_copy_json_converts_numpy_numbers():
    copied = copy_json(
        {"batch_size": np.int64(64), "network": {"widths": (np.int32(8), np.float32(0.5))}}, "parameters"
    )
    assert copied == {"batch_size": 64, "network": {"widths": [8, 0.5]}}
    assert type(copied["batch_size"]) is int


@pytest.mark.parametrize("value", [np.zeros(2), np.float32("nan"), object()])
def test_copy_json_refuses_values_that_json_cannot_hold(value):
    with pytest.raises(ModelFileError, match="parameters cannot be saved as JSON"):
        copy_json({"value": value}, "parameters")
