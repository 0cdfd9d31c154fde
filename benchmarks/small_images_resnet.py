"""ResNet-18 for small images in plain PyTorch: float32, SGD, random crops and flips, one cycle of the learning rate.

The first layer is that of the authors' networks for CIFAR-10, a 3×3 convolution without pooling.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from small_images_training import Clock, Fitted, Training, choose_batch_size
from torch import Tensor, nn
from torch.nn import functional as F

_RATE, _MOMENTUM, _WEIGHT_DECAY = 0.1 / 128, 0.9, 5e-4  # the learning rate per image of a batch
_PADDING = 1 / 8  # of the random crops, as a fraction of the side
_WARM_UP = 0.2  # share of the time in which the learning rate increases


class Block(nn.Module):
    """Two 3×3 convolutions with a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            convolution = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.layers(features) + self.shortcut(features))


def make_resnet18(channels: int, n_classes: int) -> nn.Sequential:
    """Return ResNet-18 (He et al., 2016) with the first layer of the networks for CIFAR-10."""
    layers = [nn.Conv2d(channels, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for stage, new_width in enumerate((64, 128, 256, 512)):
        layers += [Block(width, new_width, 1 if stage == 0 else 2), Block(new_width, new_width, 1)]
        width = new_width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes))


def train_resnet18(training: Training, clock: Clock, seed: int) -> Fitted:
    """Train until the time is over; the learning rate follows the elapsed time."""
    torch.manual_seed(seed)
    images, labels = _to_tensor(training.images), torch.from_numpy(training.labels)
    pixels = images.float()
    mean, std = pixels.mean((0, 2, 3), keepdim=True), pixels.std((0, 2, 3), keepdim=True).clamp(min=1)
    del pixels
    network = make_resnet18(images.shape[1], training.n_classes)
    batch_size = choose_batch_size(len(images))
    rate = _RATE * batch_size
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY)

    @torch.no_grad()
    def predict(test: np.ndarray) -> np.ndarray:
        network.eval()
        parts = _to_tensor(test).split(256)
        predicted = torch.cat([network((part - mean) / std).argmax(1) for part in parts])
        network.train()
        return predicted.numpy()

    clock.reserve_prediction(predict, training.images)
    n_seen = 0
    while not clock.is_over:
        for positions in torch.randperm(len(images)).split(batch_size):
            if clock.is_over:
                break
            optimizer.param_groups[0]["lr"] = rate * _one_cycle(clock.progress)
            batch = _augment((images[positions] - mean) / std, mirrored=training.mirrored)
            optimizer.zero_grad()
            F.cross_entropy(network(batch), labels[positions]).backward()
            optimizer.step()
            n_seen += len(positions)
    return Fitted(predict, n_seen / len(images))


def _to_tensor(images: np.ndarray) -> Tensor:
    """Return images (n, channels, height, width), uint8."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _augment(batch: Tensor, *, mirrored: bool) -> Tensor:
    """Return random crops of padded images, of which half are flipped if `mirrored`."""
    height, width = batch.shape[2:]
    padding = round(_PADDING * max(height, width))
    padded = F.pad(batch, (padding,) * 4)
    offsets = torch.randint(0, 2 * padding + 1, (len(batch), 2)).tolist()
    crops = [image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, offsets, strict=True)]
    cropped = torch.stack(crops)
    if mirrored:
        flipped = torch.rand(len(batch)) < 0.5
        cropped[flipped] = cropped[flipped].flip(3)
    return cropped


def _one_cycle(progress: float) -> float:
    """Return the learning rate at `progress`, 0..1, as a fraction of the maximum: linear increase, cosine decrease."""
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))
