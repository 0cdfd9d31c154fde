"""Convolutional networks for small pictures, under scikit-learn's interface.

Every public name is imported when it is first used: `import skconv` loads neither torch nor scikit-learn.

Examples
--------
>>> import skconv
>>> skconv.list_recipes()[:3]
['accurate', 'fashion', 'fast']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skconv.data.catalog import list_datasets
    from skconv.data.contests import make_contest
    from skconv.data.dataset import Dataset
    from skconv.data.sources import load_dataset
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
    from skconv.networks import create_network, list_networks
    from skconv.pictures.normalization import normalize_digit
    from skconv.reader import Reader
    from skconv.recipes import list_recipes, load_recipe
    from skconv.workflows.audit import audit
    from skconv.workflows.contests import check_contest
    from skconv.workflows.cross_validate import cross_validate
    from skconv.workflows.ensemble import ensemble
    from skconv.workflows.evaluate import evaluate
    from skconv.workflows.explain import explain
    from skconv.workflows.export import export
    from skconv.workflows.predict import predict
    from skconv.workflows.read import read
    from skconv.workflows.report import report
    from skconv.workflows.train import train
    from skconv.workflows.tune import tune

__all__ = [
    "CNNClassifier",
    "ClusterError",
    "DataError",
    "Dataset",
    "DownloadError",
    "KFoldEnsembleClassifier",
    "ModelFileError",
    "OutputError",
    "ParameterError",
    "ProcessLostError",
    "Reader",
    "RecipeError",
    "SkconvError",
    "SourceNotFoundError",
    "TrainingError",
    "UnknownNameError",
    "audit",
    "check_contest",
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
    "make_contest",
    "normalize_digit",
    "predict",
    "read",
    "report",
    "train",
    "tune",
]

_HOMES = {
    "CNNClassifier": "skconv.estimators",
    "Dataset": "skconv.data.dataset",
    "KFoldEnsembleClassifier": "skconv.estimators",
    "Reader": "skconv.reader",
    "audit": "skconv.workflows.audit",
    "check_contest": "skconv.workflows.contests",
    "create_network": "skconv.networks",
    "cross_validate": "skconv.workflows.cross_validate",
    "ensemble": "skconv.workflows.ensemble",
    "evaluate": "skconv.workflows.evaluate",
    "explain": "skconv.workflows.explain",
    "export": "skconv.workflows.export",
    "list_datasets": "skconv.data.catalog",
    "list_networks": "skconv.networks",
    "list_recipes": "skconv.recipes",
    "load_dataset": "skconv.data.sources",
    "load_recipe": "skconv.recipes",
    "make_contest": "skconv.data.contests",
    "normalize_digit": "skconv.pictures.normalization",
    "predict": "skconv.workflows.predict",
    "read": "skconv.workflows.read",
    "report": "skconv.workflows.report",
    "train": "skconv.workflows.train",
    "tune": "skconv.workflows.tune",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("skconv")
    elif name in __all__:
        from importlib import import_module

        value = getattr(import_module(_HOMES.get(name, "skconv.exceptions")), name)
    else:
        raise AttributeError(f"module 'skconv' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
