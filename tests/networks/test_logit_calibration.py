"""Logit calibration: label smoothing undone, temperature and biases applied."""

import pytest
import torch

from skconv.networks.logit_calibration import LogitCalibration


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_undo_smoothing_recovers_probabilities(n_classes):
    logits = torch.randn(50, n_classes, generator=torch.Generator().manual_seed(0)) * 3
    expected = logits.softmax(1)
    smoothed = (0.9 * expected + 0.1 / n_classes).log()
    layer = LogitCalibration(n_classes).eval()
    torch.testing.assert_close(layer(smoothed), smoothed)
    layer.undo_smoothing(0.1)
    calibrated = layer(smoothed)
    assert (calibrated.softmax(1) - expected).abs().max() < 0.01
    assert (calibrated.argsort(1) == smoothed.argsort(1)).all()


def test_probabilities_below_the_smoothing_stay_positive_and_ordered():
    smoothed = torch.tensor([[0.98, 0.012, 0.006, 0.0015, 0.0005]])
    layer = LogitCalibration(5).eval()
    layer.undo_smoothing(0.1)
    probabilities = layer(smoothed.log()).softmax(1)[0]
    assert (probabilities.diff() < 0).all()
    assert 0 < probabilities[4] < probabilities[1] < 0.001
    assert probabilities[0] > 0.998


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.999])
def test_extreme_logits_give_finite_outputs_and_gradients(smoothing):
    logits = torch.tensor([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]], requires_grad=True)
    layer = LogitCalibration(3).eval()
    layer.undo_smoothing(smoothing)
    calibrated = layer(logits)
    calibrated.log_softmax(1)[:, 0].sum().backward()
    assert calibrated.isfinite().all()
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(calibrated[1].softmax(0), torch.full((3,), 1 / 3))


def test_factor_and_biases_apply_after_undoing_smoothing():
    layer = LogitCalibration(2).eval()
    layer.undo_smoothing(0.2)
    logits = torch.tensor([[2.0, 1.0]])
    unsmoothed = layer(logits)
    layer.shift([1.0, -1.0])
    layer.scale(0.5)
    torch.testing.assert_close(layer(logits), (unsmoothed + torch.tensor([[1.0, -1.0]])) / 2)
