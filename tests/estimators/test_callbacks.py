"""Parameter `callbacks` of a classifier."""

import numpy as np
import pytest
from skorch.callbacks import Callback

from skconv.estimators import CNNClassifier
from skconv.exceptions import ParameterError


@pytest.mark.parametrize("callbacks", [[print], [lambda net: None], [("mine", len)], [object()], Callback(), [dict]])
def test_callbacks_must_be_of_skorch(callbacks):
    X = np.zeros((20, 8, 8), np.uint8)
    with pytest.raises(ParameterError, match="'callbacks' parameter must be a list"):
        CNNClassifier("fast", callbacks=callbacks).fit(X, np.arange(20) % 2)
