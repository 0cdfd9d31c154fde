"""Selection of a recipe by successive halving, within a time limit."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skconv.auto.mirroring import compare_mirrored, is_improved
from skconv.auto.trials import (
    MAX_CROSS_VALIDATED,
    TRIAL_FOLDS,
    Candidate,
    Trial,
    count_epochs,
    estimate_features,
    run_trial,
    split_validation,
)
from skconv.progress import print_progress
from skconv.text import format_count, format_duration, format_percent

_MIN_COMPARED = 100  # training images; fewer cannot rank recipes
_MIN_CLASS = 7  # images of the smallest class, for trials with a validation split
# With a validation split: maximum share of the time for the trial of one candidate, and for those of all candidates.
_FIRST_SHARE, _MAX_SHARE = 0.1, 0.2
_SECOND_SHARE = 0.1  # share of the remaining time for the second trials of the two best
_FIRST_SHARE_FEW, _MAX_SHARE_FEW = 0.2, 0.4  # the same for few images, whose final training takes little time
_SECOND_SHARE_FEW = 0.3
# Features of a pretrained network: maximum share of the time limit for all images, and for those of a trial.
_MAX_FEATURES, _MAX_FEATURES_TRIAL = 0.25, 0.25
_TRIAL_IMAGES = 5000  # images whose features rank a pretrained network well enough
_TRIAL_PER_FEATURES, _HEAD_SECONDS = 1.25, 3.0  # time of a trial: factor of the time of its features, and the rest
_SLOWER = 1.3  # time limit of a trial relative to its expected time
_CHANGES_SHARE = 0.5  # share of the time after which no further trial starts
_MIN_TRIAL = 1.0  # seconds; shorter trials consist of overhead
_MIN_CROSS_VALIDATION = 12.0  # seconds of a trial; shorter ones use a validation split
_MAX_OVERRUN = 1.7  # time of all trials relative to the plan, after which candidates are left out
_CLOSE = 1.1  # ratio of log losses up to which two candidates get a second trial
_IMBALANCE = 3  # ratio of class sizes above which class weights are tried
_LONGER = 2  # factor of the number of epochs that is tried if a complete training is short
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
    chooses_flips : bool
        Whether random flips may be changed, because the user has not set them.
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
        progress: bool,
    ) -> None:
        self.start, self.deadline, self.reserve = time.monotonic(), deadline, reserve
        self.seed, self.device, self.progress = seed, device, progress
        self.chooses_flips = chooses_flips
        self.trials: list[Trial] = []
        self.seconds = 0.0  # of a trial
        self.folds = 0  # of a trial; 0 for a validation split

    def run(self, candidates: Sequence[Candidate]) -> Selection:
        """Compare the candidates, then changes of the best one; return it with the recipe of the final training."""
        reason = self._choose_splits(candidates)
        if reason:
            return self._skip(candidates[0], reason)
        networks = {each.recipe.name: each.recipe.network for each in candidates}
        if self.chooses_flips:
            candidates = [_without_flips(each) for each in candidates]
        best, estimator = self._compare(candidates)
        if not best.is_above_chance:
            share = format_percent(best.largest_share, 1)
            return self._skip(candidates[0], f"No trial is clearly better than the most frequent class ({share})")
        best = self._choose_flips(best, estimator, networks[best.candidate.recipe.name])
        del estimator
        best = self._choose_weights(best)
        best = self._choose_epochs(best)
        return Selection(self._finish(best), self._rank())

    def _choose_splits(self, candidates: Sequence[Candidate]) -> str:
        """Choose the splits and the time of the trials; return why a comparison is impossible, or ""."""
        dataset = candidates[0].dataset
        sizes = np.bincount(dataset.train_labels)
        smallest, n = int(sizes[sizes > 0].min()), int(sizes.sum())
        is_few = n < MAX_CROSS_VALIDATED
        if n < _MIN_COMPARED:
            return f"{format_count(n, 'training image')} cannot rank recipes"
        if smallest < _MIN_CLASS and dataset.valid_labels is None:
            return f"The smallest class has {format_count(smallest, 'training image')}, too few for a validation split"
        share, max_share = (_FIRST_SHARE_FEW, _MAX_SHARE_FEW) if is_few else (_FIRST_SHARE, _MAX_SHARE)
        self.seconds = min(share, max_share / len(candidates)) * self._time_left()
        if self.seconds < _MIN_TRIAL:
            return f"The time limit leaves {format_duration(self.seconds)} per trial, too short for a comparison"
        self.folds = TRIAL_FOLDS if is_few and self.seconds >= _MIN_CROSS_VALIDATION else 0
        return ""

    def _skip(self, candidate: Candidate, reason: str) -> Selection:
        """Return a candidate for the remaining time, with a warning that it is not the result of a comparison."""
        warnings.warn(f"{reason}: the recipe {candidate.recipe.name} is used. Pass --recipe to choose.", stacklevel=2)
        training = {**candidate.recipe.training, "time_limit": self._format_time_left()}
        final = replace(candidate, recipe=replace(candidate.recipe, training=training))
        return Selection(final, self._rank())

    def _compare(self, candidates: Sequence[Candidate]) -> tuple[Trial, Any]:
        """Return the best trial of the candidates with its estimator, after a second trial of the two best."""
        how = f"{self.folds}-fold cross-validation" if self.folds else "a validation split"
        planned = self._plan_trials(candidates)
        names = ", ".join(f"{each.name} ({each.size}, {format_duration(seconds)})" for each, seconds in planned)
        self._print(f"Comparing recipes by {how}: {names}.")
        results: list[tuple[Trial, Any]] = []
        latest = time.monotonic() + _MAX_OVERRUN * sum(seconds for _, seconds in planned)
        for candidate, seconds in planned:
            if results and time.monotonic() + seconds > latest:
                warnings.warn(
                    f"The recipe {candidate.recipe.name} is not compared, because the trials take longer than planned. "
                    "Pass a longer --time-limit.",
                    stacklevel=2,
                )
                continue
            results.append(self._try(candidate, seconds))
        results.sort(key=lambda result: _log_loss(result[0]))
        best, second = results[0][0], results[min(1, len(results) - 1)][0]
        if best is second or _log_loss(second) > _CLOSE * _log_loss(best) or (best.is_complete and second.is_complete):
            return results[0]
        share = _SECOND_SHARE_FEW if self.folds else _SECOND_SHARE
        seconds = max(share * self._time_left() / 2, 1.5 * best.seconds, 1.5 * second.seconds)
        if not self._has_time(2 * seconds):
            return results[0]
        self._print(f"{best.candidate.name} and {second.candidate.name} are close, and are trained for longer.")
        return min((self._try(each.candidate, seconds) for each in (best, second)), key=lambda each: _log_loss(each[0]))

    def _plan_trials(self, candidates: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
        """Return the candidates, each with the seconds of its trial; a trial of a pretrained network may take longer.

        Pretrained networks whose features take too long are left out, with a warning.
        """
        costs = [estimate_features(each, device=self.device) if each.is_pretrained else 0.0 for each in candidates]
        left = self._time_left()
        max_cost = max(_MAX_FEATURES * left, min(costs))  # one candidate remains
        n_pretrained = sum(0 < cost <= max_cost for cost in costs)
        planned = []
        for candidate, cost in zip(candidates, costs, strict=True):
            if cost > max_cost:
                count = format_count(len(candidate.dataset.train_labels), "image")
                warnings.warn(
                    f"The candidate {candidate.name} is left out: the features of {count} take about "
                    f"{format_duration(cost)}, more than a quarter of the time. Pass a longer --time-limit, or "
                    f"--recipe {candidate.recipe.name}, which uses a part of the images.",
                    stacklevel=2,
                )
                continue
            seconds = self.seconds
            if cost:
                share = min(_TRIAL_IMAGES / len(candidate.dataset.train_labels), 1.0)
                needed = _TRIAL_PER_FEATURES * cost * share * max(self.folds, 1) + _HEAD_SECONDS
                seconds = max(seconds, min(needed, _MAX_FEATURES_TRIAL * left / n_pretrained))
            planned.append((candidate, seconds))
        return planned

    def _choose_flips(self, best: Trial, estimator: Any, network: dict[str, Any]) -> Trial:
        """Return the trial of the candidate with random flips, if these preserve the classes.

        They do if mirrored images are recognised as well. If they are recognised less well, a trial decides.
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
        trial = self._try_change(best, changed)
        if trial is None:
            self._print("No random flips: there is no time to compare them.")
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
        trial = self._try_change(best, changed)
        if trial is None:
            self._print("No class weights: there is no time to compare them.")
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
        while best.is_complete and not best.candidate.is_pretrained:
            n_epochs = _LONGER * best.n_epochs
            training = {key: value for key, value in best.candidate.recipe.training.items() if key != "min_steps"}
            changed = best.candidate.change(f"{n_epochs} epochs", training={**training, "max_epochs": n_epochs})
            trial = self._try_change(best, changed, factor=_LONGER, final=_LONGER * self._estimate_final(best))
            if trial is None or _log_loss(trial) >= _log_loss(best):
                return best
            best = trial
        return best

    def _try_change(
        self, best: Trial, changed: Candidate, *, factor: float = 1.0, final: float | None = None
    ) -> Trial | None:
        """Return the trial of a changed candidate, or None if there is no time for it.

        `factor` is the expected time of the trial relative to the best one; `final` as in `_has_time`.
        """
        seconds = _SLOWER * factor * best.seconds
        return self._try(changed, seconds)[0] if self._has_time(seconds, final) else None

    def _has_time(self, seconds: float, final: float | None = None) -> bool:
        """Return whether trials of this duration leave enough time for the final training.

        `final` is the number of seconds of the final training, if it does not use all of the remaining time.
        """
        if final is not None and seconds + final / _MARGIN <= self._time_left():
            return True
        return time.monotonic() + seconds <= self.start + _CHANGES_SHARE * (self.deadline - self.start)

    def _estimate_final(self, best: Trial) -> float:
        """Return the number of seconds that all planned epochs of the final training take."""
        return self._estimate_member(best) * (_FOLDS if self.folds else 1)

    def _estimate_member(self, best: Trial) -> float:
        """Return the number of seconds of all planned epochs, with as many images as a member of an ensemble has."""
        share = (1 - 1 / _FOLDS) / (1 - 1 / TRIAL_FOLDS) if self.folds else 1.0
        return best.seconds / best.fraction * share / max(self.folds, 1)

    def _finish(self, best: Trial) -> Candidate:
        """Return the candidate with the recipe of the final training, which uses the remaining time."""
        candidate, left = best.candidate, self._time_left()
        recipe, n = candidate.recipe, len(candidate.dataset.train_labels)
        training = {**recipe.training, "time_limit": self._format_time_left()}
        fits = min(_MARGIN * left / (_FOLDS * self._estimate_member(best)), 1.0)
        # Fine-tuning, which the trials of a pretrained network lack, gains more than an ensemble of frozen features.
        if not best.candidate.is_pretrained and fits >= (_MIN_MEMBER if self.folds else 1.0):
            recipe = replace(recipe, ensemble={"folds": _FOLDS})
            self._print(f"Training an ensemble of {_FOLDS} folds with {candidate.name}.")
        else:
            if not best.is_complete and not best.candidate.is_pretrained:
                n_planned = count_epochs(recipe) or max(round(best.n_epochs / best.fraction), 1)
                training = {key: value for key, value in training.items() if key != "min_steps"}
                training["max_epochs"] = max(n_planned, min(_MAX_LONGER * n_planned, _MAX_EPOCHS))
            if candidate.dataset.valid_labels is None:
                training["validation_fraction"] = round(min(max(_CALIBRATED / n, _MIN_VALIDATION), _MAX_VALIDATION), 2)
            self._print(f"Training with {candidate.name}.")
        return replace(candidate, recipe=replace(recipe, training=training))

    def _try(self, candidate: Candidate, seconds: float) -> tuple[Trial, Any]:
        trial, estimator = run_trial(candidate, seconds, seed=self.seed, device=self.device, folds=self.folds)
        self.trials.append(trial)
        self._print(str(trial))
        return trial, estimator

    def _time_left(self) -> float:
        return max(self.deadline - self.reserve - time.monotonic(), 1.0)

    def _format_time_left(self) -> str:
        """Return the time limit of the final training, which includes the time after it."""
        return f"{self._time_left() + self.reserve:.0f}s"

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
