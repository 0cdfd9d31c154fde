"""scikit-learn's estimator checks, without expected failures."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier


@pytest.mark.slow
@parametrize_with_checks([CNNClassifier()])
def test_sklearn_check_passes(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.exhaustive
@parametrize_with_checks([KFoldEnsembleClassifier()])
def test_sklearn_check_of_ensemble_passes(estimator, check):
    check(estimator)
