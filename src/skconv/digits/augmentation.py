"""What pens, scanners and neighbours do to a 28×28 digit: random damage of a whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional as F

from skconv.exceptions import ParameterError


@dataclass(frozen=True)
class Handwriting:
    """Other pens, worn strokes, parts of neighbours, blur, low resolution and noise, drawn anew for every image.

    For images with light ink on dark ground, as MNIST's. Every setting is the probability that an image is damaged
    in that way, 0..1; how much is drawn at random. An image may be damaged in several ways.

    Parameters
    ----------
    pen : float, default=0
        Strokes become thicker or thinner, by up to about a pixel at either side.
    breaks : float, default=0
        One to three thin straight lines through the ink are rubbed out.
    neighbours : float, default=0
        A part of another image of the batch reaches in from the left or the right.
    blur : float, default=0
        A soft focus of up to 1.3 pixels.
    low_resolution : float, default=0
        The image is made smaller, to 36 % to 75 % of its side, and enlarged again.
    uneven_ink : float, default=0
        The ink fades smoothly from place to place, to as little as 40 % of what it is elsewhere.
    noise : float, default=0
        Grain of up to 15 % of the range on ink and its surroundings.

    Raises
    ------
    ParameterError
        A value outside 0..1.

    Examples
    --------
    >>> damage = Handwriting(pen=0.5, blur=0.2)
    >>> damage(torch.zeros(32, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([32, 1, 28, 28])
    """

    pen: float = 0.0
    breaks: float = 0.0
    neighbours: float = 0.0
    blur: float = 0.0
    low_resolution: float = 0.0
    uneven_ink: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ParameterError(f"The augmentation's '{field.name}' is {value!r}; expected a number in 0..1.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Damage float32 images (n, channels, height, width) of 0..255; the generator lives on the same device."""
        steps = (
            (self.neighbours, _add_neighbours),
            (self.breaks, _break_strokes),
            (self.pen, _change_pen),
            (self.uneven_ink, _fade),
            (self.low_resolution, _lower_resolution),
            (self.blur, _blur),
            (self.noise, _add_noise),
        )
        for probability, damage in steps:
            if probability:
                chosen = torch.rand(len(images), generator=generator, device=images.device) < probability
                positions = chosen.nonzero()[:, 0]
                if len(positions):
                    # Only the chosen ones are computed: most damage is rare.
                    images = images.index_copy(0, positions, damage(images[positions], images, generator))
        return images


def _draw(images: Tensor, generator: torch.Generator, low: float, high: float) -> Tensor:
    """Draw one uniform number an image, (n, 1, 1, 1)."""
    unit = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return low + (high - low) * unit


def _change_pen(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Mix each image with its dilation or its erosion, of a plus-shaped neighbourhood: a fraction of a pixel."""
    strength = _draw(images, generator, -0.9, 1.0)
    thicker = _spread(images)
    thinner = -_spread(-images)
    # A second round makes the strongest tenth as thick as a marker.
    thickest = torch.where(strength > 0.8, _spread(thicker), thicker)
    weight = strength.abs()
    return torch.where(strength > 0, torch.lerp(images, thickest, weight), torch.lerp(images, thinner, weight))


def _spread(images: Tensor) -> Tensor:
    upright = F.max_pool2d(images, (3, 1), stride=1, padding=(1, 0))
    level = F.max_pool2d(images, (1, 3), stride=1, padding=(0, 1))
    return torch.maximum(upright, level)


def _break_strokes(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Rub out lines of half a pixel to two pixels, through random points near the middle."""
    height, width = images.shape[2:]
    y, x = _coordinates(images)
    for _line in range(3):
        angle = _draw(images, generator, 0, math.pi)
        through_y, through_x = _draw(images, generator, -0.35, 0.35), _draw(images, generator, -0.35, 0.35)
        distance = ((y - through_y * height) * torch.cos(angle) + (x - through_x * width) * torch.sin(angle)).abs()
        thickness = _draw(images, generator, -1.0, 1.6)  # below 0 there is no line
        images = images * (distance - thickness / 2 + 0.5).clamp(0, 1).where(thickness > 0, 1)
    return images


def _add_neighbours(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Lay over what is within two to seven columns of an edge of another image, moved so that its ink is there."""
    n, (height, width) = len(images), images.shape[2:]
    positions = torch.randint(len(others), (n,), generator=generator, device=images.device)
    y, x = _coordinates(images)
    side = torch.where(_draw(images, generator, -1, 1) > 0, 1.0, -1.0)
    reach = _draw(images, generator, 2, 7.5)
    # The neighbour's middle is moved to beyond the edge, so that its near side reaches in.
    moved = side * (width / 2 + 8 - reach)
    lift = _draw(images, generator, -4, 4)
    grid = torch.stack(
        [((x - moved) * 2 / width).expand(n, 1, height, width), ((y - lift) * 2 / height).expand(n, 1, height, width)],
        dim=-1,
    )[:, 0]
    neighbour = F.grid_sample(others[positions], grid, align_corners=False)
    return torch.maximum(images, neighbour)


def _blur(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Soften with a Gaussian of 0.4 to 1.3 pixels, of a width of its own for every image."""
    n, channels, height, width = images.shape
    sigma = _draw(images, generator, 0.4, 1.3).view(n, 1)
    offsets = torch.arange(-3, 4, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    rows = images.reshape(1, n * channels, height, width)
    rows = F.conv2d(rows, kernel.view(-1, 1, 7, 1), padding=(3, 0), groups=n * channels)
    rows = F.conv2d(rows, kernel.view(-1, 1, 1, 7), padding=(0, 3), groups=n * channels)
    return _brighten(rows.view(n, channels, height, width))


def _lower_resolution(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Make all of them smaller to one size, drawn for the batch, and enlarge them again."""
    share = 0.36 + 0.39 * float(torch.rand((), generator=generator, device=images.device))
    size = [max(2, round(side * share)) for side in images.shape[2:]]
    small = F.interpolate(images, size=size, mode="bilinear", antialias=True)
    enlarged = F.interpolate(small, size=images.shape[2:], mode="bicubic", align_corners=False)
    return enlarged.clamp(0, 255)


def _fade(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Multiply by a smooth field between 40 % and 115 %."""
    knots = torch.rand(len(images), 1, 4, 4, generator=generator, device=images.device)
    field = F.interpolate(knots, size=images.shape[2:], mode="bilinear", align_corners=True)
    faded = images * (0.4 + 0.75 * field)
    return _brighten(faded)


def _brighten(images: Tensor) -> Tensor:
    """Bring the core of the ink back to 90 % of the range or more, as normalisation does."""
    peak = images.amax((1, 2, 3), keepdim=True)
    return (images * (230 / peak.clamp(1)).clamp(1)).clamp(0, 255)


def _add_noise(images: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Add grain where there is ink or an edge of it; normalised paper is clean."""
    grain = torch.randn(images.shape, generator=generator, device=images.device)
    strength = _draw(images, generator, 5, 40)
    return torch.where(_spread(images) > 20, images + grain * strength, images).clamp(0, 255)


def _coordinates(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows (height, 1) and columns (width,) of the pixels, counted from the middle of the image."""
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    return y[:, None], x
