"""Images one at a time: opened, distorted, turned into a tensor and normalised whenever one is asked for.

This is how the tutorials feed their networks, through torchvision. Its transforms are written anew here on Pillow, one
call an image and as little around it as can be, so that what is measured is the method and not a slow copy of it.
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
    """Make an image of each array when it is asked for, and apply the transforms to it one after the other."""

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
    """Turn a grey image into a tensor (1, height, width) in 0..1."""
    return torch.from_numpy(np.array(image)).unsqueeze(0).float().div_(255)


class Normalize:
    """Subtract a mean and divide by a standard deviation."""

    def __init__(self, mean: float, std: float) -> None:
        self.mean, self.std = mean, std

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor.sub_(self.mean).div_(self.std)


class RandomRotation:
    """Turn by an angle in ±degrees, nearest pixel."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.rotate(random.uniform(-self.degrees, self.degrees))


class RandomAffine:
    """Turn by an angle in ±degrees, shift by whole pixels and scale, nearest pixel."""

    def __init__(self, degrees: float, translate: float, scale: tuple[float, float]) -> None:
        self.degrees, self.translate, self.scale = degrees, translate, scale

    def __call__(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        angle = math.radians(random.uniform(-self.degrees, self.degrees))
        right = round(random.uniform(-self.translate, self.translate) * width)
        down = round(random.uniform(-self.translate, self.translate) * height)
        scale = random.uniform(*self.scale)
        # Where a pixel of the new image comes from, both turning about the middle.
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
    """With a probability draw the corners inwards by at most half of `distortion`, bilinear."""

    def __init__(self, distortion: float, probability: float) -> None:
        self.distortion, self.probability = distortion, probability

    def __call__(self, image: Image.Image) -> Image.Image:
        if random.random() >= self.probability:
            return image
        right, bottom = image.size[0] - 1, image.size[1] - 1
        most_x, most_y = int(self.distortion * image.size[0] / 2), int(self.distortion * image.size[1] / 2)
        old = ((0, 0), (right, 0), (right, bottom), (0, bottom))
        rows, values = [], []
        for u, v in old:
            x = abs(u - random.randint(0, most_x))
            y = abs(v - random.randint(0, most_y))
            rows += [[x, y, 1, 0, 0, 0, -x * u, -y * u], [0, 0, 0, x, y, 1, -x * v, -y * v]]
            values += [u, v]
        coefficients = np.linalg.solve(rows, values).tolist()
        return image.transform(image.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
