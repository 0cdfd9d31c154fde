"""Building blocks against plain references."""

import torch

from skconv.networks.blocks import ConvBlock, rotate


def test_pooling_before_the_activation_equals_pooling_after():
    block = ConvBlock(1, 4, size=(8, 8), pool=True)
    conv, pool, norm, relu = block
    images = torch.rand(8, 1, 8, 8)
    norm.eval()  # the statistics of pooled and unpooled features would differ
    torch.testing.assert_close(block(images), pool(relu(norm(conv(images)))))


def test_rotation_is_about_the_centre_and_repeats_the_border():
    image = torch.zeros(1, 1, 21, 41)
    image[0, 0, 10, 25] = 1.0  # five pixels right of the centre
    rotated = rotate(image, 90)[0, 0]
    assert divmod(int(rotated.argmax()), 41) == (15, 20)  # five pixels below it
    torch.testing.assert_close(rotate(image, 0), image)
    constant = torch.full((2, 3, 8, 9), 7.0)
    torch.testing.assert_close(rotate(constant, 30), constant)
