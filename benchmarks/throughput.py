"""Training speed: images per second of skconv, a bare loop, skorch and Lightning, with the same network and batches.

    python benchmarks/throughput.py [--images 20000] [--runs 5] [--network fast] [--device cpu]

Runs in the environment of the peers. Each trains one epoch on uint8 images in memory, interleaved. "ours, default" is
the estimator with default settings; "ours" fits no out-of-distribution score after the training, and "ours in fp32"
has the precision of the others, too, and no EMA or label smoothing. The others follow their documentation: scaled
images, tensors from a DataLoader. By default skorch holds out a fifth and evaluates it (it gets a quarter more images,
and so trains on as many), and Lightning logs, writes a checkpoint and shows a progress bar. "training only" switches
these off.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout

import lightning
import numpy as np
import torch
from interleaved import describe_rates, time_interleaved
from peers import make_pixels
from report import write_result
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skconv import CNNClassifier, create_network, load_dataset

BATCH = 256


def make_network(name: str) -> nn.Module:
    return create_network(name, in_channels=1, image_size=(28, 28), num_classes=10)


def train_ours(name: str, images: np.ndarray, labels: np.ndarray, device: str, **settings) -> None:
    CNNClassifier(network=name, max_epochs=1, batch_size=BATCH, device=device, **settings).fit(images, labels)


def train_bare(name: str, images: np.ndarray, labels: np.ndarray, device: str) -> None:
    """Train with a minimal PyTorch loop that indexes tensors."""
    network = make_network(name).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    X, y = make_pixels(images).to(device), torch.from_numpy(labels).to(device)
    for chosen in torch.randperm(len(X), device=device).split(BATCH):
        loss = nn.functional.cross_entropy(network(X[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()


def train_skorch(name: str, images: np.ndarray, labels: np.ndarray, device: str, **settings) -> None:
    net = NeuralNetClassifier(
        make_network(name), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW, batch_size=BATCH, lr=0.001,
        max_epochs=1, iterator_train__shuffle=True, device=device, **settings,
    )  # fmt: skip
    with redirect_stdout(io.StringIO()):
        net.fit(make_pixels(images), labels)


class Classifier(lightning.LightningModule):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch, _index):
        images, targets = batch
        loss = nn.functional.cross_entropy(self.network(images), targets)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def train_lightning(name: str, images: np.ndarray, labels: np.ndarray, device: str, **settings) -> None:
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        trainer = lightning.Trainer(max_epochs=1, accelerator=device, devices=1, default_root_dir=folder, **settings)
        trainer.fit(
            Classifier(make_network(name)),
            DataLoader(TensorDataset(make_pixels(images), torch.from_numpy(labels)), BATCH, shuffle=True),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="at most 48,000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--network", default="fast")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    if options.images > 48_000:
        parser.error("--images must be at most 48,000, because skorch gets a quarter more of the 60,000")
    warnings.simplefilter("ignore")  # Lightning's advice
    dataset = load_dataset("mnist")
    data, data_for_skorch = (
        (options.network, np.array(dataset.train_images[:n]), np.array(dataset.train_labels[:n]), options.device)
        for n in (options.images, options.images * 5 // 4)
    )
    no_extras = {"ema_decay": 0.0, "label_smoothing": 0.0}
    quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
    functions: dict[str, Callable[[], None]] = {
        "ours": lambda: train_ours(*data, false_alarm_rate=None),
        "ours in fp32": lambda: train_ours(*data, false_alarm_rate=None, precision="fp32", **no_extras),
        "ours, default": lambda: train_ours(*data),
        "bare loop": lambda: train_bare(*data),
        "skorch, default": lambda: train_skorch(*data_for_skorch),
        "skorch, training only": lambda: train_skorch(*data, train_split=None, verbose=0),
        "Lightning, default": lambda: train_lightning(*data),
        "Lightning, training only": lambda: train_lightning(*data, **quiet),
    }
    for train in functions.values():  # warm-up
        train()
    seconds = time_interleaved(functions, options.runs)
    fp32_median = statistics.median(seconds["ours in fp32"])
    figures = {
        "network": options.network,
        "batch size": BATCH,
        **describe_rates(seconds, options.images),
        "times as fast, ours in fp32": {
            name: statistics.median(times) / fp32_median for name, times in seconds.items()
        },
    }
    write_result("throughput" if options.device == "cpu" else "throughput_gpu", figures)


if __name__ == "__main__":
    main()
