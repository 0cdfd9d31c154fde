"""scikit-learn's own checks of an estimator: all of them, at default parameters, none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skconv.estimators import CNNClassifier


@pytest.mark.slow
@parametrize_with_checks([CNNClassifier()])
def test_sklearn_check_passes(estimator, check):
    check(estimator)
