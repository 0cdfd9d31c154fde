from types import SimpleNamespace

import pytest

from skconv.exceptions import DataError
from skconv.reports.search import draw_importance, draw_trials


def trial(number, accuracy, state="complete"):
    return SimpleNamespace(number=number, state=state, valid_accuracy=accuracy)


def test_scale_excludes_bad_trials():
    trials = [trial(k, 0.98 + k / 1000) for k in range(8)] + [trial(8, 0.11), trial(9, 0.3, "pruned")]
    (panel,) = draw_trials(trials).axes
    low, high = panel.get_ylim()
    assert 90 < low < 98 and 98.7 < high <= 100
    assert panel.lines[0].get_ydata().min() == low  # the bad trial is drawn at the lower edge
    assert list(panel.lines[-1].get_ydata()) == sorted(panel.lines[-1].get_ydata())


def test_trial_without_accuracy_is_left_out():
    (panel,) = draw_trials([trial(0, 0.9), trial(1, None, "pruned")]).axes
    assert len(panel.lines) == 2


def test_no_complete_trial_is_refused():
    with pytest.raises(DataError, match="No trial"):
        draw_trials([trial(0, 0.5, "pruned")])
    with pytest.raises(DataError, match="too few"):
        draw_importance({})
