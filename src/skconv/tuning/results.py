"""What `tune` returns: the trials of a study, the best of them, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_SHOWN = 10  # rows of the leaderboard


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Parameters
    ----------
    number : int
        From 0; the first tries the recipe as it is.
    state : {"complete", "pruned"}
        Pruned trials were ended early.
    valid_accuracy : float or None
        Share of the validation images classified correctly, 0..1: at the end, of a pruned trial after its last epoch;
        None where it came to none.
    epochs : int
        Epochs trained, begun ones included.
    seconds : float
        Wall-clock time.
    settings : mapping
        The settings tried.
    """

    number: int
    state: str
    valid_accuracy: float | None
    epochs: int
    seconds: float
    settings: Mapping[str, float]

    def to_row(self) -> dict[str, Any]:
        """Return it as a flat row."""
        row = asdict(self)
        return {**row, **row.pop("settings")}


@dataclass(frozen=True)
class TuneResult:
    """What `tune` found.

    Parameters
    ----------
    data, recipe : str
        Names of the data and of the recipe it started from.
    folder : str
        The folder with everything that was written.
    best_recipe : str
        The recipe with the best settings, ``best.toml`` in that folder.
    storage : str
        The database of the study, a password hidden.
    trials : tuple of TrialResult
        In the order of their numbers, those of other processes too.
    importance : mapping
        Share of the differences in accuracy that a setting explains, most first; empty for few trials.
    n_train, n_valid : int
        Images a trial is trained on, and those it is scored on. None of them is a test image.
    """

    data: str
    recipe: str
    folder: str
    best_recipe: str
    storage: str
    trials: tuple[TrialResult, ...]
    importance: Mapping[str, float]
    n_train: int
    n_valid: int

    @property
    def ranking(self) -> list[TrialResult]:
        """The trials that came to their end, best first; of equals the earlier one."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: (-(trial.valid_accuracy or 0), trial.number))

    @property
    def best(self) -> TrialResult:
        """The best trial."""
        return self.ranking[0]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "valid_accuracy": self.best.valid_accuracy,
            "settings": dict(self.best.settings),
            "n_trials": len(self.trials),
            "n_pruned": sum(trial.state == "pruned" for trial in self.trials),
            "trials": [asdict(trial) for trial in self.trials],
            "importance": dict(self.importance),
            "n_train": self.n_train,
            "n_valid": self.n_valid,
            "recipe": self.best_recipe,
            "storage": self.storage,
            "folder": self.folder,
        }

    def __str__(self) -> str:
        n_pruned = sum(trial.state == "pruned" for trial in self.trials)
        lines = [
            f"Searched the settings of recipe {self.recipe} on {self.data}: {len(self.trials)} trials, {n_pruned} of "
            f"them ended early; {self.n_train:,} images to train, {self.n_valid:,} to validate, no test image "
            "touched.",
            "",
            "trial  accuracy  epochs  seconds  settings",
            *(_write_trial(trial) for trial in self.ranking[:_SHOWN]),
            "",
        ]
        if self.importance:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in list(self.importance.items())[:5])
            lines.append(f"What mattered most: {shares}.")
        own = next((trial for trial in self.trials if trial.number == 0 and trial.state == "complete"), None)
        if own is not None and own.valid_accuracy is not None:
            lines.append(f"The recipe as it is reached {own.valid_accuracy:.2%}, the best trial {self._best():.2%}.")
        return "\n".join([*lines, f"Train with the best settings: skconv train --recipe {self.best_recipe}"])

    def _best(self) -> float:
        return self.best.valid_accuracy or 0.0


def _write_trial(trial: TrialResult) -> str:
    settings = ", ".join(f"{name} {value:.3g}" for name, value in trial.settings.items())
    return f"{trial.number:>5}  {trial.valid_accuracy or 0:8.2%}  {trial.epochs:6}  {trial.seconds:7.1f}  {settings}"
