"""Image transforms of the tutorials on Pillow, applied to one image at a time.

The tutorials feed their networks through torchvision. Its transforms are written here with one call per image and
little overhead, so that the method is measured and not a slow copy of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

Transform = Callable


class ImagesOneByOne(Dataset):
    """Data set that makes a PIL image of each array on access and applies the transforms to it."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transforms: Sequence[Transform]) -> None:
        self.images, self.labels, self.transforms = images, labels.tolist(), transforms

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index])
        for transform in self.transforms:
            image = transform(image)
        return image, self.labels[index]


def to_tensor(image: Image.Image) -> Tensor:
    """Convert a grey image to a tensor (1, height, width) in 0..1."""
    return torch.from_numpy(np.array(image)).unsqueeze(0).float().div_(255)


class Normalize:
    """Subtract a mean and divide by a standard deviation."""

    def __init__(self, mean: float, std: float) -> None:
        self.mean, self.std = mean, std

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor.sub_(self.mean).div_(self.std)


class RandomRotation:
    """Rotate by an angle in ±degrees, nearest pixel."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.rotate(random.uniform(-self.degrees, self.degrees))


class RandomAffine:
    """Rotate by an angle in ±degrees, shift by whole pixels and scale, nearest pixel."""

    def __init__(self, degrees: float, translate: float, scale: tuple[float, float]) -> None:
        self.degrees, self.translate, self.scale = degrees, translate, scale

    def __call__(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        angle = math.radians(random.uniform(-self.degrees, self.degrees))
        right = round(random.uniform(-self.translate, self.translate) * width)
        down = round(random.uniform(-self.translate, self.translate) * height)
        scale = random.uniform(*self.scale)
        # Inverse mapping, from output to input pixels, about the centre.
        cos, sin, x, y = math.cos(angle) / scale, math.sin(angle) / scale, width / 2, height / 2
        matrix = (
            cos,
            sin,
            x - cos * (x + right) - sin * (y + down),
            -sin,
            cos,
            y + sin * (x + right) - cos * (y + down),
        )
        return image.transform(image.size, Image.Transform.AFFINE, matrix)


class RandomPerspective:
    """Move the corners inwards, by at most half of `distortion`, with a probability; bilinear."""

    def __init__(self, distortion: float, probability: float) -> None:
        self.distortion, self.probability = distortion, probability

    def __call__(self, image: Image.Image) -> Image.Image:
        if random.random() >= self.probability:
            return image
        right, bottom = image.size[0] - 1, image.size[1] - 1
        max_x, max_y = int(self.distortion * image.size[0] / 2), int(self.distortion * image.size[1] / 2)
        old = ((0, 0), (right, 0), (right, bottom), (0, bottom))
        rows, values = [], []
        for u, v in old:
            x = abs(u - random.randint(0, max_x))
            y = abs(v - random.randint(0, max_y))
            rows += [[x, y, 1, 0, 0, 0, -x * u, -y * u], [0, 0, 0, x, y, 1, -x * v, -y * v]]
            values += [u, v]
        coefficients = np.linalg.solve(rows, values).tolist()
        return image.transform(image.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
