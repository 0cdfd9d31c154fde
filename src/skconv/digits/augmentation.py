"""Augmentation of handwritten digits: stroke width, breaks, neighbours, blur, resolution, fading and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from skconv.training.augmentation import AUGMENTATIONS, check_settings, setting


@dataclass(frozen=True)
class Handwriting:
    """Random degradations of handwriting, for images with light ink on a dark background as in MNIST.

    Each parameter is the probability, 0..1, of one transformation of an image; its strength is random. Several
    transformations may be applied to one image.

    Parameters
    ----------
    pen : float, default=0
        Dilate or erode strokes, by up to about one pixel per side.
    breaks : float, default=0
        Erase up to three thin straight lines through the ink.
    neighbours : float, default=0
        Add part of another image of the batch at the left or right edge.
    blur : float, default=0
        Blur with a Gaussian of standard deviation 0.4 to 1.3 pixels.
    low_resolution : float, default=0
        Reduce the image to 36 % to 75 % of its size and enlarge it again.
    uneven_ink : float, default=0
        Multiply by a smooth random field with values from 0.4 to 1.15.
    noise : float, default=0
        Add Gaussian noise to ink and its surroundings, with a standard deviation of 5 to 40 of 255 grey levels.

    Raises
    ------
    ParameterError
        If a value is outside 0..1.

    Examples
    --------
    >>> augment = Handwriting(pen=0.5, blur=0.2)
    >>> augment(torch.zeros(32, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([32, 1, 28, 28])
    """

    pen: float = setting()
    breaks: float = setting()
    neighbours: float = setting()
    blur: float = setting()
    low_resolution: float = setting()
    uneven_ink: float = setting()
    noise: float = setting()

    def __post_init__(self) -> None:
        check_settings(self)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Transform float32 images (n, channels, height, width), 0..255; the generator must be on the same device."""
        steps = (
            (self.neighbours, _add_neighbours),
            (self.breaks, _erase_lines),
            (self.pen, _change_width),
            (self.uneven_ink, _fade),
            (self.low_resolution, _reduce_resolution),
            (self.blur, _blur),
            (self.noise, _add_noise),
        )
        for probability, transform in steps:
            if probability:
                is_selected = torch.rand(len(images), generator=generator, device=images.device) < probability
                indices = is_selected.nonzero()[:, 0]
                if len(indices):
                    images = images.index_copy(0, indices, transform(images[indices], images, generator))
        return images


AUGMENTATIONS.register("handwriting", Handwriting)


def _draw(images: Tensor, generator: torch.Generator, low: float, high: float) -> Tensor:
    """Return one uniform random number per image, (n, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)


def _change_width(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Change the stroke width by a fraction of a pixel, by interpolation with a dilated or eroded image."""
    strength = _draw(images, generator, -0.9, 1.0)
    thicker = _dilate(images)
    thinner = -_dilate(-images)
    # Dilate about a tenth of the images twice, to simulate a marker pen.
    thickest = torch.where(strength > 0.8, _dilate(thicker), thicker)
    weight = strength.abs()
    return torch.where(strength > 0, torch.lerp(images, thickest, weight), torch.lerp(images, thinner, weight))


def _dilate(images: Tensor) -> Tensor:
    vertical = F.max_pool2d(images, (3, 1), stride=1, padding=(1, 0))
    horizontal = F.max_pool2d(images, (1, 3), stride=1, padding=(0, 1))
    return torch.maximum(vertical, horizontal)


def _erase_lines(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Erase up to three lines, up to 2 pixels wide, through random points near the centre."""
    height, width = images.shape[2:]
    y, x = _coordinates(images)
    for _line in range(3):
        angle = _draw(images, generator, 0, math.pi)
        through_y, through_x = _draw(images, generator, -0.35, 0.35), _draw(images, generator, -0.35, 0.35)
        distance = ((y - through_y * height) * torch.cos(angle) + (x - through_x * width) * torch.sin(angle)).abs()
        thickness = _draw(images, generator, -1.0, 1.6)  # a negative thickness erases nothing
        images = images * (distance - thickness / 2 + 0.5).clamp(0, 1).where(thickness > 0, 1)
    return images


def _add_neighbours(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Overlay another image of the batch, shifted so that two to seven columns of its ink are visible at one edge."""
    n, (height, width) = len(images), images.shape[2:]
    indices = torch.randint(len(others), (n,), generator=generator, device=images.device)
    y, x = _coordinates(images)
    side = torch.where(_draw(images, generator, -1, 1) > 0, 1.0, -1.0)
    reach = _draw(images, generator, 2, 7.5)
    shift = side * (width / 2 + 8 - reach)
    lift = _draw(images, generator, -4, 4)
    grid = torch.stack(
        [((x - shift) * 2 / width).expand(n, 1, height, width), ((y - lift) * 2 / height).expand(n, 1, height, width)],
        dim=-1,
    )[:, 0]
    neighbour = F.grid_sample(others[indices], grid, align_corners=False)
    return torch.maximum(images, neighbour)


def _blur(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Blur each image with a Gaussian of random standard deviation, 0.4 to 1.3 pixels, and restore its brightness."""
    n, channels, height, width = images.shape
    sigma = _draw(images, generator, 0.4, 1.3).view(n, 1)
    offsets = torch.arange(-3, 4, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    rows = images.reshape(1, n * channels, height, width)
    rows = F.conv2d(rows, kernel.view(-1, 1, 7, 1), padding=(3, 0), groups=n * channels)
    rows = F.conv2d(rows, kernel.view(-1, 1, 1, 7), padding=(0, 3), groups=n * channels)
    return _brighten(rows.view(n, channels, height, width))


def _reduce_resolution(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Reduce all images to the same random size and enlarge them again."""
    factor = 0.36 + 0.39 * float(torch.rand((), generator=generator, device=images.device))
    size = [max(2, round(side * factor)) for side in images.shape[2:]]
    small = F.interpolate(images, size=size, mode="bilinear", antialias=True)
    return F.interpolate(small, size=images.shape[2:], mode="bicubic", align_corners=False).clamp(0, 255)


def _fade(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply each image by a smooth random field with values from 0.4 to 1.15."""
    knots = torch.rand(len(images), 1, 4, 4, generator=generator, device=images.device)
    field = F.interpolate(knots, size=images.shape[2:], mode="bilinear", align_corners=True)
    return _brighten(images * (0.4 + 0.75 * field))


def _brighten(images: Tensor) -> Tensor:
    """Scale images so that their maximum is at least 90 % of the range, as in normalised digits."""
    peak = images.amax((1, 2, 3), keepdim=True)
    return (images * (230 / peak.clamp(1)).clamp(1)).clamp(0, 255)


def _add_noise(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise to ink and its edges only, because the background of normalised digits is 0."""
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    strength = _draw(images, generator, 5, 40)
    return torch.where(_dilate(images) > 20, images + noise * strength, images).clamp(0, 255)


def _coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows (height, 1) and columns (width,) of the pixels, relative to the centre of the image."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    return y[:, None], x
