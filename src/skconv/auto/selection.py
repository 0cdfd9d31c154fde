"""Selection of a recipe by successive halving, within a time limit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skconv.auto.mirroring import is_mirrorable
from skconv.auto.trials import MAX_CROSS_VALIDATED, TRIAL_FOLDS, Candidate, Trial, run_trial, split_validation
from skconv.data.dataset import Dataset
from skconv.progress import print_progress
from skconv.text import format_count, format_duration

MIN_COMPARED = 100  # training images; fewer cannot rank recipes
_MIN_CLASS = 7  # images of the smallest class, for trials with a validation split
_FIRST_SHARE = 0.12  # share of the time for the trials of all candidates with a validation split
_SECOND_SHARE = 0.1  # share of the remaining time for the second trials of the two best
_FIRST_SHARE_FOLDS = _SECOND_SHARE_FOLDS = 0.3  # the same with cross-validation, for few images
_CHANGES_SHARE = 0.5  # share of the time after which no further trial starts
_MIN_TRIAL = 2.0  # seconds
_CLOSE = 1.25  # ratio of log losses up to which two candidates get a second trial
_IMBALANCE = 3  # ratio of class sizes above which class weights are tried
_LONGER = 3  # factor of the number of epochs that is tried if a complete training is short
_MAX_LONGER, _MAX_EPOCHS = 8, 100  # limits of the number of epochs if the trials were shortened
_FOLDS = 5  # of an ensemble
_MIN_MEMBER = 0.5  # minimum part of the planned training for a member of an ensemble
_MARGIN = 0.8  # part of the remaining time that is planned, because estimates are not exact
_CALIBRATED = 1000  # validation images of the final training
_MIN_VALIDATION, _MAX_VALIDATION = 0.05, 0.15


@dataclass(frozen=True)
class Selection:
    """Selected candidate, with its recipe for the final training, and all trials, by log loss."""

    candidate: Candidate
    trials: tuple[Trial, ...] = ()


class Search:
    """Comparison of candidates within a time limit.

    Parameters
    ----------
    deadline : float
        Time at which the command must end, as of ``time.monotonic()``.
    reserve : float
        Seconds needed after the final training.
    seed : int
        Seed of the splits and the trials.
    device : str
        As in `CNNClassifier`.
    chooses_flips, chooses_epochs : bool
        Whether random flips and the number of epochs may be changed, because the user has not set them.
    progress : bool
        Print each trial.
    """

    def __init__(
        self,
        deadline: float,
        *,
        reserve: float,
        seed: int,
        device: str,
        chooses_flips: bool,
        chooses_epochs: bool,
        progress: bool,
    ) -> None:
        self.start, self.deadline, self.reserve = time.monotonic(), deadline, reserve
        self.seed, self.device, self.progress = seed, device, progress
        self.chooses_flips, self.chooses_epochs = chooses_flips, chooses_epochs
        self.trials: list[Trial] = []
        self.folds = 0  # of the trials; 0 for a validation split

    def run(self, candidates: Sequence[Candidate]) -> Selection:
        """Compare the candidates, then changes of the best one; return it with the recipe of the final training."""
        reason = self._choose_splits(candidates[0].dataset)
        if reason:
            self._print(f"{reason}: the recipe {candidates[0].name} is used without a comparison.")
            return Selection(candidates[0])
        networks = {each.recipe.name: each.recipe.network for each in candidates}
        if self.chooses_flips:
            candidates = [_without_flips(each) for each in candidates]
        best, estimator = self._compare(candidates)
        best = self._choose_flips(best, estimator, networks[best.candidate.recipe.name])
        del estimator
        best = self._choose_weights(best)
        best = self._choose_epochs(best)
        final = self._finish(best)
        return Selection(final, tuple(sorted(self.trials, key=_log_loss)))

    def _choose_splits(self, dataset: Dataset) -> str:
        """Set the number of folds of the trials; return why a comparison is impossible, or ""."""
        sizes = np.bincount(dataset.train_labels)
        smallest, n = int(sizes[sizes > 0].min()), int(sizes.sum())
        if n < MIN_COMPARED:
            return f"{format_count(n, 'training image')} cannot rank recipes"
        if n < MAX_CROSS_VALIDATED and smallest >= TRIAL_FOLDS:
            self.folds = TRIAL_FOLDS
        elif smallest < _MIN_CLASS and dataset.valid_labels is None:
            return f"The smallest class has {format_count(smallest, 'training image')}, too few for a validation split"
        return ""

    def _compare(self, candidates: Sequence[Candidate]) -> tuple[Trial, Any]:
        """Return the best trial of the candidates with its estimator, after a second trial of the two best."""
        share = _FIRST_SHARE_FOLDS if self.folds else _FIRST_SHARE
        seconds = max(share * self._time_left() / len(candidates), _MIN_TRIAL)
        how = f"{self.folds}-fold cross-validation" if self.folds else "a validation split"
        names = ", ".join(f"{each.name} ({each.size})" for each in candidates)
        self._print(f"Comparing recipes by {how}, at most {format_duration(seconds)} each: {names}.")
        results = sorted((self._try(each, seconds) for each in candidates), key=lambda result: _log_loss(result[0]))
        if len(results) == 1:
            return results[0]
        best, second = results[0][0], results[1][0]
        if _log_loss(second) > _CLOSE * _log_loss(best) or (best.is_complete and second.is_complete):
            return results[0]
        share = _SECOND_SHARE_FOLDS if self.folds else _SECOND_SHARE
        seconds = max(share * self._time_left() / 2, 1.5 * seconds)
        self._print(f"{best.candidate.name} and {second.candidate.name} are close, and are trained for longer.")
        return min((self._try(each.candidate, seconds) for each in (best, second)), key=lambda each: _log_loss(each[0]))

    def _choose_flips(self, best: Trial, estimator: Any, network: dict[str, Any]) -> Trial:
        """Return the trial of the candidate with random flips, if mirrored images are recognised as well.

        `network` is the recipe's network, possibly with flips in its test-time augmentation.
        """
        augmentation = best.candidate.recipe.augmentation
        if not self.chooses_flips or not isinstance(augmentation, dict):
            return best
        dataset = best.candidate.dataset
        if self.folds:
            folds = zip(estimator.estimators_, estimator.held_out_indices_, strict=True)
            parts = [(member, dataset.train_images[fold], dataset.train_labels[fold]) for member, fold in folds]
        else:
            valid = split_validation(dataset, seed=self.seed)[1]
            parts = [(estimator, valid.train_images, valid.train_labels)]
        mirrorable, sentence = is_mirrorable(parts)
        self._print(sentence)
        if not mirrorable:
            return best
        changed = best.candidate.change("flips", augmentation={**augmentation, "flip": True}, network=network)
        return replace(best, candidate=changed)

    def _choose_weights(self, best: Trial) -> Trial:
        """Return the trial with class weights if class sizes differ, and macro F1 gains more than accuracy loses."""
        sizes = np.bincount(best.candidate.dataset.train_labels)
        training, own = best.candidate.recipe.training, best.candidate.recipe.class_weight
        if sizes.max() <= _IMBALANCE * sizes[sizes > 0].min() or own or "class_weight" in training:
            return best
        changed = best.candidate.change("class weights", training={**training, "class_weight": "balanced"})
        trial = self._try_change(best, changed)
        if trial is None:
            return best
        gain, loss = trial.scores.macro_f1 - best.scores.macro_f1, best.scores.accuracy - trial.scores.accuracy
        used = gain > max(loss, 0)
        self._print(
            f"{'Class weights' if used else 'No class weights'}: with them, macro F1 changes by {100 * gain:+.1f} and "
            f"accuracy by {-100 * loss:+.1f} points."
        )
        return trial if used else best

    def _choose_epochs(self, best: Trial) -> Trial:
        """Return the trial of the candidate with more epochs, as long as these reduce the log loss."""
        while best.is_complete and self.chooses_epochs and not best.has_fixed_epochs:
            n_epochs = _LONGER * best.n_epochs
            training = {key: value for key, value in best.candidate.recipe.training.items() if key != "min_steps"}
            changed = best.candidate.change(f"{n_epochs} epochs", training={**training, "max_epochs": n_epochs})
            trial = self._try_change(best, changed, factor=_LONGER)
            if trial is None or _log_loss(trial) >= _log_loss(best):
                return best
            best = trial
        return best

    def _try_change(self, best: Trial, changed: Candidate, *, factor: float = 1.0) -> Trial | None:
        """Return the trial of a changed candidate, or None if there is no time for it."""
        seconds = 1.5 * factor * best.seconds
        ends = time.monotonic() + seconds
        if ends > self.start + _CHANGES_SHARE * (self.deadline - self.start):
            return None
        return self._try(changed, seconds)[0]

    def _finish(self, best: Trial) -> Candidate:
        """Return the candidate with the recipe of the final training, which uses the remaining time."""
        candidate, left = best.candidate, self._time_left()
        recipe, n = candidate.recipe, len(candidate.dataset.train_labels)
        training = {**recipe.training, "time_limit": f"{left + self.reserve:.0f}s"}
        share = (1 - 1 / _FOLDS) / (1 - 1 / TRIAL_FOLDS) if self.folds else 1.0
        member = best.seconds / best.fraction * share / max(self.folds, 1)  # seconds for all planned epochs
        fits = min(_MARGIN * left / (_FOLDS * member), 1.0)
        if fits >= (_MIN_MEMBER if self.folds else 1.0):
            recipe = replace(recipe, ensemble={"folds": _FOLDS})
            self._print(
                f"Training an ensemble of {_FOLDS} × {candidate.name} for the remaining {format_duration(left)}."
            )
        else:
            if not best.is_complete and self.chooses_epochs and not best.has_fixed_epochs:
                n_planned = max(round(best.n_epochs / best.fraction), 1)
                training = {key: value for key, value in training.items() if key != "min_steps"}
                training["max_epochs"] = max(n_planned, min(_MAX_LONGER * n_planned, _MAX_EPOCHS))
            if candidate.dataset.valid_labels is None:
                training["validation_fraction"] = round(min(max(_CALIBRATED / n, _MIN_VALIDATION), _MAX_VALIDATION), 2)
            self._print(f"Training with {candidate.name}, at most {format_duration(left)}.")
        return replace(candidate, recipe=replace(recipe, training=training))

    def _try(self, candidate: Candidate, seconds: float) -> tuple[Trial, Any]:
        trial, estimator = run_trial(candidate, seconds, seed=self.seed, device=self.device, folds=self.folds)
        self.trials.append(trial)
        self._print(str(trial))
        return trial, estimator

    def _time_left(self) -> float:
        return max(self.deadline - self.reserve - time.monotonic(), 1.0)

    def _print(self, line: str) -> None:
        if self.progress:
            print_progress(line)


def _without_flips(candidate: Candidate) -> Candidate:
    """Return the candidate without random flips, whose effect is then visible in predictions for mirrored images."""
    augmentation, network = candidate.recipe.augmentation, candidate.recipe.network
    if not isinstance(augmentation, dict):
        return candidate
    kept = {key: value for key, value in augmentation.items() if key != "flip"}
    if "flip" in str(network.get("tta")):
        network = {**network, "tta": "none"}
    return replace(candidate, recipe=replace(candidate.recipe, augmentation=kept, network=network))


def _log_loss(trial: Trial) -> float:
    return trial.scores.negative_log_likelihood
