"""MNIST examples of other libraries, each trained to a target accuracy; prints a line of JSON per epoch.

    python benchmarks/peers.py NAME [--target 0.99] [--epochs N] [--seed S]

Runs in its own environment (requirements.txt), started by `time_to_99.py` and `make bench`. The settings are those of
the example in each library's documentation. Training is timed from uint8 images in memory, without the evaluation after
each epoch. Preparation before training (scaling, one-hot labels) is timed too, as it is for skconv.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator

import numpy as np

from skconv import load_dataset

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 images (n, 28, 28) → labels (n,)


def train_keras(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Iterator[Predict]:
    """Keras 3 on torch: two convolutions with max pooling, dropout, one dense layer; Adam, batches of 128."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    pixels, targets = _scale(images)[..., None], keras.utils.to_categorical(labels, 10)
    for _ in range(epochs):
        model.fit(pixels, targets, batch_size=128, epochs=1, validation_split=0.1, verbose=0)
        yield lambda test: model.predict(_scale(test)[..., None], batch_size=1000, verbose=0).argmax(1)


def _make_example_network():
    """Return the network of PyTorch's MNIST example: two convolutions, dropout, two dense layers."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


def make_pixels(images: np.ndarray):
    """Return a tensor float32 (n, 1, h, w), standardised as in PyTorch's example."""
    import torch

    return torch.from_numpy((_scale(images) - 0.1307) / 0.3081)[:, None]


def _make_predict(network) -> Predict:
    import torch

    def predict(test: np.ndarray) -> np.ndarray:
        network.eval()
        with torch.no_grad():
            labels = torch.cat([network(part).argmax(1) for part in make_pixels(test).split(1000)])
        network.train()
        return labels.numpy()

    return predict


def train_pytorch(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Iterator[Predict]:
    """PyTorch's MNIST example, from tensors: Adadelta, batches of 64, the rate times 0.7 after each epoch."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(seed)
    network = _make_example_network()
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    loader = DataLoader(TensorDataset(make_pixels(images), torch.from_numpy(labels)), 64, shuffle=True)
    for _ in range(epochs):
        for images, targets in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images), targets).backward()
            optimizer.step()
        schedule.step()
        yield _make_predict(network)


def train_lightning(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Iterator[Predict]:
    """The same network and settings under Lightning's Trainer, as in its documentation."""
    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = _make_example_network()

        def training_step(self, batch, _index):
            images, targets = batch
            loss = torch.nn.functional.cross_entropy(self.network(images), targets)
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            optimizer = torch.optim.Adadelta(self.parameters(), lr=1.0)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)]

    lightning.seed_everything(seed, verbose=False)
    model = Classifier()
    loader = DataLoader(TensorDataset(make_pixels(images), torch.from_numpy(labels)), 64, shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=0, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    for epoch in range(epochs):
        trainer.fit_loop.max_epochs = epoch + 1
        trainer.fit(model, loader)
        yield _make_predict(model.network)


def train_skorch(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Iterator[Predict]:
    """The same network under skorch with Adam, batches of 64, and skorch's default fifth for validation."""
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        _make_example_network(), criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.001,
        batch_size=64, iterator_train__shuffle=True, verbose=0,
    ).initialize()  # fmt: skip
    pixels = make_pixels(images)
    for _ in range(epochs):
        net.partial_fit(pixels, labels, epochs=1)
        yield _make_predict(net.module_)


def train_sklearn(images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Iterator[Predict]:
    """scikit-learn's perceptron with 100 hidden units, Adam, batches of 200: its defaults, an epoch at a time."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(random_state=seed)
    pixels = _scale(images).reshape(len(images), -1)
    for _ in range(epochs):
        model.partial_fit(pixels, labels, classes=np.arange(10))
        yield lambda test: model.predict(_scale(test).reshape(len(test), -1))


def _scale(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255


# Training, and the module it imports, which is imported before the timing.
PEERS = {
    "keras": (train_keras, "keras"),
    "pytorch": (train_pytorch, "torch"),
    "lightning": (train_lightning, "lightning"),
    "skorch": (train_skorch, "skorch"),
    "sklearn": (train_sklearn, "sklearn.neural_network"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("--target", type=float, default=0.99, help="test accuracy to stop at")
    parser.add_argument("--epochs", type=int, default=15, help="maximum number of epochs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset = load_dataset("mnist")
    images, labels = np.array(dataset.train_images), np.array(dataset.train_labels)
    train, module = PEERS[options.name]
    os.environ["KERAS_BACKEND"] = "torch"
    importlib.import_module(module)
    seconds, start = 0.0, time.perf_counter()
    for epoch, predict in enumerate(train(images, labels, options.epochs, options.seed), start=1):
        seconds += time.perf_counter() - start
        accuracy = float((predict(dataset.test_images) == dataset.test_labels).mean())
        print(json.dumps({"epoch": epoch, "seconds": seconds, "accuracy": accuracy}), flush=True)
        if accuracy >= options.target:
            break
        start = time.perf_counter()


if __name__ == "__main__":
    main()
