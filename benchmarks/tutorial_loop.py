"""The MNIST tutorial's training loop as its author wrote it: one picture at a time through a data loader.

A sequential network of four convolutions and three linear layers; pictures as PIL images turned into tensors one by
one; batches of 100; Adam 3e-4 with weight decay 1e-3. It is here to be timed, so nothing in it is made faster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset


class PicturesOneByOne(Dataset):
    """Open, convert and normalise each picture when it is asked for."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.images[index])
        tensor = torch.from_numpy(np.array(picture)).unsqueeze(0).float().div(255)
        return (tensor - 0.5) / 0.5, int(self.labels[index])


def make_network() -> nn.Sequential:
    """The tutorial's network: 1→5→10→20→40 channels, then 200 and 500 hidden units."""
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, padding=1), nn.ReLU(),
        nn.Conv2d(5, 10, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(10),
        nn.Conv2d(10, 20, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(20),
        nn.Conv2d(20, 40, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(40),
        nn.Flatten(), nn.Linear(40 * 7 * 7, 200), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(200, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def accuracy(network: nn.Module, loader: DataLoader) -> float:
    """Share of right answers in evaluation mode."""
    network.eval()
    with torch.no_grad():
        right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in loader)
    network.train()
    return right / len(loader.dataset)  # type: ignore[arg-type]


def train(
    dataset, *, seed: int = 0, epochs: int = 10, score_every: int = 50
) -> Iterator[tuple[int, float, float, float]]:
    """Yield (iterations, seconds of training, seconds of scoring, test accuracy), by default as often as its author.

    The author scores with dropout switched on, which costs accuracy; here it is off.
    """
    torch.manual_seed(seed)
    network = make_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4, weight_decay=1e-3)
    loss_function = nn.CrossEntropyLoss()
    train_loader = DataLoader(PicturesOneByOne(dataset.train_images, dataset.train_labels), 100, shuffle=True)
    test_loader = DataLoader(PicturesOneByOne(dataset.test_images, dataset.test_labels), 100)
    iteration, training, scoring, start = 0, 0.0, 0.0, time.perf_counter()
    for _ in range(epochs):
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_function(network(images), labels).backward()
            optimizer.step()
            iteration += 1
            if iteration % score_every == 0:
                scored = time.perf_counter()
                training += scored - start
                score = accuracy(network, test_loader)
                start = time.perf_counter()
                scoring += start - scored
                yield iteration, training, scoring, score
