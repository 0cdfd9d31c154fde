"""Augmentation of photographs: crop with reflection, brightness, contrast, saturation, cutout."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skconv.distributed.process_group import BatchShard
from skconv.networks.blocks import LUMA
from skconv.training.augmentation import AUGMENTATIONS, RandomDraws, check_settings, setting


@dataclass(frozen=True)
class PhotoAugmentation:
    """Random crop, colour and cutout, drawn anew for each image of each batch; images are not interpolated.

    The factors of brightness, contrast and saturation multiply pixel values, which are not clipped to their range.

    Parameters
    ----------
    crop : float, default=0
        Padding by reflection before a random crop of the original size, as a fraction of each side, rounded to pixels.
        0..0.5.
    brightness : float, default=0
        Multiply the image by a factor uniform in 1 ± brightness. 0..1.
    contrast : float, default=0
        Multiply the differences from the mean of the image by a factor uniform in 1 ± contrast. 0..1.
    saturation : float, default=0
        Multiply the differences from the grey image by a factor uniform in 1 ± saturation; no effect on images that are
        not RGB. 0..1.
    cutout : float, default=0
        Replace a rectangle by the mean colour of the image. Its sides are this fraction of those of the image, and its
        centre is uniform over the image. 0..1.

    Raises
    ------
    ParameterError
        If a value is out of range.

    References
    ----------
    DeVries, Taylor: "Improved regularization of convolutional neural networks with cutout", 2017.

    Examples
    --------
    >>> augment = PhotoAugmentation(crop=0.0625, brightness=0.2)
    >>> augment(torch.zeros(32, 3, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([32, 3, 28, 28])
    """

    crop: float = setting(max=0.5)
    brightness: float = setting()
    contrast: float = setting()
    saturation: float = setting()
    cutout: float = setting()

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def per_image(self) -> bool:
        """Whether each image is augmented independently; always true."""
        return True

    def __call__(self, images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
        """Augment float32 images (n, channels, height, width); the generator must be on the same device.

        With a `shard`, random numbers are drawn for the whole batch that contains the images.
        """
        draws = RandomDraws(generator, shard or BatchShard(0, len(images), len(images)))
        if self.crop:
            images = self._crop(images, draws)
        if self.brightness:
            images = images * _draw_factor(self.brightness, draws)
        if self.contrast:
            mean = images.mean((1, 2, 3), keepdim=True)
            images = torch.lerp(mean, images, _draw_factor(self.contrast, draws))
        if self.saturation and images.shape[1] == len(LUMA):
            grey = (images * images.new_tensor(LUMA).view(1, -1, 1, 1)).sum(1, keepdim=True)
            images = torch.lerp(grey, images, _draw_factor(self.saturation, draws))
        return self._cut_out(images, draws) if self.cutout else images

    def _crop(self, images: Tensor, draws: RandomDraws) -> Tensor:
        for dim, unit in zip((2, 3), draws.draw(torch.rand, 2, None), strict=True):
            side = images.shape[dim]
            padding = min(round(self.crop * side), side - 1)
            offset = (unit * (2 * padding + 1)).long().clamp(max=2 * padding) - padding
            position = (torch.arange(side, device=images.device) + offset[:, None]).abs()  # reflected at the start
            position = side - 1 - (side - 1 - position).abs()  # and at the end
            index = position[:, None, :, None] if dim == 2 else position[:, None, None, :]
            images = images.gather(dim, index.expand_as(images))
        return images

    def _cut_out(self, images: Tensor, draws: RandomDraws) -> Tensor:
        centre = draws.draw(torch.rand, 2, None, 1)
        y, x = ((torch.arange(side, device=images.device) + 0.5) / side for side in images.shape[2:])
        inside_y = ((y - centre[0]).abs() < self.cutout / 2)[:, None, :, None]
        inside_x = ((x - centre[1]).abs() < self.cutout / 2)[:, None, None, :]
        return torch.where(inside_y & inside_x, images.mean((2, 3), keepdim=True), images)


AUGMENTATIONS.register("photo", PhotoAugmentation)


def _draw_factor(strength: float, draws: RandomDraws) -> Tensor:
    """Draw one factor per image, uniform in 1 ± strength, shape (n, 1, 1, 1)."""
    return 1 + strength * (2 * draws.draw(torch.rand, None, 1, 1, 1) - 1)
