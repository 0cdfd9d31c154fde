"""Selection of a recipe by successive halving, within a time limit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skconv.auto.mirroring import compare_mirrored, is_improved
from skconv.auto.planning import FINAL_FOLDS, TimePlan
from skconv.auto.trials import Candidate, Trial, count_epochs, run_trial, split_validation
from skconv.exceptions import TrainingError
from skconv.progress import print_progress
from skconv.text import format_duration, format_percent

_MAX_OVERRUN = 1.7  # time of all trials relative to the plan, after which candidates are left out
_CLOSE = 1.1  # ratio of log losses up to which two candidates get a second trial
_IMBALANCE = 3  # ratio of class sizes above which class weights are tried
_LONGER = 2  # factor of the number of epochs that is tried if a complete training is short
_MAX_LONGER, _MAX_EPOCHS = 8, 100  # limits of the number of epochs if the trials were shortened
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
    plan : TimePlan
        Time of the trials and of the final training.
    seed : int
        Seed of the splits and the trials.
    device : str
        As in `CNNClassifier`.
    chooses_flips : bool
        Whether random flips may be changed, because the user has not set them.
    progress : bool
        Print each trial.
    """

    def __init__(self, plan: TimePlan, *, seed: int, device: str, chooses_flips: bool, progress: bool) -> None:
        self.plan, self.seed, self.device, self.progress = plan, seed, device, progress
        self.chooses_flips = chooses_flips
        self.trials: list[Trial] = []

    def run(self, candidates: Sequence[Candidate]) -> Selection:
        """Compare the candidates, then changes of the best one; return it with the recipe of the final training."""
        reason = self.plan.choose_splits(candidates)
        if reason:
            return self._skip(candidates[0], reason)
        compared = [_without_flips(each) for each in candidates] if self.chooses_flips else candidates
        best, estimator = self._compare(compared)
        if not best.is_above_chance:
            share = format_percent(best.largest_share, 1)
            return self._skip(candidates[0], f"No trial is clearly better than the most frequent class ({share})")
        networks = {each.recipe.name: each.recipe.network for each in candidates}
        best = self._choose_flips(best, estimator, networks[best.candidate.recipe.name])
        del estimator
        best = self._choose_weights(best)
        best = self._choose_epochs(best)
        return Selection(self._finish(best), self._rank())

    def _skip(self, candidate: Candidate, reason: str) -> Selection:
        """Return a candidate for the remaining time, with a warning that it is not the result of a comparison."""
        warnings.warn(f"{reason}: the recipe {candidate.recipe.name} is used. Pass --recipe to choose.", stacklevel=2)
        training = {**candidate.recipe.training, "time_limit": self.plan.format_left()}
        final = replace(candidate, recipe=replace(candidate.recipe, training=training))
        return Selection(final, self._rank())

    def _compare(self, candidates: Sequence[Candidate]) -> tuple[Trial, Any]:
        """Return the best trial of the candidates with its estimator, after a second trial of the two best.

        A candidate whose loss becomes NaN or infinite is left out with a warning; raise `TrainingError` if all are.
        """
        how = f"{self.plan.folds}-fold cross-validation" if self.plan.folds else "a validation split"
        planned = self.plan.plan_trials(candidates, device=self.device)
        names = ", ".join(f"{each.name} ({each.size}, {format_duration(seconds)})" for each, seconds in planned)
        end = format_duration(self.plan.left + self.plan.reserve)
        self._print(f"Comparing recipes by {how}: {names}. The command ends in about {end}.")
        results: list[tuple[Trial, Any]] = []
        failure: TrainingError | None = None
        latest = time.monotonic() + _MAX_OVERRUN * sum(seconds for _, seconds in planned)
        for candidate, seconds in planned:
            if results and time.monotonic() + seconds > latest:
                warnings.warn(
                    f"The recipe {candidate.recipe.name} is not compared, because the trials take longer than planned. "
                    "Pass a longer --time-limit.",
                    stacklevel=2,
                )
                continue
            try:
                results.append(self._try(candidate, seconds))
            except TrainingError as error:
                failure = error
                warnings.warn(f"The candidate {candidate.name} is left out: {error}", stacklevel=2)
        if failure is not None and not results:
            raise failure
        results.sort(key=lambda result: _log_loss(result[0]))
        best, second = results[0][0], results[min(1, len(results) - 1)][0]
        if best is second or _log_loss(second) > _CLOSE * _log_loss(best) or (best.is_complete and second.is_complete):
            return results[0]
        again = self.plan.plan_second(best, second)
        if again is None:
            return results[0]
        self._print(f"{best.candidate.name} and {second.candidate.name} are close, and are trained for longer.")
        return min((self._try(each.candidate, again) for each in (best, second)), key=lambda each: _log_loss(each[0]))

    def _choose_flips(self, best: Trial, estimator: Any, network: dict[str, Any]) -> Trial:
        """Return the trial of the candidate with random flips, if these preserve the classes.

        They do if mirrored images are recognised as well. If they are recognised less well, a trial with flips shows
        whether these reduce the log loss.
        `network` is the recipe's network, possibly with flips in its test-time augmentation.
        """
        augmentation = best.candidate.recipe.augmentation
        if not self.chooses_flips or not isinstance(augmentation, dict):
            return best
        dataset = best.candidate.dataset
        if self.plan.folds:
            folds = zip(estimator.estimators_, estimator.held_out_indices_, strict=True)
            parts = [(member, dataset.train_images[fold], dataset.train_labels[fold]) for member, fold in folds]
        else:
            valid = split_validation(dataset, seed=self.seed)[1]
            parts = [(estimator, valid.train_images, valid.train_labels)]
        preserves, sentence = compare_mirrored(parts)
        self._print(sentence)
        changed = best.candidate.change("flips", augmentation={**augmentation, "flip": True}, network=network)
        if preserves:
            return replace(best, candidate=changed)
        if preserves is False:
            return best
        if best.candidate.is_pretrained:
            self._print("No random flips: the trial of a pretrained network has no time for augmented images.")
            return best
        trial = self._try_change("random flips", changed, self.plan.plan_change(best))
        if trial is None:
            return best
        used = is_improved(trial.scores, best.scores)
        self._print(
            f"{'Random flips' if used else 'No random flips'}: with them, the log loss changes from "
            f"{_log_loss(best):.3f} to {_log_loss(trial):.3f}."
        )
        return trial if used else best

    def _choose_weights(self, best: Trial) -> Trial:
        """Return the trial with class weights if class sizes differ, and macro F1 gains more than accuracy loses.

        The difference must exceed the standard error of the accuracy, because macro F1 of small classes varies.
        """
        sizes = np.bincount(best.candidate.dataset.train_labels)
        training, own = best.candidate.recipe.training, best.candidate.recipe.class_weight
        if sizes.max() <= _IMBALANCE * sizes[sizes > 0].min() or own or "class_weight" in training:
            return best
        changed = best.candidate.change("class weights", training={**training, "class_weight": "balanced"})
        trial = self._try_change("class weights", changed, self.plan.plan_change(best))
        if trial is None:
            return best
        gain, loss = trial.scores.macro_f1 - best.scores.macro_f1, best.scores.accuracy - trial.scores.accuracy
        used = gain > max(loss, 0) + best.standard_error
        self._print(
            f"{'Class weights' if used else 'No class weights'}: with them, macro F1 changes by {100 * gain:+.1f} and "
            f"accuracy by {-100 * loss:+.1f} points."
        )
        return trial if used else best

    def _choose_epochs(self, best: Trial) -> Trial:
        """Return the trial of the candidate with more epochs, as long as these reduce the log loss."""
        candidate = best.candidate
        training = {key: value for key, value in candidate.recipe.training.items() if key != "min_steps"}
        while best.is_complete and not candidate.is_pretrained:
            n_epochs = _LONGER * best.n_epochs
            changed = candidate.change(f"{n_epochs} epochs", training={**training, "max_epochs": n_epochs})
            trial = self._try_change("more epochs", changed, self.plan.plan_longer(best, _LONGER))
            if trial is None or _log_loss(trial) >= _log_loss(best):
                return best
            best = trial
        return best

    def _finish(self, best: Trial) -> Candidate:
        """Return the candidate with the recipe of the final training, which uses the remaining time."""
        candidate, recipe = best.candidate, best.candidate.recipe
        training = {**recipe.training, "time_limit": self.plan.format_left()}
        # Fine-tuning, which the trials of a pretrained network lack, gains more than an ensemble of frozen features.
        if not candidate.is_pretrained and self.plan.fits_ensemble(best):
            recipe = replace(recipe, ensemble={"folds": FINAL_FOLDS})
            self._print(f"Training an ensemble of {FINAL_FOLDS} folds with {candidate.name}.")
        else:
            if not best.is_complete and not candidate.is_pretrained:
                n_planned = count_epochs(recipe) or max(round(best.n_epochs / best.fraction), 1)
                training = {key: value for key, value in training.items() if key != "min_steps"}
                training["max_epochs"] = max(n_planned, min(_MAX_LONGER * n_planned, _MAX_EPOCHS))
            if candidate.dataset.valid_labels is None:
                fraction = _CALIBRATED / len(candidate.dataset.train_labels)
                training["validation_fraction"] = round(min(max(fraction, _MIN_VALIDATION), _MAX_VALIDATION), 2)
            self._print(f"Training with {candidate.name}.")
        return replace(candidate, recipe=replace(recipe, training=training))

    def _try(self, candidate: Candidate, seconds: float) -> tuple[Trial, Any]:
        trial, estimator = run_trial(candidate, seconds, seed=self.seed, device=self.device, folds=self.plan.folds)
        self.trials.append(trial)
        self._print(str(trial))
        return trial, estimator

    def _try_change(self, change: str, changed: Candidate, seconds: float | None) -> Trial | None:
        """Return the trial of a changed candidate, or None if there is no time for it, or its loss becomes NaN."""
        if seconds is None:
            self._print(f"No {change}: there is no time to compare them.")
            return None
        try:
            return self._try(changed, seconds)[0]
        except TrainingError as error:
            warnings.warn(f"No {change}: {error}", stacklevel=2)
            return None

    def _rank(self) -> tuple[Trial, ...]:
        return tuple(sorted(self.trials, key=_log_loss))

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
