"""Convolutional networks as scikit-learn estimators: `CNNClassifier` and `KFoldEnsembleClassifier`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skconv.estimators.classifier import CNNClassifier
    from skconv.estimators.ensemble import KFoldEnsembleClassifier

__all__ = ["CNNClassifier", "KFoldEnsembleClassifier"]


def __getattr__(name: str) -> Any:
    """Import an estimator when it is used: recipes and the command line read the table of parameters without torch."""
    if name == "CNNClassifier":
        from skconv.estimators.classifier import CNNClassifier

        return CNNClassifier
    if name == "KFoldEnsembleClassifier":
        from skconv.estimators.ensemble import KFoldEnsembleClassifier

        return KFoldEnsembleClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
