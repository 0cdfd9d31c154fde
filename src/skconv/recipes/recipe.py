"""`Recipe`: settings of an experiment (data, network, training, report), loaded from a TOML file."""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.data.spec import DataSpec
from skconv.exceptions import RecipeError, SkconvError
from skconv.recipes.schema import check_document
from skconv.recipes.toml import update_text
from skconv.registry import RECIPES
from skconv.signature import expand_paths

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier

_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Recipe:
    """Settings of an experiment: data, network, training and report.

    Parameters
    ----------
    name : str
        Name of the file without ``.toml``.
    title : str
        Purpose of the recipe, in one line.
    text : str
        TOML source of the recipe, used by `to_toml`.
    data : DataSpec
        Data set and its options; `source` is None if the recipe suits any data.
    network : dict
        ``name`` and options.
    training : dict
        Parameters of `CNNClassifier`.
    augmentation : dict or list of dict
        Parameter `augmentation` of `CNNClassifier`; empty for none.
    class_weight : dict
        Weights of classes in training, by class name; the weight of other classes is 1.
    prior : dict
        Name and expected fraction of one class among the images to predict; see `CNNClassifier.adjust_prior`.
    calibration : dict
        ``biases``: whether to calibrate a bias per class in addition to the temperature; true by default.
    ensemble : dict
        ``folds``, ``stratified`` and ``average`` of a k-fold ensemble; empty for a single network.
    report : dict
        Settings of the output that a run prints and writes.
    auto : dict
        ``candidates``, names or files of the recipes that recipe `auto` compares; empty for other recipes.
    figures : dict
        Claimed and measured accuracy; not used by a run.
    """

    name: str
    title: str
    text: str
    data: DataSpec = field(default_factory=DataSpec)
    network: dict[str, Any] = field(default_factory=lambda: {"name": "plain"})
    training: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] | list[dict[str, Any]] = field(default_factory=dict)
    class_weight: dict[str, float] = field(default_factory=dict)
    prior: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    ensemble: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    auto: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Default seed of a run."""
        return self.training.get("random_state", 0)

    def to_toml(self) -> str:
        """Return the recipe as TOML: its text with the changed sections replaced and comments retained."""
        return update_text(self)

    def create_estimator(
        self,
        dataset: Dataset | None = None,
        *,
        random_state: int | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> CNNClassifier | KFoldEnsembleClassifier:
        """Return the unfitted classifier of this recipe, or an ensemble if the recipe has a section [ensemble].

        Parameters
        ----------
        dataset : Dataset, optional
            Training data, required to find the classes of `class_weight`.
        random_state, device, verbose
            As in `CNNClassifier`. If `random_state` is None, the recipe's value is used.

        Raises
        ------
        UnknownNameError
            If the network is unknown.
        RecipeError
            If a value is out of range.
        """
        member = self.create_member(dataset, random_state=random_state, device=device, verbose=verbose)
        if not self.ensemble:
            return member
        return self.create_ensemble(member, dataset, **self.ensemble)

    def create_member(
        self,
        dataset: Dataset | None = None,
        *,
        random_state: int | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> CNNClassifier:
        """Return an unfitted classifier, which may be an ensemble member; parameters as in `create_estimator`."""
        from skconv.estimators import CNNClassifier
        from skconv.estimators.parameters import check_parameters, check_selection
        from skconv.networks.spec import NetworkSpec
        from skconv.training.augmentation import make_augmentation

        spec = NetworkSpec.from_recipe(self.network)
        spec.check()
        settings = dict(self.training)
        if random_state is not None:
            settings["random_state"] = random_state
        if self.class_weight and dataset is not None:
            settings["class_weight"] = encode_classes(self.class_weight, dataset) or None
        is_own_code = spec.factory is not None
        estimator = CNNClassifier(
            spec.factory if is_own_code else self.network,
            **settings,
            **({f"network__{name}": value for name, value in spec.options.items()} if is_own_code else {}),
            calibrate=self._calibrate,
            augmentation=self.augmentation or None,
            callbacks=self._create_callbacks(),
            device=device,
            verbose=verbose,
        )
        parameters = estimator.get_params(deep=False)
        try:
            check_parameters(parameters)
            check_selection(parameters, validated=bool(self.ensemble) or estimator.validation_fraction > 0)
            make_augmentation(estimator.augmentation)
        except SkconvError as error:
            raise RecipeError(f"Recipe '{self.name}': {error}") from error
        return estimator

    def create_ensemble(
        self,
        member: CNNClassifier,
        dataset: Dataset | None = None,
        *,
        folds: int,
        stratified: bool = True,
        average: str = "probabilities",
    ) -> KFoldEnsembleClassifier:
        """Return an unfitted ensemble of clones of `member`, whose random state seeds the folds and the clones.

        Copies of an image are in the same fold, unless `stratified` is False. Images of a group of `dataset`, the
        training data, are in the same fold, with a warning if there are too few groups.
        """
        from sklearn.model_selection import KFold

        from skconv.estimators import KFoldEnsembleClassifier

        cv: Any = folds if stratified else KFold(folds, shuffle=True, random_state=member.random_state)
        if dataset is not None and dataset.groups is not None:
            from skconv.data.group_splits import describe_folds, split_group_folds
            from skconv.data.splitting import find_dependent

            groups = find_dependent(dataset)
            separate = split_group_folds(dataset.train_labels, groups, folds, seed=member.random_state)
            cv = separate or cv
            if not separate:
                warnings.warn(describe_folds(dataset, folds), stacklevel=3)
        return KFoldEnsembleClassifier(
            member,
            cv=cv,
            average=average,
            calibrate=self._calibrate,
            random_state=member.random_state,
            verbose=member.verbose,
        )

    @property
    def _calibrate(self) -> bool | str:
        return True if self.calibration.get("biases", True) else "temperature"

    def _create_callbacks(self) -> list[tuple[str, Any]]:
        from skconv.training.callbacks import PrintEpochs, RecordIterations

        callbacks: list[tuple[str, Any]] = []
        if "record_every" in self.report:
            recorder = RecordIterations(self.report["record_every"], self.report.get("print_every"))
            callbacks.append(("record_iterations", recorder))
        if self.report.get("print_epochs"):
            callbacks.append(("print_epochs", PrintEpochs()))
        return callbacks


def encode_classes(values: Mapping[str, float], dataset: Dataset) -> dict[int, float]:
    """Return a copy of `values` with class names replaced by labels.

    Names without a training image are skipped, because a recipe can be used with data that lacks some of its classes.
    """
    present = set(dataset.train_labels.tolist())
    labels = {name: label for label, name in enumerate(dataset.class_names) if label in present}
    return {labels[name]: value for name, value in values.items() if name in labels}


def list_recipes() -> list[str]:
    """Return the names of all registered recipes, sorted."""
    return RECIPES.names()


@expand_paths
def load_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Load a recipe by name or from a TOML file.

    Parameters
    ----------
    recipe : str or path-like
        Name from `list_recipes`, or path of a file with the suffix ``.toml``.

    Raises
    ------
    UnknownNameError
        If the name is unknown.
    RecipeError
        If the file cannot be read, is not valid TOML, or has unknown keys or values out of range.

    Examples
    --------
    >>> load_recipe("fast").network["name"]
    'fast'
    """
    path = Path(recipe)
    is_file = path.suffix == ".toml"
    if not is_file:
        if (path / "recipe.toml").is_file() and str(recipe) not in RECIPES.names():
            raise RecipeError(f"The recipe {path} is a folder. Did you mean {path / 'recipe.toml'}?")
        path = RECIPES.get(str(recipe))
    text = _read_text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
    if is_file:  # registered recipes are checked by tests instead, because checking augmentations imports torch
        check_document(document, path)
    return Recipe(path.stem, document.pop("title", path.stem), text, **_read_sections(document))


def _read_sections(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Recipe` that are sections of its TOML document."""
    return {**document, "data": read_data(document.get("data", {}))}


def read_data(values: Mapping[str, Any]) -> DataSpec:
    """Return the data specification with the values of a section [data]."""
    return DataSpec(**values)


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RecipeError(f"The recipe {path} is not a file; expected a TOML file of at most 1 MiB.")
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"The recipe {path} is larger than 1 MiB; expected a TOML file of at most 1 MiB.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(list_recipes())
        reason = error.strerror or error
        raise RecipeError(
            f"The recipe {path} cannot be read: {reason}. Pass a TOML file, or the name of a recipe: {names}."
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"The recipe {path} is not a text file in UTF-8. Save it in this encoding.") from error
