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
    from skconv.commands.audit import audit as audit
    from skconv.commands.compare import compare as compare
    from skconv.commands.cross_validate import cross_validate as cross_validate
    from skconv.commands.ensemble import ensemble as ensemble
    from skconv.commands.evaluate import evaluate as evaluate
    from skconv.commands.explain import explain as explain
    from skconv.commands.export import export as export
    from skconv.commands.init_service import init_service as init_service
    from skconv.commands.predict import predict as predict
    from skconv.commands.read import read as read
    from skconv.commands.report import report as report
    from skconv.commands.train import train as train
    from skconv.commands.tune import tune as tune
    from skconv.competitions.making import make_competition as make_competition
    from skconv.competitions.submissions import check_competition as check_competition
    from skconv.data.catalog.lookup import list_datasets as list_datasets
    from skconv.data.dataset import Dataset as Dataset
    from skconv.data.loading import load_dataset as load_dataset
    from skconv.data.tables.image_tables import load_images as load_images
    from skconv.digits.preprocess.normalization import normalize_digit as normalize_digit
    from skconv.estimators import CNNClassifier as CNNClassifier, KFoldEnsembleClassifier as KFoldEnsembleClassifier
    from skconv.exceptions import (
        ClusterError as ClusterError,
        DataError as DataError,
        DownloadError as DownloadError,
        ModelFileError as ModelFileError,
        OutputError as OutputError,
        ParameterError as ParameterError,
        ProcessLostError as ProcessLostError,
        RecipeError as RecipeError,
        SkconvError as SkconvError,
        SourceNotFoundError as SourceNotFoundError,
        TrainingError as TrainingError,
        UnknownNameError as UnknownNameError,
    )
    from skconv.inference import OnnxClassifier as OnnxClassifier
    from skconv.networks import create_network as create_network, list_networks as list_networks
    from skconv.recipes import list_recipes as list_recipes, load_recipe as load_recipe

_ERRORS = (
    "ClusterError DataError DownloadError ModelFileError OutputError ParameterError ProcessLostError RecipeError "
    "SkconvError SourceNotFoundError TrainingError UnknownNameError"
)
# Module of each public name; the imports above repeat the list for type checkers.
_MODULES = {
    **dict.fromkeys(_ERRORS.split(), "skconv.exceptions"),
    "CNNClassifier": "skconv.estimators",
    "Dataset": "skconv.data.dataset",
    "KFoldEnsembleClassifier": "skconv.estimators",
    "OnnxClassifier": "skconv.inference",
    "audit": "skconv.commands.audit",
    "check_competition": "skconv.competitions.submissions",
    "compare": "skconv.commands.compare",
    "create_network": "skconv.networks",
    "cross_validate": "skconv.commands.cross_validate",
    "ensemble": "skconv.commands.ensemble",
    "evaluate": "skconv.commands.evaluate",
    "explain": "skconv.commands.explain",
    "export": "skconv.commands.export",
    "init_service": "skconv.commands.init_service",
    "list_datasets": "skconv.data.catalog.lookup",
    "list_networks": "skconv.networks",
    "list_recipes": "skconv.recipes",
    "load_dataset": "skconv.data.loading",
    "load_images": "skconv.data.tables.image_tables",
    "load_recipe": "skconv.recipes",
    "make_competition": "skconv.competitions.making",
    "normalize_digit": "skconv.digits.preprocess.normalization",
    "predict": "skconv.commands.predict",
    "read": "skconv.commands.read",
    "report": "skconv.commands.report",
    "train": "skconv.commands.train",
    "tune": "skconv.commands.tune",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("skconv")
    elif name in _MODULES:
        from importlib import import_module

        value = getattr(import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'skconv' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, "__version__"})
