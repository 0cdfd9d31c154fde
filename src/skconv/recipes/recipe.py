"""Recipes: what to train, on what and how, as a TOML file that a user can copy and change."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ParameterError, RecipeError, SkconvError
from skconv.recipes.schema import check_document
from skconv.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from skconv.data.dataset import Dataset
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier

RECIPES: Registry[Path] = Registry("recipes", "recipe")  # TOML files
_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Recipe:
    """A complete experiment.

    Parameters
    ----------
    name : str
        The file's name without ``.toml``.
    title : str
        One line on what it is for.
    text : str
        The TOML as it stands.
    source : str or None
        The data set it is made for; None where any will do.
    test_fraction : float or None
        All images of that data set are split anew, so much of them for testing; None keeps the data's own split.
    split_seed : int or None
        Decides that split, or without `test_fraction` which images are held out where the data has no test split;
        None takes the seed of the run.
    images, label_column : str or None
        What `load_dataset` is told of that data.
    normalize : {"digit"} or None
        How an image is normalised for the trained model; None for not at all.
    image_size : (height, width) or None
        In pixels, what every image is brought to; None leaves the size as it is.
    network : dict
        ``name`` and options.
    training : dict
        Parameters of `CNNClassifier`; `random_state` is the seed of a run that names none.
    augmentation : dict or list of dict
        Settings of `skconv.training.augmentation.Augmentation` and `skconv.digits.augmentation.Handwriting`; empty
        for none, several for one after the other.
    class_weight : dict
        How much an image of a class weighs in training, by the class's name; 1 for those not named.
    prior : dict
        The share of one class, by its name, among the images that the model will be asked about, where that is not
        its share of the training images: the finished model is corrected for it.
    calibration : dict
        ``biases``: whether the finished model's logits are shifted by class, as fits held-out images; true where
        nothing is said. Without, its confidences alone are mended, and no answer changes.
    ensemble : dict
        ``folds``, ``stratified`` and ``average`` of a k-fold ensemble; empty for a single network.
    report : dict
        What is printed and recorded on the way.
    figures : dict
        What is claimed and what was measured, for people.
    """

    name: str
    title: str
    text: str
    source: str | None = None
    test_fraction: float | None = None
    split_seed: int | None = None
    images: str | None = None
    label_column: str | None = None
    normalize: str | None = None
    image_size: tuple[int, int] | None = None
    network: dict[str, Any] = field(default_factory=lambda: {"name": "standard"})
    training: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] | list[dict[str, Any]] = field(default_factory=dict)
    class_weight: dict[str, float] = field(default_factory=dict)
    prior: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    ensemble: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed of a run that is given no other."""
        return self.training.get("random_state", 0)

    def check_source(self) -> str:
        """Return the name or place of the recipe's data, if there is something; it costs nothing.

        Raises
        ------
        ParameterError
            The recipe names none.
        SourceNotFoundError
            What it names is no known data set, file or folder.
        """
        from skconv.data.sources import check_source

        if self.source is None:
            raise ParameterError(
                f"No data given, and recipe {self.name} names none. Name a data set, a file or a folder."
            )
        check_source(self.source)
        return self.source

    def load_data(self, *, data_home: str | os.PathLike[str] | None = None, progress: bool = False) -> Dataset:
        """Return the data that the recipe names, in the form that it names; parameters and errors of `load_dataset`."""
        from skconv.data.sources import load_dataset

        return load_dataset(
            self.check_source(),
            data_home=data_home,
            images=self.images,
            label_column=self.label_column,
            image_size=self.image_size,
            normalize=self.normalize,
            progress=progress,
        )

    def create_estimator(
        self,
        *,
        network: str | None = None,
        random_state: int | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> CNNClassifier | KFoldEnsembleClassifier:
        """Return the unfitted classifier that this recipe describes: an ensemble where it has a section for one.

        Parameters
        ----------
        network : str, optional
            Take this network with its default options instead of the recipe's.
        random_state, device, verbose
            As in `CNNClassifier`; a `random_state` of None is the recipe's, if it has one.

        Raises
        ------
        UnknownNameError
            No such network.
        RecipeError
            A value outside its range.
        """
        member = self.create_member(network=network, random_state=random_state, device=device, verbose=verbose)
        return self.create_ensemble(member, **self.ensemble) if self.ensemble else member

    def create_member(
        self,
        *,
        network: str | None = None,
        random_state: int | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> CNNClassifier:
        """Return a single classifier, also of a recipe for an ensemble; parameters as in `create_estimator`."""
        from skconv.estimators import CNNClassifier
        from skconv.estimators.parameters import check_parameters, check_selection, make_augmentation
        from skconv.networks import describe_network

        chosen: str | dict[str, Any] = network or self.network
        describe_network(chosen if isinstance(chosen, str) else chosen["name"])  # an unknown name stops here
        seed = {} if random_state is None else {"random_state": random_state}
        estimator = CNNClassifier(
            chosen,
            **{**self.training, **seed},
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
        self, member: CNNClassifier, *, folds: int, stratified: bool = True, average: str = "probabilities"
    ) -> KFoldEnsembleClassifier:
        """Return an unfitted ensemble of such members; their seeds and its folds come from the member's seed."""
        from sklearn.model_selection import KFold, StratifiedKFold

        from skconv.estimators import KFoldEnsembleClassifier

        splitter = StratifiedKFold if stratified else KFold
        return KFoldEnsembleClassifier(
            member,
            cv=splitter(folds, shuffle=True, random_state=member.random_state),
            average=average,
            random_state=member.random_state,
            verbose=member.verbose,
        )

    def weigh(self, dataset: Dataset) -> np.ndarray | None:
        """Return the weight of every training image, float64 (n,), as `class_weight` says; None where all are alike.

        Names of classes that the data has not are passed over: a recipe serves data of many kinds.
        """
        if not self.class_weight:
            return None
        import numpy as np

        weights = np.array([self.class_weight.get(name, 1.0) for name in dataset.class_names])
        return weights[dataset.train_labels]

    def correct_prior(self, classifier: CNNClassifier | KFoldEnsembleClassifier, dataset: Dataset) -> np.ndarray:
        """Correct a fitted classifier for the share that `prior` expects of a class; without one nothing is changed.

        Returns
        -------
        ndarray of float64, shape (k,)
            What was added to the logit of each class.

        References
        ----------
        M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
        Neural Computation 14 (2002), 21-41.
        """
        import numpy as np

        shifts = np.zeros(len(dataset.class_names))
        for name, share in self.prior.items():
            if name in dataset.class_names:
                position = dataset.class_names.index(name)
                trained = float(np.average(dataset.train_labels == position, weights=self.weigh(dataset)))
                shifts[position] = math.log(share / (1 - share)) - math.log(trained / (1 - trained))
        if self.prior:
            classifier.net_.module_.logit_calibration.shift(shifts.tolist())
        return shifts

    def _create_callbacks(self) -> list[tuple[str, Any]]:
        from skconv.training.callbacks import PrintEpochs, RecordIterations

        callbacks: list[tuple[str, Any]] = []
        if "record_every" in self.report:
            recorder = RecordIterations(self.report["record_every"], self.report.get("print_every"))
            callbacks.append(("record_iterations", recorder))
        if self.report.get("print_epochs"):
            callbacks.append(("print_epochs", PrintEpochs()))
        return callbacks


def list_recipes() -> list[str]:
    """Names of the recipes that come with skconv, sorted."""
    return RECIPES.names()


def load_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Return a recipe by name, or from a TOML file of the user's own.

    Parameters
    ----------
    recipe : str or path-like
        One of `list_recipes`, or the path of a file whose name ends in ``.toml``.

    Raises
    ------
    UnknownNameError
        No recipe of that name.
    RecipeError
        The file cannot be read, is not TOML, has unknown keys or values of the wrong kind.

    Examples
    --------
    >>> load_recipe("fast").network["name"]
    'fast'
    """
    path = Path(recipe)
    if path.suffix != ".toml":
        path = RECIPES.get(str(recipe))
    text = _read_text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
    check_document(document, path)
    data = document.get("data", {})
    size = data.get("image_size")
    return Recipe(
        name=path.stem,
        title=document.get("title", path.stem),
        text=text,
        **{**data, "image_size": None if size is None else (size[0], size[1])},
        network=document.get("network", {"name": "standard"}),
        training=document.get("training", {}),
        augmentation=document.get("augmentation", {}),
        class_weight=document.get("class_weight", {}),
        prior=document.get("prior", {}),
        calibration=document.get("calibration", {}),
        ensemble=document.get("ensemble", {}),
        report=document.get("report", {}),
        figures=document.get("figures", {}),
    )


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RecipeError(f"The recipe {path} is not a file; a recipe is a short TOML file.")
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"The recipe {path} is larger than 1 MiB; a recipe is a short TOML file.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(list_recipes())
        reason = error.strerror or error
        raise RecipeError(f"The recipe {path} cannot be read: {reason}. Recipes by name: {names}.") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"The recipe {path} is not a text file in UTF-8.") from error
