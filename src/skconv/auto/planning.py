"""Division of a time limit among the trials of recipe `auto` and the final training."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence

from skconv.auto.trials import MAX_CROSS_VALIDATED, TRIAL_FOLDS, Candidate, Trial, estimate_features
from skconv.data.splitting import count_different
from skconv.text import format_count, format_duration, format_percent

FINAL_FOLDS = 5  # of an ensemble
_MIN_COMPARED = 100  # training images; fewer cannot rank recipes
_MIN_CLASS = 7  # different images of the smallest class, for trials with a validation split
# With a validation split: maximum share of the time for the trial of one candidate, and for those of all candidates.
_FIRST_SHARE, _MAX_SHARE = 0.1, 0.2
_SECOND_SHARE = 0.1  # share of the remaining time for the second trials of the two best
_FIRST_SHARE_FEW, _MAX_SHARE_FEW = 0.2, 0.4  # the same for few images, whose final training takes little time
_SECOND_SHARE_FEW = 0.3
_MIN_TRIAL = 1.0  # seconds; shorter trials consist of overhead
_MIN_CROSS_VALIDATION = 12.0  # seconds of a trial; shorter ones use a validation split
# Features of a pretrained network: maximum share of the time limit for all images, and for those of a trial.
_MAX_FEATURES, _MAX_FEATURES_TRIAL = 0.25, 0.25
_TRIAL_IMAGES = 5000  # images whose features rank a pretrained network well enough
_TRIAL_PER_FEATURES, _HEAD_SECONDS = 1.25, 3.0  # time of a trial: factor of the time of its features, and the rest
_SLOWER = 1.3  # time limit of a trial relative to its expected time
_SECOND_FACTOR = 1.5  # minimum time of a second trial relative to the first
_CHANGES_SHARE = 0.5  # share of the time after which no further trial starts
_MARGIN = 0.8  # part of the remaining time that is planned, because estimates are not exact
_MIN_MEMBER = 0.5  # minimum part of the planned training for a member of an ensemble


class TimePlan:
    """Time of the trials and of the final training, within the time limit of a run.

    Parameters
    ----------
    deadline : float
        Time at which the command must end, as of ``time.monotonic()``.
    reserve : float
        Seconds needed after the final training.

    Attributes
    ----------
    folds : int
        Number of folds of a trial; 0 for a validation split. Set by `choose_splits`.
    seconds : float
        Maximum time of the first trial of a candidate. Set by `choose_splits`.
    """

    def __init__(self, deadline: float, *, reserve: float) -> None:
        self.start, self.deadline, self.reserve = time.monotonic(), deadline, reserve
        self.folds, self.seconds = 0, 0.0

    @property
    def left(self) -> float:
        """Seconds until the final training must end, at least 1."""
        return max(self.deadline - self.reserve - time.monotonic(), 1.0)

    def format_left(self) -> str:
        """Return the time limit of the final training, which includes the time after it."""
        return f"{self.left + self.reserve:.0f}s"

    def choose_splits(self, candidates: Sequence[Candidate]) -> str:
        """Choose the splits and the time of the first trials; return why a comparison is impossible, or ""."""
        dataset = candidates[0].dataset
        n = len(dataset.train_labels)
        is_few = n < MAX_CROSS_VALIDATED
        if n < _MIN_COMPARED:
            return f"{format_count(n, 'training image')} cannot rank recipes"
        sizes = count_different(dataset)
        smallest = int(sizes[sizes > 0].min())
        if smallest < _MIN_CLASS and dataset.valid_labels is None:
            count = format_count(smallest, "different training image")
            return f"The smallest class has {count}, too few for a validation split"
        share, max_share = (_FIRST_SHARE_FEW, _MAX_SHARE_FEW) if is_few else (_FIRST_SHARE, _MAX_SHARE)
        self.seconds = min(share, max_share / len(candidates)) * self.left
        if self.seconds < _MIN_TRIAL:
            return f"The time limit leaves {format_duration(self.seconds)} per trial, too short for a comparison"
        is_divisible = smallest >= TRIAL_FOLDS and self.seconds >= _MIN_CROSS_VALIDATION
        self.folds = TRIAL_FOLDS if is_few and is_divisible else 0
        return ""

    def plan_trials(self, candidates: Sequence[Candidate], *, device: str) -> list[tuple[Candidate, float]]:
        """Return the candidates, each with the seconds of its trial; a trial of a pretrained network may take longer.

        Pretrained networks whose features take too long are left out, with a warning.
        """
        costs = [estimate_features(each, device=device) if each.is_pretrained else 0.0 for each in candidates]
        left = self.left
        max_cost = max(_MAX_FEATURES * left, min(costs))  # one candidate remains
        n_pretrained = sum(0 < cost <= max_cost for cost in costs)
        planned = []
        for candidate, cost in zip(candidates, costs, strict=True):
            if cost > max_cost:
                count = format_count(len(candidate.dataset.train_labels), "image")
                warnings.warn(
                    f"The candidate {candidate.name} is left out: the features of {count} take about "
                    f"{format_duration(cost)}, more than {format_percent(_MAX_FEATURES, 0)} of the time. Pass a longer "
                    f"--time-limit, or --recipe {candidate.recipe.name}, which uses a part of the images.",
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

    def plan_second(self, *trials: Trial) -> float | None:
        """Return the seconds of each of the second trials of the best candidates, or None if there is no time."""
        share = _SECOND_SHARE_FEW if self.folds else _SECOND_SHARE
        seconds = max(share * self.left / len(trials), *(_SECOND_FACTOR * trial.seconds for trial in trials))
        return seconds if self._has_time(len(trials) * seconds) else None

    def plan_change(self, best: Trial) -> float | None:
        """Return the seconds of a trial of the best candidate with a change, or None if there is no time."""
        seconds = _SLOWER * best.seconds
        return seconds if self._has_time(seconds) else None

    def plan_longer(self, best: Trial, factor: float) -> float | None:
        """Return the seconds of a trial with `factor` times the epochs, or None if there is no time.

        There is, if the final training with as many epochs fits into the rest of the time limit.
        """
        seconds = _SLOWER * factor * best.seconds
        final = factor * self._estimate_member(best) * (FINAL_FOLDS if self.folds else 1)
        return seconds if seconds + final / _MARGIN <= self.left or self._has_time(seconds) else None

    def fits_ensemble(self, best: Trial) -> bool:
        """Return whether an ensemble fits into the remaining time; with few images, its training may be shortened."""
        part = _MIN_MEMBER if self.folds else 1.0
        return FINAL_FOLDS * part * self._estimate_member(best) <= _MARGIN * self.left

    def _has_time(self, seconds: float) -> bool:
        """Return whether trials of this duration leave enough time for a final training of any length."""
        return time.monotonic() + seconds <= self.start + _CHANGES_SHARE * (self.deadline - self.start)

    def _estimate_member(self, best: Trial) -> float:
        """Return the number of seconds of all planned epochs, with as many images as a member of an ensemble has."""
        share = (1 - 1 / FINAL_FOLDS) / (1 - 1 / TRIAL_FOLDS) if self.folds else 1.0
        return best.seconds / best.fraction * share / max(self.folds, 1)
