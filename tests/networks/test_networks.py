"""Every registered network, on every size and form of image."""

import pytest
import torch

from skconv.exceptions import ParameterError, UnknownNameError
from skconv.networks import create_network, describe_network, list_networks
from skconv.networks.blocks import ConvBlock, turn
from skconv.networks.input_normalization import ContrastNormalization, InputNormalization


@pytest.mark.parametrize("name", list_networks())
@pytest.mark.parametrize("image_size", [(1, 1), (1, 64), (2, 3), (8, 8), (16, 16), (28, 28), (33, 20)])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_network_takes_any_image_size_and_trains(name, image_size, in_channels):
    network = create_network(name, in_channels=in_channels, image_size=image_size, num_classes=5)
    images = torch.rand(4, in_channels, *image_size) * 255
    network.input_normalization.fit(images)
    logits = network(images)
    assert logits.shape == (4, 5)
    logits.logsumexp(1).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("name", list_networks())
def test_network_does_not_depend_on_the_scale_of_the_pixels(name):
    images = torch.rand(16, 1, 12, 12)
    results = []
    for factor in (1.0, 255.0):
        torch.manual_seed(0)
        network = create_network(name, in_channels=1, image_size=(12, 12), num_classes=3).eval()
        network.input_normalization.fit(images * factor)
        results.append(network(images * factor))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in list_networks() if name != "ensemble"])
def test_answers_come_last_and_never_in_training(name):
    network = create_network(name, in_channels=1, image_size=(14, 14), num_classes=3).eval()
    images = torch.rand(4, 1, 14, 14)
    before = network(images)
    network.logit_calibration.shift([0.0, 2.0, 0.0])
    network.logit_calibration.scale(0.5)
    torch.testing.assert_close(network(images), (before + torch.tensor([0.0, 2.0, 0.0])) / 2)
    network.logit_calibration.undo_smoothing(0.3)
    assert not torch.allclose(network(images), (before + torch.tensor([0.0, 2.0, 0.0])) / 2)
    network.logit_calibration.train()
    torch.testing.assert_close(network(images), before)


@pytest.mark.parametrize("name", list_networks())
def test_network_says_what_it_is(name):
    assert len(describe_network(name)) > 30


def test_scaling_gives_mean_0_and_deviation_1_per_channel():
    images = torch.randint(0, 256, (50, 3, 6, 6), dtype=torch.uint8)
    layer = InputNormalization(3)
    layer.fit(images)
    scaled = layer(images.float())
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_scaling_of_constant_images_stays_finite():
    layer = InputNormalization(1)
    layer.fit(torch.full((3, 1, 2, 2), 7, dtype=torch.uint8))
    assert layer(torch.full((1, 1, 2, 2), 7.0)).abs().max() == 0


def test_stretching_makes_pale_dark_and_bright_images_alike_and_leaves_full_contrast_as_it_is():
    images = torch.randint(0, 256, (50, 3, 6, 6)).float()
    images[:, 0, 0, :2] = torch.tensor([0.0, 255.0])
    layer, plain = ContrastNormalization(3), InputNormalization(3)
    for each in (layer, plain):
        each.fit(images.to(torch.uint8))
    torch.testing.assert_close(layer(images), plain(images), atol=1e-4, rtol=1e-4)
    for changed in (images * 0.1, images + 90, images * 0.3 + 150):
        torch.testing.assert_close(layer(changed), layer(images), atol=1e-4, rtol=1e-4)


def test_stretching_leaves_what_hardly_varies_pale():
    layer = ContrastNormalization(1)
    layer.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    pale = layer(torch.tensor([[[[100.0, 101.0]]]]))
    assert 0 < float(pale.max() - pale.min()) < 0.5
    layer.fit(torch.full((3, 1, 2, 2), 7, dtype=torch.uint8))
    assert layer(torch.full((1, 1, 2, 2), 9.0)).abs().max() == 0


def test_pooling_before_activation_equals_pooling_after():
    block = ConvBlock(1, 4, size=(8, 8), pool=True)
    conv, pool, norm, relu = block
    images = torch.rand(8, 1, 8, 8)
    # Equal where the normalisation does not change an order: with the same statistics and a positive weight.
    norm.eval()
    torch.testing.assert_close(block(images), pool(relu(norm(conv(images)))))


def test_unknown_network_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'fast'"):
        create_network("fats", in_channels=1, image_size=(8, 8), num_classes=2)


def test_unknown_option_and_impossible_size_are_refused():
    with pytest.raises(ParameterError, match=r"no option 'depth'\. Its options: crop"):
        create_network("fast", in_channels=1, image_size=(8, 8), num_classes=2, depth=3)
    with pytest.raises(ParameterError, match="height=0"):
        create_network("fast", in_channels=1, image_size=(0, 8), num_classes=2)
    with pytest.raises(ParameterError, match=r"'crop' is -1; expected a whole number in 0\.\.1000"):
        create_network("fast", in_channels=1, image_size=(8, 8), num_classes=2, crop=-1)
    with pytest.raises(ParameterError, match="'dropout' is 2"):
        create_network("standard", in_channels=1, image_size=(8, 8), num_classes=2, dropout=2)


def test_fast_averages_five_positions_in_evaluation_only():
    torch.manual_seed(0)
    network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=4, crop=2)
    images = torch.rand(3, 1, 28, 28)
    network.eval()
    moved = [torch.roll(images, (-down, -right), (2, 3)) for down, right in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]
    alone = [network._look(each[:, :, 2:-2, 2:-2]) for each in moved]
    torch.testing.assert_close(network(images), torch.stack(alone).mean(0))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    network.training = True
    torch.testing.assert_close(network(images), alone[0])


def test_accurate_averages_three_angles_the_upright_one_over_five_positions():
    torch.manual_seed(0)
    images = torch.zeros(2, 1, 28, 28)
    images[:, :, 6:-6, 6:-6] = torch.rand(2, 1, 16, 16)  # far enough from the border to be moved without loss
    for name in ("accurate", "standard"):
        network = create_network(name, in_channels=1, image_size=(28, 28), num_classes=4).eval()
        network.input_normalization.fit(images)
        seen = network.input_normalization(images)
        moved = [torch.roll(seen, shift, (2, 3)) for shift in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]
        alone = [network.head(network.blocks(each)) for each in (*moved, turn(seen, 7), turn(seen, -7))]
        mean = (torch.stack(alone[:5]).mean(0) + alone[5] + alone[6]) / 3
        torch.testing.assert_close(network(images), mean if name == "accurate" else alone[0])
        assert not torch.allclose(mean, alone[0], atol=1e-6)


def test_wide_answers_the_same_for_an_image_and_its_mirror_image_in_evaluation_only():
    torch.manual_seed(0)
    images = torch.rand(2, 1, 28, 28)
    network = create_network("wide", in_channels=1, image_size=(28, 28), num_classes=4).eval()
    torch.testing.assert_close(network(images), network(images.flip(3)))
    network.training = True
    assert not torch.allclose(network(images), network(images.flip(3)), atol=1e-6)


def test_an_image_is_turned_about_its_centre_whatever_its_shape():
    image = torch.zeros(1, 1, 21, 41)
    image[0, 0, 10, 25] = 1.0  # five pixels to the right of the centre
    turned = turn(image, 90)[0, 0]
    assert divmod(int(turned.argmax()), 41) == (15, 20)  # five pixels below it
    torch.testing.assert_close(turn(image, 0), image)
    bright = torch.full((2, 3, 8, 9), 7.0)
    torch.testing.assert_close(turn(bright, 30), bright)  # the border is repeated
