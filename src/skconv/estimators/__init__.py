"""Convolutional networks as scikit-learn estimators."""

from skconv.estimators.classifier import CNNClassifier

__all__ = ["CNNClassifier"]
