"""Augmentation: random changes of a whole batch of images at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from skconv.distributed.process_group import BatchShard
from skconv.exceptions import ParameterError

_ELASTIC_KNOTS = 6  # a coarse grid of random displacements; between the knots they are interpolated smoothly


@lru_cache(maxsize=8)
def _spline(side: int, device: torch.device) -> Tensor:
    """Return the matrix (side, knots) that interpolates values at the knots smoothly; far faster than `interpolate`."""
    values = torch.eye(_ELASTIC_KNOTS, device=device)[None, None]
    stretched = F.interpolate(values, size=(side, _ELASTIC_KNOTS), mode="bicubic", align_corners=True)
    return stretched[0, 0]


@dataclass(frozen=True)
class _Draws:
    """Random numbers for every image of a whole batch, of which those of a shard are returned."""

    generator: torch.Generator
    shard: BatchShard

    def draw(self, distribution: Callable[..., Tensor], *shape: int | None) -> Tensor:
        """Draw tensors of a shape in which None stands for the number of images."""
        sizes = [self.shard.batch_size if size is None else size for size in shape]
        drawn = distribution(*sizes, generator=self.generator, device=self.generator.device)
        return drawn.narrow(shape.index(None), self.shard.start, self.shard.stop - self.shard.start)


@dataclass(frozen=True)
class Augmentation:
    """Random affine and elastic distortion, erasing and flips, drawn anew for every image of every batch.

    All geometric changes are one resampling: images are blurred by interpolation once, not once a change. Pixels that
    come from outside an image repeat its border.

    Parameters
    ----------
    rotation : float, default=0
        Degrees; the angle is uniform in ±rotation. 0..180.
    shift : float, default=0
        Share of the side, along both axes, uniform in ±shift. 0..1.
    scale : float, default=0
        Zoom of each axis by a factor uniform in 1 ± scale. 0..0.9.
    shear : float, default=0
        Degrees, uniform in ±shear. 0..60.
    elastic : float, default=0
        Standard deviation of the random displacement at each knot of a coarse grid, as a share of the side. 0..0.5.
    erasing : float, default=0
        Probability that a random rectangle of 2 % to 20 % of the area is painted over with noise. 0..1.
    flip : bool, default=False
        Mirror left and right half of the time: right for garments, wrong for digits.
    perspective : float, default=0
        Each corner is drawn inwards along both axes by a share of half the side, uniform in 0..perspective. 0..0.9.
    perspective_probability : float, default=1
        Share of the images that are seen in perspective. 0..1.

    Raises
    ------
    ParameterError
        A value outside its range.

    References
    ----------
    Simard, Steinkraus, Platt: "Best practices for convolutional neural networks applied to visual document
    analysis", ICDAR 2003 (elastic distortion); Zhong et al.: "Random erasing data augmentation", AAAI 2020.

    Examples
    --------
    >>> augment = Augmentation(rotation=10, shift=0.08, scale=0.1)
    >>> augment(torch.zeros(32, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([32, 1, 28, 28])
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    erasing: float = 0.0
    flip: bool = False
    perspective: float = 0.0
    perspective_probability: float = 1.0

    def __post_init__(self) -> None:
        most = {
            "rotation": 180,
            "shift": 1,
            "scale": 0.9,
            "shear": 60,
            "elastic": 0.5,
            "erasing": 1,
            "flip": 1,
            "perspective": 0.9,
            "perspective_probability": 1,
        }
        for field in fields(self):
            value = getattr(self, field.name)
            wrong_kind = isinstance(value, bool) != (field.name == "flip") or not isinstance(value, int | float)
            if wrong_kind or not 0 <= value <= most[field.name]:
                raise ParameterError(
                    f"The augmentation's '{field.name}' is {value!r}; expected "
                    + ("true or false." if field.name == "flip" else f"a number in 0..{most[field.name]}.")
                )

    @property
    def per_image(self) -> bool:
        """Whether what becomes of an image does not depend on the others: the noise of erasing is as bright as all."""
        return not self.erasing

    def __call__(self, images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
        """Distort float32 images (n, channels, height, width); the generator lives on the same device.

        For a shard, random numbers are drawn for its whole batch.
        """
        geometric = (self.rotation, self.shift, self.scale, self.shear, self.elastic, self.flip, self.perspective)
        if any(geometric):
            images = self._resample(images, _Draws(generator, shard or BatchShard(0, len(images), len(images))))
        return self._erase(images, generator) if self.erasing else images

    def _resample(self, images: Tensor, draws: _Draws) -> Tensor:
        affine = self._draw_affine(images, draws)
        if self.perspective:
            grid = _look_from(self._draw_perspective(images, draws), affine, images)
        else:
            grid = F.affine_grid(affine, list(images.shape), align_corners=False)
        if self.elastic:
            knots = draws.draw(torch.randn, 2, None, _ELASTIC_KNOTS, _ELASTIC_KNOTS)
            down, across = (_spline(side, images.device) for side in images.shape[2:])
            bend = down @ knots @ across.T  # (2, n, height, width)
            grid = grid + bend.permute(1, 2, 3, 0) * (2 * self.elastic)  # the grid spans -1..1, twice the side
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _draw_affine(self, images: Tensor, draws: _Draws) -> Tensor:
        """Draw matrices (n, 2, 3) that send a position in the new image to one in the old."""
        unit = draws.draw(torch.rand, 6, None) * 2 - 1
        angle, shear = unit[0] * math.radians(self.rotation), torch.tan(unit[1] * math.radians(self.shear))
        zoom_x, zoom_y = 1 / (1 + unit[2] * self.scale), 1 / (1 + unit[3] * self.scale)
        if self.flip:
            mirrored = draws.draw(torch.rand, None) < 0.5
            zoom_x = torch.where(mirrored, -zoom_x, zoom_x)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # The grid's axes both span -1..1: rotation of an image that is not square needs its aspect ratio.
        aspect = images.shape[2] / images.shape[3]
        row_x = torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_x * aspect, 2 * self.shift * unit[4]], dim=1)
        row_y = torch.stack([sin * zoom_y / aspect, (shear * sin + cos) * zoom_y, 2 * self.shift * unit[5]], dim=1)
        return torch.stack([row_x, row_y], dim=1)

    def _draw_perspective(self, images: Tensor, draws: _Draws) -> Tensor:
        """Draw matrices (n, 3, 3) that send a position in the new image to one before the change of perspective."""
        n, device = len(images), images.device
        corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], device=device)
        inwards = draws.draw(torch.rand, None, 4, 2) * self.perspective
        chosen = draws.draw(torch.rand, None, 1, 1) < self.perspective_probability
        x, y = (corners * (1 - inwards * chosen)).unbind(2)  # (n, 4) each: where the corners are in the new image
        u, v = corners.unbind(1)
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        # u = (a x + b y + c) / (g x + h y + 1) and v = (d x + e y + f) / (g x + h y + 1), for the four corners.
        for_u = torch.stack([x, y, one, zero, zero, zero, -x * u, -y * u], dim=2)
        for_v = torch.stack([zero, zero, zero, x, y, one, -x * v, -y * v], dim=2)
        solution = torch.linalg.solve(torch.cat([for_u, for_v], dim=1), torch.cat([u, v]).expand(n, 8))
        return torch.cat([solution, one[:, :1]], dim=1).view(n, 3, 3)

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        n, channels, height, width = images.shape
        device = images.device
        unit = torch.rand(5, n, 1, generator=generator, device=device)
        area, ratio = 0.02 + 0.18 * unit[0], torch.exp((unit[1] * 2 - 1) * math.log(3))
        half_y, half_x = torch.sqrt(area * ratio) / 2, torch.sqrt(area / ratio) / 2
        y = (torch.arange(height, device=device) + 0.5) / height
        x = (torch.arange(width, device=device) + 0.5) / width
        inside_y = ((y - unit[2]).abs() < half_y)[:, None, :, None]
        inside_x = ((x - unit[3]).abs() < half_x)[:, None, None, :]
        chosen = (unit[4] < self.erasing)[:, :, None, None]
        noise = torch.rand(n, channels, height, width, generator=generator, device=device) * images.amax()
        return torch.where(inside_y & inside_x & chosen, noise, images)


