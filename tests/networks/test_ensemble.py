"""Network `ensemble`: mean of its members, normalized and calibrated per member."""

import copy

import pytest
import torch

from skconv.exceptions import ParameterError, UnknownNameError
from skconv.networks import create_network
from skconv.networks.blocks import Network
from skconv.networks.ensemble import EnsembleNetwork
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration

SHAPE = {"in_channels": 1, "image_size": (8, 8), "num_classes": 3}
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 255


class Constant(Network):
    """Network whose logits do not depend on the image."""

    def __init__(self, logits):
        super().__init__(InputNormalization(1), LogitCalibration(len(logits)))
        self.register_buffer("logits", torch.tensor(logits))

    def classify(self, images):
        return self.logits.expand(len(images), -1) + 0 * images.mean((1, 2, 3))[:, None]


def make(**options):
    torch.manual_seed(0)
    network = create_network("ensemble", **SHAPE, **{"members": 3, "network": "fast", **options}).eval()
    network.input_normalization.fit(IMAGES)
    return network


def test_softmax_is_the_mean_probability():
    network = make()
    expected = torch.stack([member(IMAGES).softmax(1) for member in network.members]).mean(0)
    torch.testing.assert_close(network(IMAGES).softmax(1), expected)
    torch.testing.assert_close(network(IMAGES).exp(), expected)


def test_logits_can_be_averaged_instead():
    network = make(average="logits")
    torch.testing.assert_close(network(IMAGES), torch.stack([member(IMAGES) for member in network.members]).mean(0))
    assert not torch.allclose(network(IMAGES).softmax(1), make()(IMAGES).softmax(1))


def test_confident_members_that_disagree_give_finite_logits():
    network = EnsembleNetwork([Constant([1e4, 0.0, 0.0]), Constant([0.0, 1e4, -1e4])])
    logits = network(IMAGES)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits.softmax(1), torch.tensor([[0.5, 0.5, 0.0]]).expand(6, 3))


def test_logits_of_every_member_are_scaled_and_shifted():
    network = make()
    before = [member(IMAGES) for member in network.members]
    network.logit_calibration.scale(0.5)
    network.logit_calibration.shift([0.0, 2.0, 0.0])
    for member, logits in zip(network.members, before, strict=True):
        torch.testing.assert_close(member(IMAGES), 0.5 * logits + torch.tensor([0.0, 2.0, 0.0]))


def test_smoothing_of_every_member_is_undone():
    network = make()
    before = [member(IMAGES) for member in network.members]
    network.logit_calibration.undo_smoothing(0.2)
    for member, logits in zip(network.members, before, strict=True):
        member.logit_calibration.undo_smoothing(0)
        torch.testing.assert_close(member(IMAGES), logits)
        member.logit_calibration.undo_smoothing(0.2)
        assert member(IMAGES).softmax(1).max(1).values.gt(logits.softmax(1).max(1).values).all()


def test_normalization_fits_all_members_and_reports_their_mean():
    network = make()
    mean = IMAGES.mean().item()
    assert all(member.input_normalization.mean.item() == pytest.approx(mean) for member in network.members)
    network.members[0].input_normalization.mean.zero_()
    assert network.input_normalization.mean.item() == pytest.approx(mean * 2 / 3)
    assert network.input_normalization.std.shape == (1, 1, 1)
    assert not any(name.startswith("input_normalization") for name in network.state_dict())


def test_copy_has_its_own_normalization():
    network = make()
    copied = copy.deepcopy(network)
    copied.input_normalization.fit(torch.zeros(2, 1, 8, 8))
    assert copied.members[0].input_normalization.mean.item() == 0
    assert network.input_normalization.mean.item() > 0


def test_members_have_different_weights_and_the_given_options():
    network = create_network("ensemble", **SHAPE, members=2, network="plain", network_options={"dropout": 0.3})
    first, second = network.members
    assert first.head[1].p == 0.3
    assert not torch.equal(first.head[2].weight, second.head[2].weight)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"members": 0}, ParameterError, r"'members' is 0; expected an integer from 1 to 1000"),
        ({"members": 10**9}, ParameterError, "'members'"),
        ({"members": 2.0}, ParameterError, "'members'"),
        ({"average": "median"}, ParameterError, "'average' is 'median'; expected one of 'probabilities', 'logits'"),
        ({"network": "ensemble"}, ParameterError, "other than .ensemble"),
        ({"network": 3}, ParameterError, "such as 'plain'"),
        ({"network": "fats"}, UnknownNameError, "Did you mean 'fast'"),
        ({"network_options": {"deep": 1}}, ParameterError, "no option 'deep'"),
        ({"network_options": {"num_classes": 1}}, ParameterError, "'network_options'"),
        ({"network_options": [1]}, ParameterError, "expected a mapping"),
    ],
)
def test_invalid_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        create_network("ensemble", **SHAPE, **options)
