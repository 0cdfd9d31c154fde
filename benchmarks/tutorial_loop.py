"""Training loops of the five tutorials as their authors wrote them, with skconv's networks of the same layers.

They are timed, so nothing is optimised: images come one at a time from a data loader without workers, in PyTorch's
default precision and memory layout, and are evaluated as often as in the tutorial.
"""

from __future__ import annotations

import copy
import csv
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from image_transforms import (
    ImagesOneByOne,
    Normalize,
    RandomAffine,
    RandomPerspective,
    RandomRotation,
    to_tensor,
)
from PIL import Image
from sklearn.model_selection import KFold, train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from torch import Tensor, nn
from torch.utils.data import DataLoader, SubsetRandomSampler

from skconv import create_network


def make_network(name: str, image_size: tuple[int, int] = (28, 28)) -> nn.Sequential:
    """Return a tutorial's layers for ten classes, without input normalisation: the loops scale the images."""
    network = create_network(name, in_channels=1, image_size=image_size, num_classes=10)
    return nn.Sequential(network.features, network.classifier)


@torch.no_grad()
def evaluate(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Return mean loss and accuracy in evaluation mode."""
    network.eval()
    loss, correct, count = 0.0, 0, 0
    for images, labels in batches:
        logits = network(images)
        loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(1) == labels).sum().item()
        count += len(labels)
    network.train()
    return loss / count, correct / count


def train_skorch(images: np.ndarray, labels: np.ndarray, *, epochs: int = 25, seed: int = 0) -> float:
    """Train T1 (USPS, skorch): batches of 32, a fifth for validation; return the last accuracy."""
    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        make_network("t1_skorch", images.shape[1:]),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=epochs,
        batch_size=32,
        iterator_train__shuffle=True,
        callbacks=[EarlyStopping(patience=5)],
        verbose=0,
    )
    net.fit(images[:, None].astype(np.float32) / 255, labels)
    return net.history[-1, "valid_acc"]


def train_sequential(
    dataset, *, epochs: int = 10, seed: int = 0, evaluate_every: int = 50
) -> Iterator[tuple[int, float, float, float]]:
    """Train T2 (MNIST); yield (iterations, seconds of training, seconds of evaluation, test accuracy).

    The author evaluates all test images every 50 iterations with dropout on, which lowers accuracy; here it is off.
    """
    torch.manual_seed(seed)
    network = make_network("t2_sequential")
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4, weight_decay=1e-3)
    loss_function = nn.CrossEntropyLoss()
    transforms = [to_tensor, Normalize(0.5, 0.5)]
    train_loader = DataLoader(ImagesOneByOne(dataset.train_images, dataset.train_labels, transforms), 100, shuffle=True)
    test_loader = DataLoader(ImagesOneByOne(dataset.test_images, dataset.test_labels, transforms), 100)
    iteration, training, evaluation, start = 0, 0.0, 0.0, time.perf_counter()
    for _ in range(epochs):
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_function(network(images), labels).backward()
            optimizer.step()
            iteration += 1
            if iteration % evaluate_every == 0:
                evaluated = time.perf_counter()
                training += evaluated - start
                _, accuracy = evaluate(network, test_loader)
                start = time.perf_counter()
                evaluation += start - evaluated
                yield iteration, training, evaluation, accuracy


def split_folds(images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the five folds of T3 (Kaggle's digits): positions for training and validation."""
    return list(KFold(5, shuffle=True, random_state=0).split(images))


def train_fold(images: np.ndarray, labels: np.ndarray, fold: int, *, epochs: int = 100, seed: int = 0) -> float:
    """Train T3 (Kaggle's digits): one of the five folds, with random augmentation; return the last accuracy."""
    torch.manual_seed(seed)
    random.seed(seed)
    transforms = [
        RandomRotation(5),
        RandomAffine(5, 0.1, (0.9, 1.1)),
        RandomPerspective(0.1, 0.25),
        to_tensor,
        Normalize(images.mean() / 255, images.std() / 255),
    ]
    images = ImagesOneByOne(images, labels, transforms)
    train, valid = split_folds(images)[fold]
    network = make_network("t3_strided")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    loss_function = nn.CrossEntropyLoss()
    train_loader = DataLoader(images, 100, sampler=SubsetRandomSampler(train))
    valid_loader = DataLoader(images, 100, sampler=SubsetRandomSampler(valid))
    best, weights, accuracy = (float("inf"), float("inf")), network.state_dict(), 0.0
    for _ in range(epochs):
        train_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_function(network(images), labels)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() / len(train_loader)
        valid_loss, accuracy = evaluate(network, valid_loader)
        if train_loss < best[0] and valid_loss < best[1]:
            best, weights = (train_loss, valid_loss), copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return accuracy


def read_images(table: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read T4 (clothing): open the image of each row of ``id,label``; return float32 images in 0..1 and labels."""
    images, labels = [], []
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            with Image.open(folder / f"{row['id']}.png") as image:
                images.append((np.array(image) / 255).astype(np.float32))
            labels.append(int(row["label"]))
    return np.array(images), np.array(labels)


def train_one_batch(images: np.ndarray, labels: np.ndarray, *, epochs: int = 25, seed: int = 0) -> float:
    """Train T4 (clothing): nine tenths of the images (float32, 0..1) as one batch; return the last accuracy."""
    torch.manual_seed(seed)
    network = make_network("t4_narrow")
    optimizer = torch.optim.Adam(network.parameters(), lr=0.07)
    loss_function = nn.CrossEntropyLoss()
    parts = train_test_split(images[:, None], labels, test_size=0.1, random_state=seed)
    train_x, valid_x, train_y, valid_y = (torch.from_numpy(part) for part in parts)
    losses, accuracy = [], 0.0
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = loss_function(network(train_x), train_y)
        loss.backward()
        optimizer.step()
        valid_loss, accuracy = evaluate(network, [(valid_x, valid_y)])
        losses.append((loss.item(), valid_loss))
    return accuracy


def train_average_pooling(dataset, *, epochs: int = 10, seed: int = 0) -> Iterator[tuple[int, float, float, float]]:
    """Train T5 (MNIST, average pooling), batches of 64, evaluated per epoch; yield as `train_sequential` does."""
    torch.manual_seed(seed)
    network = make_network("t5_average_pooling")
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    loss_function = nn.CrossEntropyLoss()
    train_loader = DataLoader(ImagesOneByOne(dataset.train_images, dataset.train_labels, [to_tensor]), 64, shuffle=True)
    test_loader = DataLoader(ImagesOneByOne(dataset.test_images, dataset.test_labels, [to_tensor]), 64, shuffle=True)
    training, evaluation = 0.0, 0.0
    for epoch in range(epochs):
        start = time.perf_counter()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss_function(network(images), labels).backward()
            optimizer.step()
        evaluated = time.perf_counter()
        training += evaluated - start
        _, accuracy = evaluate(network, test_loader)
        evaluation += time.perf_counter() - evaluated
        yield (epoch + 1) * len(train_loader), training, evaluation, accuracy
