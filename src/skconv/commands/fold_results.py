"""What `cross_validate` returns: a record a fold, and all of them together."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FoldResult:
    """One fold of a cross-validation.

    Parameters
    ----------
    fold : int
        Its number, from 1.
    accuracy : float
        Share of the held-out images classified correctly, 0..1.
    valid_loss : float
        Their mean cross-entropy with the final weights, in nats.
    fit_seconds : float
        Wall-clock time of the training.
    n_epochs : int
        Epochs trained.
    n_train, n_valid : int
        Images trained on and held out.
    """

    fold: int
    accuracy: float
    valid_loss: float
    fit_seconds: float
    n_epochs: int
    n_train: int
    n_valid: int


@dataclass(frozen=True)
class CrossValidationResult:
    """What `cross_validate` found.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder : str
        The folder with everything the run wrote.
    folds : tuple of FoldResult
        At least two.
    fit_seconds : float
        Wall-clock time of all trainings.
    n_train, n_test : int
        Images that took part, and images left for testing.
    selected : bool
        Whether the recipe chose its weights by the loss of the held-out images.
    """

    data: str
    recipe: str
    folder: str
    folds: tuple[FoldResult, ...]
    fit_seconds: float
    n_train: int
    n_test: int
    selected: bool

    @property
    def accuracy(self) -> float:
        """Mean accuracy over the folds, 0..1."""
        return statistics.fmean(fold.accuracy for fold in self.folds)

    @property
    def accuracy_sd(self) -> float:
        """Standard deviation of the accuracy over the folds."""
        return statistics.stdev(fold.accuracy for fold in self.folds)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "accuracy": self.accuracy,
            "accuracy_sd": self.accuracy_sd,
            "n_folds": len(self.folds),
            "folds": [asdict(fold) for fold in self.folds],
            "fit_seconds": self.fit_seconds,
            "folder": self.folder,
        }

    def __str__(self) -> str:
        columns = {
            name: [getattr(fold, name) for fold in self.folds]
            for name in ("accuracy", "valid_loss", "fit_seconds", "n_epochs")
        }
        rows = [_write_row(fold.fold, **{name: getattr(fold, name) for name in columns}) for fold in self.folds]
        for label, summarise in (("mean", statistics.fmean), ("sd", statistics.stdev)):
            rows.append(_write_row(label, **{name: summarise(values) for name, values in columns.items()}))
        lines = [
            f"Cross-validated recipe {self.recipe} on {self.data}: {len(self.folds)} folds of {self.n_train:,} "
            f"training images; {self.n_test:,} test images were not touched.",
            "",
            "fold  accuracy  validation loss  seconds  epochs",
            *rows,
            "",
        ]
        if self.selected:
            lines.append("Each fold chose its weights by the images it is scored on: the accuracy flatters a little.")
        lines.append(f"Accuracy {self.accuracy:.2%} ± {self.accuracy_sd:.2%}. Results in {self.folder}.")
        return "\n".join(lines)


def _write_row(label: object, *, accuracy: float, valid_loss: float, fit_seconds: float, n_epochs: float) -> str:
    return f"{label:>4}  {accuracy:8.2%}  {valid_loss:15.4f}  {fit_seconds:7.1f}  {n_epochs:6.4g}"
