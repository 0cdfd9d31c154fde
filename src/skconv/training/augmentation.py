"""Data augmentation: registry, geometric augmentation, sequences of augmentations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from skconv.distributed.process_group import BatchShard
from skconv.exceptions import ParameterError
from skconv.registry import Registry
from skconv.training.batches import Augment

# Each class is a frozen dataclass whose fields are its settings; `BatchIterator` documents how it is called.
AUGMENTATIONS: Registry[type[Any]] = Registry("augmentations", "augmentation")

_ELASTIC_KNOTS = 6  # per side of the grid of random displacements


def setting(*, max: float = 1, default: float = 0.0) -> Any:
    """Return a dataclass field for a setting of an augmentation, a number from 0 to `max`."""
    return field(default=default, metadata={"max": max})


def check_settings(augmentation: Any) -> None:
    """Raise `ParameterError` if a setting of an augmentation has the wrong type or is out of range."""
    for each in fields(augmentation):
        value, is_flag = getattr(augmentation, each.name), isinstance(each.default, bool)
        max_value = each.metadata.get("max", 1)
        wrong_kind = isinstance(value, bool) != is_flag or not isinstance(value, int | float)
        if wrong_kind or not 0 <= value <= max_value:
            expected = "true or false" if is_flag else f"a number from 0 to {max_value}"
            raise ParameterError(f"The augmentation's '{each.name}' is {value!r}; expected {expected}.")


@lru_cache(maxsize=8)
def _spline(side: int, device: torch.device) -> Tensor:
    """Return the bicubic interpolation matrix (side, knots); multiplying by it is far faster than `interpolate`."""
    values = torch.eye(_ELASTIC_KNOTS, device=device)[None, None]
    stretched = F.interpolate(values, size=(side, _ELASTIC_KNOTS), mode="bicubic", align_corners=True)
    return stretched[0, 0]


@dataclass(frozen=True)
class RandomDraws:
    """Random numbers, drawn for a whole batch and sliced to one of its shards."""

    generator: torch.Generator
    shard: BatchShard

    def draw(self, distribution: Callable[..., Tensor], *shape: int | None) -> Tensor:
        """Return random numbers of the given shape, in which None is the number of images."""
        sizes = [self.shard.batch_size if size is None else size for size in shape]
        drawn = distribution(*sizes, generator=self.generator, device=self.generator.device)
        return drawn.narrow(shape.index(None), self.shard.start, self.shard.stop - self.shard.start)


@dataclass(frozen=True)
class Augmentation:
    """Random affine, perspective and elastic distortion, flips and erasing, drawn anew for each image of each batch.

    All geometric transformations are combined, so that images are interpolated once. Pixels outside an image repeat
    its border.

    Parameters
    ----------
    rotation : float, default=0
        Degrees; the angle is uniform in ±rotation. 0..180.
    shift : float, default=0
        Translation along both axes, as a fraction of the side, uniform in ±shift. 0..1.
    scale : float, default=0
        Zoom of each axis by a factor uniform in 1 ± scale. 0..0.9.
    shear : float, default=0
        Degrees, uniform in ±shear. 0..60.
    elastic : float, default=0
        Standard deviation of the displacement at each knot of a coarse grid, as a fraction of the side. 0..0.5.
    erasing : float, default=0
        Probability that a random rectangle of 2 % to 20 % of the area is replaced by noise. 0..1.
    flip : bool, default=False
        Flip horizontally with probability 0.5; suitable for clothing, not for digits.
    perspective : float, default=0
        Displacement of each corner towards the centre, as a fraction of half the side, uniform in 0..perspective.
        0..0.9.
    perspective_probability : float, default=1
        Probability of the perspective distortion. 0..1.

    Raises
    ------
    ParameterError
        If a value is out of range.

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

    rotation: float = setting(max=180)
    shift: float = setting()
    scale: float = setting(max=0.9)
    shear: float = setting(max=60)
    elastic: float = setting(max=0.5)
    erasing: float = setting()
    flip: bool = False
    perspective: float = setting(max=0.9)
    perspective_probability: float = setting(default=1.0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def per_image(self) -> bool:
        """Whether each image is augmented independently; false with erasing, whose noise depends on the batch."""
        return not self.erasing

    def __call__(self, images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
        """Augment float32 images (n, channels, height, width); the generator must be on the same device.

        With a `shard`, random numbers are drawn for the whole batch that contains the images.
        """
        geometric = (self.rotation, self.shift, self.scale, self.shear, self.elastic, self.flip, self.perspective)
        if any(geometric):
            images = self._resample(images, RandomDraws(generator, shard or BatchShard(0, len(images), len(images))))
        return self._erase(images, generator) if self.erasing else images

    def _resample(self, images: Tensor, draws: RandomDraws) -> Tensor:
        affine = self._draw_affine(images, draws)
        if self.perspective:
            grid = _perspective_grid(self._draw_perspective(images, draws), affine, images)
        else:
            grid = F.affine_grid(affine, list(images.shape), align_corners=False)
        if self.elastic:
            knots = draws.draw(torch.randn, 2, None, _ELASTIC_KNOTS, _ELASTIC_KNOTS)
            down, across = (_spline(side, images.device) for side in images.shape[2:])
            displacement = down @ knots @ across.T  # (2, n, height, width)
            grid = grid + displacement.permute(1, 2, 3, 0) * (2 * self.elastic)  # the grid spans -1..1
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _draw_affine(self, images: Tensor, draws: RandomDraws) -> Tensor:
        """Draw matrices (n, 2, 3) that map positions in the new image to positions in the old one."""
        unit = draws.draw(torch.rand, 6, None) * 2 - 1
        angle, shear = unit[0] * math.radians(self.rotation), torch.tan(unit[1] * math.radians(self.shear))
        zoom_x, zoom_y = 1 / (1 + unit[2] * self.scale), 1 / (1 + unit[3] * self.scale)
        if self.flip:
            mirrored = draws.draw(torch.rand, None) < 0.5
            zoom_x = torch.where(mirrored, -zoom_x, zoom_x)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # Both axes of the grid span -1..1, so the rotation of a non-square image depends on its aspect ratio.
        aspect = images.shape[2] / images.shape[3]
        row_x = torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_x * aspect, 2 * self.shift * unit[4]], dim=1)
        row_y = torch.stack([sin * zoom_y / aspect, (shear * sin + cos) * zoom_y, 2 * self.shift * unit[5]], dim=1)
        return torch.stack([row_x, row_y], dim=1)

    def _draw_perspective(self, images: Tensor, draws: RandomDraws) -> Tensor:
        """Draw homographies (n, 3, 3) that map positions in the new image to positions in the old one."""
        n, device = len(images), images.device
        corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], device=device)
        inwards = draws.draw(torch.rand, None, 4, 2) * self.perspective
        chosen = draws.draw(torch.rand, None, 1, 1) < self.perspective_probability
        x, y = (corners * (1 - inwards * chosen)).unbind(2)  # (n, 4) each: the corners in the new image
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


