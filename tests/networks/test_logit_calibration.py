"""What smoothing gave every class is taken back."""

import pytest
import torch

from skconv.networks.logit_calibration import LogitCalibration


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_probabilities_that_were_smoothed_come_out_as_they_were(n_classes):
    logits = torch.randn(50, n_classes, generator=torch.Generator().manual_seed(0)) * 3
    truth = logits.softmax(1)
    smoothed = (0.9 * truth + 0.1 / n_classes).log()
    layer = LogitCalibration(n_classes).eval()
    torch.testing.assert_close(layer(smoothed), smoothed)
    layer.undo_smoothing(0.1)
    meant = layer(smoothed)
    told = meant.softmax(1)
    assert (told - truth).abs().max() < 0.01
    assert (meant.argsort(1) == smoothed.argsort(1)).all()


def test_less_than_smoothing_gives_is_little_and_in_order():
    shares = torch.tensor([[0.98, 0.012, 0.006, 0.0015, 0.0005]])
    layer = LogitCalibration(5).eval()
    layer.undo_smoothing(0.1)
    told = layer(shares.log()).softmax(1)[0]
    assert (told.diff() < 0).all()
    assert 0 < told[4] < told[1] < 0.001
    assert told[0] > 0.998


@pytest.mark.parametrize("share", [0.0, 0.1, 0.999])
def test_the_surest_logits_give_finite_answers_and_gradients(share):
    logits = torch.tensor([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]], requires_grad=True)
    layer = LogitCalibration(3).eval()
    layer.undo_smoothing(share)
    logit_calibration = layer(logits)
    logit_calibration.log_softmax(1)[:, 0].sum().backward()
    assert logit_calibration.isfinite().all()
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(logit_calibration[1].softmax(0), torch.full((3,), 1 / 3))


def test_biases_and_factor_apply_to_what_is_meant():
    layer = LogitCalibration(2).eval()
    layer.undo_smoothing(0.2)
    logits = torch.tensor([[2.0, 1.0]])
    meant = layer(logits)
    layer.shift([1.0, -1.0])
    layer.scale(0.5)
    torch.testing.assert_close(layer(logits), (meant + torch.tensor([[1.0, -1.0]])) / 2)
