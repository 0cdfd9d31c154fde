"""Network `residual`: resolution, whitening, test-time augmentation."""

import pytest
import torch

from skconv.exceptions import ParameterError
from skconv.networks import create_network
from skconv.networks.input_normalization import PatchWhitening
from skconv.networks.residual import ResidualStage

SHAPE = {"in_channels": 3, "image_size": (16, 16), "num_classes": 4}


def count_multiplications(network, image_size):
    """Return the multiplications per image of the convolutions."""
    counts = []

    def count(module, inputs, output):
        counts.append(output[0].numel() * module.weight[0].numel())

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    network.eval()(torch.zeros(1, 3, *image_size))
    return sum(counts)


def test_computation_hardly_depends_on_the_image_size():
    costs = [
        count_multiplications(create_network("residual", tta="none", **{**SHAPE, "image_size": size}), size)
        for size in ((32, 32), (64, 64), (96, 96), (64, 140), (128, 128), (224, 224))
    ]
    assert max(costs) < 1.6 * min(costs)


def test_outputs_of_whitening_are_uncorrelated_over_the_images():
    torch.manual_seed(0)
    images = torch.rand(500, 3, 8, 8).cumsum(2).cumsum(3)
    images = (images - images.mean()) / images.std()
    layer = PatchWhitening(3, (8, 8))
    assert not torch.allclose(layer(images).flatten(2).var((0, 2)), torch.ones(24), atol=0.2)
    layer.fit(images)
    outputs = layer(images).transpose(0, 1).flatten(1)[:12].double()
    second_moments = outputs @ outputs.T / outputs.shape[1]
    large = layer.variances[:12] > 0.05  # the others are reduced by the minimum variance
    assert large.sum() >= 3
    torch.testing.assert_close(second_moments[large][:, large], torch.eye(int(large.sum())).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(layer(images)[:, 12:], -layer(images)[:, :12])


def test_filters_loaded_with_the_weights_of_another_model_are_retained():
    torch.manual_seed(0)
    trained = create_network("residual", **SHAPE)
    trained.input_normalization.fit(torch.rand(50, 3, 16, 16))
    filters = trained.blocks[0].filters.clone()
    other = create_network("residual", **SHAPE)
    other.load_state_dict(trained.state_dict())
    images = torch.rand(50, 3, 16, 16).cumsum(3)
    other.input_normalization.fit(images)
    assert torch.equal(other.blocks[0].filters, filters)
    fresh = create_network("residual", **SHAPE)
    fresh.input_normalization.fit(images)
    assert not torch.allclose(fresh.blocks[0].filters, filters, atol=0.1)


@pytest.mark.parametrize("depth", [2, 3])
def test_stage_adds_its_first_output_to_that_of_two_or_more_convolutions(depth):
    stage = ResidualStage(4, 8, size=(8, 8), depth=depth).eval()
    torch.nn.init.zeros_(stage.others[-1][1].weight)  # batch norm: the last convolution contributes nothing
    features = torch.randn(2, 4, 8, 8)
    expected = torch.nn.functional.gelu(stage.first(features)) if depth == 3 else torch.zeros(2, 8, 4, 4)
    torch.testing.assert_close(stage(features), expected)


@pytest.mark.parametrize(("tta", "n_views"), [("none", 1), ("flip", 2), ("shift", 5), ("flip-shift", 10)])
def test_logits_are_averaged_over_views_in_evaluation_only(tta, n_views):
    torch.manual_seed(0)
    network = create_network("residual", tta=tta, **SHAPE)
    images = torch.rand(2, 3, 16, 16)
    network.input_normalization.fit(images)
    sizes = []
    network.head.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    network(images)
    assert sizes == [2]
    logits, mirrored = network.eval()(images), network(images.flip(3))
    assert len(sizes) == 1 + 2 * n_views
    assert torch.allclose(logits, mirrored, atol=1e-4) == ("flip" in tta)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"tta": "mirror"}, "'tta' is 'mirror'"), ({"depth": 1}, "'depth' is 1"), ({"width": 0}, "'width' is 0")],
)
def test_invalid_option_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        create_network("residual", **options, **SHAPE)
