"""Results of a hyper-parameter search: the trials, the best one, the importance of each setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_N_PRINTED = 10  # trials in the text


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Parameters
    ----------
    number : int
        From 0; trial 0 has the settings of the recipe.
    state : {"complete", "pruned"}
        Pruned trials were stopped early.
    valid_accuracy : float or None
        Accuracy on the validation images, 0..1, at the end or, of a pruned trial, after its last epoch. None if it
        finished no epoch.
    epochs : int
        Number of epochs, including an unfinished one.
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

    @classmethod
    def from_optuna(cls, trial: FrozenTrial) -> TrialResult:
        """Return the record of a trial that is complete or pruned."""
        reported = list(trial.intermediate_values.values())[-1:]
        return cls(
            number=trial.number,
            state=trial.state.name.lower(),
            valid_accuracy=trial.value if trial.state.name == "COMPLETE" else next(iter(reported), None),
            epochs=trial.user_attrs.get("epochs", 0),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
            settings=dict(trial.params),
        )

    def to_row(self) -> dict[str, Any]:
        """Return the fields as a flat row, one column per setting."""
        row = asdict(self)
        return {**row, **row.pop("settings")}


@dataclass(frozen=True)
class TuneResult:
    """Result of `tune`.

    Parameters
    ----------
    data, recipe : str
        Names of the data and of the recipe that was tuned.
    folder : str
        The folder of the study.
    best_recipe : str
        The recipe with the best settings, ``best.toml`` in that folder.
    storage : str
        The database of the study, without a password.
    trials : tuple of TrialResult
        In the order of their numbers, with those of other processes.
    importance : mapping
        Share of the variance of the accuracy that each setting explains, largest first; empty for few trials.
    n_train, n_valid : int
        Number of images that each trial is trained and scored on. None of them is a test image.
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
        """Complete trials, best first; of equal ones the earlier first."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: (-(trial.valid_accuracy or 0), trial.number))

    @property
    def best(self) -> TrialResult:
        """The best trial."""
        return self.ranking[0]

    @property
    def n_pruned(self) -> int:
        """Number of trials that were stopped early."""
        return sum(trial.state == "pruned" for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "valid_accuracy": self.best.valid_accuracy,
            "settings": dict(self.best.settings),
            "n_trials": len(self.trials),
            "n_pruned": self.n_pruned,
            "trials": [asdict(trial) for trial in self.trials],
            "importance": dict(self.importance),
            "n_train": self.n_train,
            "n_valid": self.n_valid,
            "recipe": self.best_recipe,
            "storage": self.storage,
            "folder": self.folder,
        }

    def __str__(self) -> str:
        lines = [
            f"Searched the settings of recipe {self.recipe} on {self.data}: {len(self.trials)} trials, {self.n_pruned} "
            f"of them stopped early; {self.n_train:,} training images, {self.n_valid:,} validation images, no test "
            "images.",
            "",
            "trial  accuracy  epochs  seconds  settings",
            *(_format_trial(trial) for trial in self.ranking[:_N_PRINTED]),
            "",
        ]
        if self.importance:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in list(self.importance.items())[:5])
            lines.append(f"Most important settings: {shares}.")
        own = next((trial for trial in self.trials if trial.number == 0 and trial.state == "complete"), None)
        if own is not None:
            recipe, best = own.valid_accuracy or 0, self.best.valid_accuracy or 0
            lines.append(f"Accuracy of the unchanged recipe {recipe:.2%}, of the best trial {best:.2%}.")
        return "\n".join([*lines, f"Train with the best settings: skconv train --recipe {self.best_recipe}"])


def _format_trial(trial: TrialResult) -> str:
    settings = ", ".join(f"{name} {value:.3g}" for name, value in trial.settings.items())
    return f"{trial.number:>5}  {trial.valid_accuracy or 0:8.2%}  {trial.epochs:6}  {trial.seconds:7.1f}  {settings}"