AUGMENTATIONS.register("geometric", Augmentation)


@dataclass(frozen=True)
class AugmentationSequence:
    """Augmentations applied in order, each with its own resampling."""

    steps: tuple[Callable[..., Tensor], ...]

    @property
    def per_image(self) -> bool:
        """Whether every step augments each image independently."""
        return all(getattr(step, "per_image", False) for step in self.steps)

    def __call__(self, images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
        """Augment float32 images (n, channels, height, width); arguments as in `Augmentation`."""
        for step in self.steps:
            images = step(images, generator) if shard is None else step(images, generator, shard)
        return images


def _perspective_grid(perspective: Tensor, affine: Tensor, images: Tensor) -> Tensor:
    """Return the sampling grid (n, height, width, 2) of a homography followed by an affine map."""
    n, _, height, width = images.shape
    x = (torch.arange(width, device=images.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=images.device) * 2 + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    positions = torch.stack([columns, rows, torch.ones_like(rows)], dim=2).view(-1, 3)
    mapped = positions @ perspective.transpose(1, 2)  # (n, height * width, 3)
    mapped = mapped / mapped[..., 2:]
    return (mapped @ affine.transpose(1, 2)).view(n, height, width, 2)


def make_augmentation(value: Any) -> Augment | None:
    """Create an augmentation from a mapping of settings, a registered augmentation or a sequence; return None for None.

    A mapping may contain settings of several registered augmentations, which are applied in the order of the registry,
    "geometric" first; the items of a sequence are applied in order. Raise `ParameterError` for another kind
    of value, an unknown setting or a setting outside its range.

    Examples
    --------
    >>> make_augmentation({"rotation": 10, "shift": 0.1}).rotation
    10
    """
    if value is None or isinstance(value, AugmentationSequence):
        return value
    parts = value if isinstance(value, list | tuple) else [value]
    steps = [step for part in parts for step in _make_steps(part)]
    if len(steps) > 1:
        return AugmentationSequence(tuple(steps))
    return steps[0] if steps else None


def describe_augmentation(value: Any) -> Any:
    """Convert a value of the parameter `augmentation` to mappings and lists, for JSON and TOML."""
    if isinstance(value, AugmentationSequence):
        value = value.steps
    if isinstance(value, list | tuple):
        return [describe_augmentation(step) for step in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _make_steps(value: Any) -> list[Augment]:
    """Return the augmentations of one mapping, or one registered augmentation, as a list."""
    if not isinstance(value, Mapping):
        if any(type(value) is AUGMENTATIONS.get(name) for name in _names_in_order()):
            return [value]
        raise ParameterError(
            "The 'augmentation' parameter must be a mapping such as {'rotation': 10, 'shift': 0.08}, an Augmentation, "
            f"a list of these or None. Got {value!r}."
        )
    remaining, known, steps = dict(value), [], []
    for name in _names_in_order():
        kind = AUGMENTATIONS.get(name)
        names = [each.name for each in fields(kind)]
        settings = {key: remaining.pop(key) for key in names if key in remaining}
        if settings or not value:
            steps.append(kind(**settings))
        if not remaining:  # avoids importing the modules of other augmentations
            return steps
        known += names
    raise ParameterError(f"The augmentation has no setting '{sorted(remaining)[0]}'. Its settings: {', '.join(known)}.")


def _names_in_order() -> list[str]:
    return sorted(AUGMENTATIONS.names(), key=lambda name: (name != "geometric", name))
