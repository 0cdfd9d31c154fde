"""Convolutional networks for small images under scikit-learn's interface.

Public names are imported at first use, so that `import skconv` loads neither torch nor scikit-learn.

Examples
--------
>>> import skconv
>>> skconv.list_recipes()[:3]
['accurate', 'fashion', 'fast']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skconv.commands.audit import audit
    from skconv.commands.cross_validate import cross_validate
    from skconv.commands.ensemble import ensemble
    from skconv.commands.evaluate import evaluate
    from skconv.commands.explain import explain
    from skconv.commands.export import export
    from skconv.commands.predict import predict
    from skconv.commands.read import read
    from skconv.commands.report import report
    from skconv.commands.train import train
    from skconv.commands.tune import tune
    from skconv.competitions.checking import check_competition
    from skconv.competitions.making import make_competition
    from skconv.data.catalog import list_datasets
    from skconv.data.dataset import Dataset
    from skconv.data.sources import load_dataset
    from skconv.digits.preprocess.normalization import normalize_digit
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
    from skconv.exceptions import (
        ClusterError,
        DataError,
        DownloadError,
        ModelFileError,
        OutputError,
        ParameterError,
        ProcessLostError,
        RecipeError,
        SkconvError,
        SourceNotFoundError,
        TrainingError,
        UnknownNameError,
    )
    from skconv.inference import OnnxClassifier
    from skconv.networks import create_network, list_networks
    from skconv.recipes import list_recipes, load_recipe

__all__ = [
    "CNNClassifier",
    "ClusterError",
    "DataError",
    "Dataset",
    "DownloadError",
    "KFoldEnsembleClassifier",
    "ModelFileError",
    "OnnxClassifier",
    "OutputError",
    "ParameterError",
    "ProcessLostError",
    "RecipeError",
    "SkconvError",
    "SourceNotFoundError",
    "TrainingError",
    "UnknownNameError",
    "audit",
    "check_competition",
    "create_network",
    "cross_validate",
    "ensemble",
    "evaluate",
    "explain",
    "export",
    "list_datasets",
    "list_networks",
    "list_recipes",
    "load_dataset",
    "load_recipe",
    "make_competition",
    "normalize_digit",
    "predict",
    "read",
    "report",
    "train",
    "tune",
]

_MODULES = {
    "CNNClassifier": "skconv.estimators",
    "Dataset": "skconv.data.dataset",
    "KFoldEnsembleClassifier": "skconv.estimators",
    "OnnxClassifier": "skconv.inference",
    "audit": "skconv.commands.audit",
    "check_competition": "skconv.competitions.checking",
    "create_network": "skconv.networks",
    "cross_validate": "skconv.commands.cross_validate",
    "ensemble": "skconv.commands.ensemble",
    "evaluate": "skconv.commands.evaluate",
    "explain": "skconv.commands.explain",
    "export": "skconv.commands.export",
    "list_datasets": "skconv.data.catalog",
    "list_networks": "skconv.networks",
    "list_recipes": "skconv.recipes",
    "load_dataset": "skconv.data.sources",
    "load_recipe": "skconv.recipes",
    "make_competition": "skconv.competitions.making",
    "normalize_digit": "skconv.digits.preprocess.normalization",
    "predict": "skconv.commands.predict",
    "read": "skconv.commands.read",
    "report": "skconv.commands.report",
    "train": "skconv.commands.train",
    "tune": "skconv.commands.tune",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("skconv")
    elif name in __all__:
        from importlib import import_module

        value = getattr(import_module(_MODULES.get(name, "skconv.exceptions")), name)
    else:
        raise AttributeError(f"module 'skconv' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
