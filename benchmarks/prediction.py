"""Prediction speed: images per second of a model folder, onnxruntime, skorch and Keras.

    python benchmarks/prediction.py [--images 100000] [--runs 5] [--network t5_average_pooling]

Runs in the environment of the peers. All predict labels of the same uint8 images with a network of the same layers,
those of the ConvNet tutorial. The weights do not affect the time, so the network is hardly trained. Batch sizes are the
defaults of each library; the bare loop uses that of skconv.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from interleaved import describe_rates, time_interleaved
from report import write_result
from skorch import NeuralNetClassifier
from torch import nn

from skconv import CNNClassifier, OnnxClassifier, create_network, load_dataset

os.environ["KERAS_BACKEND"] = "torch"
BATCH = 256


def make_bare(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name, outputs = session.get_inputs()[0].name, ["probabilities"]

    def predict(images: np.ndarray) -> np.ndarray:
        batches = np.split(images, range(BATCH, len(images), BATCH))
        return np.concatenate([session.run(outputs, {name: batch[:, None].astype(np.float32)})[0] for batch in batches])

    return lambda images: predict(images).argmax(1)


def make_skorch(network: str) -> Callable[[np.ndarray], np.ndarray]:
    net = NeuralNetClassifier(
        create_network(network, in_channels=1, image_size=(28, 28), num_classes=10), criterion=nn.CrossEntropyLoss
    ).initialize()
    return lambda images: net.predict(torch.from_numpy(images.astype(np.float32) / 255)[:, None])


def make_keras() -> Callable[[np.ndarray], np.ndarray]:
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(10, 5, activation="relu", padding="same"), layers.AveragePooling2D(2),
        layers.Conv2D(20, 5, activation="relu"), layers.AveragePooling2D(2), layers.Flatten(),
        layers.Dense(250, activation="relu"), layers.Dense(100, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    return lambda images: model.predict(images[..., None].astype(np.float32) / 255, verbose=0).argmax(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--network", default="t5_average_pooling", help="for all but Keras")
    options = parser.parse_args()
    dataset = load_dataset("mnist")
    images = np.resize(dataset.train_images, (options.images, 28, 28))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        estimator = CNNClassifier(network=options.network, max_epochs=1)
        estimator.fit(np.array(dataset.train_images[:2000]), dataset.train_labels[:2000]).save(model)
        functions = {
            "ours": OnnxClassifier(model).predict,
            "bare onnxruntime": make_bare(model / "model.onnx"),
            "skorch": make_skorch(options.network),
            "Keras": make_keras(),
        }
        for predict in functions.values():  # warm-up
            predict(images[:1000])
        seconds = time_interleaved(
            {name: partial(predict, images) for name, predict in functions.items()}, options.runs
        )
    write_result("prediction", {"network": options.network, **describe_rates(seconds, len(images))})


if __name__ == "__main__":
    main()
