"""scikit-learn's estimator checks, without expected failures."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier


class UsersNetwork(nn.Module):
    """A module of a user; the checks have rows of any length."""

    def __init__(self, num_classes, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, num_classes))

    def forward(self, images):
        return self.layers(images)


@pytest.mark.slow
@parametrize_with_checks([CNNClassifier(), CNNClassifier(UsersNetwork, network__width=16)])
def test_sklearn_check_passes(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.exhaustive
@parametrize_with_checks([KFoldEnsembleClassifier()])
def test_sklearn_check_of_ensemble_passes(estimator, check):
    check(estimator)
