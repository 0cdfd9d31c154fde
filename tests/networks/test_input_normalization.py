"""Input normalization: statistics, contrast, constant images."""

import torch

from skconv.networks.input_normalization import ContrastNormalization, InputNormalization


def test_channels_have_mean_0_and_standard_deviation_1():
    images = torch.randint(0, 256, (50, 3, 6, 6), dtype=torch.uint8)
    layer = InputNormalization(3)
    layer.fit(images)
    normalized = layer(images.float())
    torch.testing.assert_close(normalized.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalized.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_constant_images_stay_finite():
    layer = InputNormalization(1)
    layer.fit(torch.full((3, 1, 2, 2), 7, dtype=torch.uint8))
    assert layer(torch.full((1, 1, 2, 2), 7.0)).abs().max() == 0


def test_contrast_normalization_is_invariant_to_contrast_and_brightness():
    images = torch.randint(0, 256, (50, 3, 6, 6)).float()
    images[:, 0, 0, :2] = torch.tensor([0.0, 255.0])
    layer, plain = ContrastNormalization(3), InputNormalization(3)
    for each in (layer, plain):
        each.fit(images.to(torch.uint8))
    torch.testing.assert_close(layer(images), plain(images), atol=1e-4, rtol=1e-4)
    for changed in (images * 0.1, images + 90, images * 0.3 + 150):
        torch.testing.assert_close(layer(changed), layer(images), atol=1e-4, rtol=1e-4)


def test_contrast_normalization_does_not_stretch_noise():
    layer = ContrastNormalization(1)
    layer.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    noise = layer(torch.tensor([[[[100.0, 101.0]]]]))
    assert 0 < float(noise.max() - noise.min()) < 0.5
    layer.fit(torch.full((3, 1, 2, 2), 7, dtype=torch.uint8))
    assert layer(torch.full((1, 1, 2, 2), 9.0)).abs().max() == 0
