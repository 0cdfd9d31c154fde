"""Convolutional networks as scikit-learn estimators: `CNNClassifier` and `KFoldEnsembleClassifier`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skconv.estimators.classifier import CNNClassifier
    from skconv.estimators.ensemble import KFoldEnsembleClassifier

__all__ = ["CNNClassifier", "KFoldEnsembleClassifier"]


def __getattr__(name: str) -> Any:
    """Import an estimator on first use, so that the table of parameters can be imported without torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from skconv.estimators import classifier, ensemble

    return getattr(classifier if name == "CNNClassifier" else ensemble, name)