@dataclass(frozen=True)
class AugmentationSequence:
    """Augmentations one after the other, each with its own resampling.

    Parameters
    ----------
    steps : tuple of callables, `Augmentation` or `skconv.digits.augmentation.Handwriting`
        Applied in this order.
    """

    steps: tuple[Callable[..., Tensor], ...]

    @property
    def per_image(self) -> bool:
        """Whether every step treats each image alone."""
        return all(getattr(step, "per_image", False) for step in self.steps)

    def __call__(self, images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
        """Distort float32 images (n, channels, height, width), optionally a shard of a batch."""
        for step in self.steps:
            images = step(images, generator) if shard is None else step(images, generator, shard)
        return images


def _look_from(perspective: Tensor, affine: Tensor, images: Tensor) -> Tensor:
    """Return the sampling grid (n, height, width, 2) of a change of perspective after an affine one."""
    n, _, height, width = images.shape
    x = (torch.arange(width, device=images.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=images.device) * 2 + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    positions = torch.stack([columns, rows, torch.ones_like(rows)], dim=2).view(-1, 3)
    seen = positions @ perspective.transpose(1, 2)  # (n, height * width, 3)
    seen = seen / seen[..., 2:]
    return (seen @ affine.transpose(1, 2)).view(n, height, width, 2)
