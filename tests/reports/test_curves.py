from types import SimpleNamespace

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.reports.curves import draw_curves, draw_folds, draw_importance, draw_trials


def epochs(n, **changes):
    epoch = {"train_loss": 0.5, "valid_loss": 0.6, "valid_accuracy": 0.9, "learning_rate": 0.01}
    return [{"epoch": number, **epoch, **changes} for number in range(1, n + 1)]


def test_draw_curves_draws_loss_and_accuracy():
    history = epochs(3)
    history[1]["valid_accuracy"] = 0.975
    losses, accuracy = draw_curves(history).axes
    assert [line.get_label() for line in losses.lines] == ["train", "validation"]
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [90, 97.5, 90])
    assert accuracy.get_title() == "best 97.50 % in epoch 2"


def test_draw_curves_without_validation_has_one_panel():
    (losses,) = draw_curves(epochs(3, valid_loss=None, valid_accuracy=None)).axes
    assert [line.get_label() for line in losses.lines] == ["train"]


def test_draw_curves_has_integer_ticks():
    for n in (1, 2, 100):
        figure = draw_curves(epochs(n))
        figure.draw_without_rendering()
        ticks = figure.axes[0].get_xticks()
        assert (ticks == ticks.round()).all()


def test_draw_curves_refuses_an_empty_history():
    with pytest.raises(DataError, match="at least one trained epoch"):
        draw_curves([])


def history(*losses, valid=True):
    return [
        {"epoch": epoch, "train_loss": loss, "valid_loss": loss + 0.5 if valid else None}
        for epoch, loss in enumerate(losses, 1)
    ]


def lines(panel):
    return {line.get_label(): np.column_stack(line.get_data()).tolist() for line in panel.lines}


def test_draw_folds_has_a_panel_per_fold_and_one_for_the_mean():
    histories = [history(1.0, 0.5), history(2.0, 0.7), history(3.0, 0.9), history(2.0, 0.7), history(2.0, 0.7)]
    figure = draw_folds(histories)
    assert len(figure.axes) == 6
    assert figure.axes[0].get_gridspec().get_geometry() == (2, 3)
    for number, panel in enumerate(figure.axes[:5]):
        assert panel.get_title() == f"fold {number + 1}"
        assert lines(panel)["train"] == [
            [1, histories[number][0]["train_loss"]],
            [2, histories[number][1]["train_loss"]],
        ]
        assert lines(panel)["validation"][1] == [2, histories[number][1]["valid_loss"]]
    np.testing.assert_allclose(lines(figure.axes[5])["train"], [[1, 2.0], [2, 0.7]])
    (train_band, valid_band) = figure.axes[5].collections
    spread = np.std([1, 2, 3, 2, 2], ddof=1)
    heights = train_band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(2 + spread)
    assert valid_band.get_paths()[0].vertices[:, 1].max() == pytest.approx(2.5 + spread)


def test_mean_of_folds_ignores_folds_that_stopped_early():
    figure = draw_folds([history(1.0, 0.5), history(2.0)])
    np.testing.assert_allclose(lines(figure.axes[-1])["train"], [[1, 1.5], [2, 0.5]])
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0.5, 2.5)


def test_panels_of_folds_share_their_axes():
    figure = draw_folds([history(5.0, 1.0), history(1.0, 0.5), history(1.0, 0.1)])
    assert len(figure.axes) == 4  # unused panels are removed
    assert len({panel.get_ylim() for panel in figure.axes}) == 1
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "epoch", "epoch", "epoch"]


def test_draw_folds_of_one_epoch_without_validation():
    figure = draw_folds([history(1.0, valid=False), history(3.0, valid=False)])
    figure.draw_without_rendering()
    assert lines(figure.axes[2]) == {"train": [[1.0, 2.0]]}
    assert list(lines(figure.axes[0])) == ["train"]
    ticks = figure.axes[2].get_xticks()
    assert (ticks == ticks.round()).all()


def test_draw_folds_limits_the_panels_to_twenty():
    figure = draw_folds([history(float(number)) for number in range(41)])
    assert [panel.get_title() for panel in figure.axes[-2:]] == ["fold 20", "mean of 41 folds ± standard deviation"]
    np.testing.assert_allclose(lines(figure.axes[-1])["train"], [[1, 20.0]])


@pytest.mark.parametrize("histories", [[], [[]], [history(1.0), []]])
def test_draw_folds_refuses_folds_without_epochs(histories):
    with pytest.raises(DataError, match="no trained epoch"):
        draw_folds(histories)


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
