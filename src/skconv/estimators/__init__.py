"""Convolutional networks as scikit-learn estimators."""

from skconv.estimators.classifier import CNNClassifier
from skconv.estimators.ensemble import KFoldEnsembleClassifier

__all__ = ["CNNClassifier", "KFoldEnsembleClassifier"]
