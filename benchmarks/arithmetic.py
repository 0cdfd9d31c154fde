"""Share of the training time that is spent in convolutions.

    python benchmarks/arithmetic.py [--recipe fast] [--runs 5]

The convolutions of the recipe's network are timed alone, forward and backward, with the shapes, precision and memory
layout of training; the share is their time, for as many steps, over the time of the fit. The rest is normalisation,
pooling, activations, augmentation, the optimizer and the batches.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from report import write_result
from torch import nn

from skconv import load_dataset, load_recipe
from skconv.training.config import count_steps
from skconv.training.hardware import choose_precision

REPEATS = 20


def list_convolutions(network: nn.Module, batch: torch.Tensor) -> list[tuple[nn.Conv2d, torch.Size]]:
    """Return each convolution and the shape of its input."""
    convolutions: list[tuple[nn.Conv2d, torch.Size]] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, _: convolutions.append((module, inputs[0].shape)))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    network.train()
    network(batch)
    for hook in hooks:
        hook.remove()
    return convolutions


def time_convolution(convolution: nn.Conv2d, shape: torch.Size, first: bool) -> tuple[float, float]:
    """Return (seconds, arithmetic operations) of one forward and backward pass."""
    dtype = torch.bfloat16 if choose_precision("cpu") == "bf16" else torch.float32
    layer = nn.Conv2d(
        convolution.in_channels, convolution.out_channels, convolution.kernel_size, convolution.stride,
        convolution.padding, bias=False, dtype=dtype,
    ).to(memory_format=torch.channels_last)  # fmt: skip
    # The first convolution needs no gradient of its input.
    images = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_(not first)
    result = layer(images)
    gradient = torch.randn_like(result)
    for repeat in range(REPEATS + 3):
        if repeat == 3:
            start = time.perf_counter()
        layer(images).backward(gradient)
    operations = (2 if first else 3) * 2 * result.numel() * layer.weight[0].numel()
    return (time.perf_counter() - start) / REPEATS, operations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    dataset, recipe = load_dataset("mnist"), load_recipe(options.recipe)
    images, labels = np.array(dataset.train_images), np.array(dataset.train_labels)
    shares, rates = [], []
    for run in range(-1, options.runs):  # run -1 is a warm-up
        estimator = recipe.create_estimator(random_state=0).set_params(
            validation_fraction=0.0, patience=None, false_alarm_rate=None
        )
        estimator.fit(images, labels)
        batch = torch.zeros(estimator.batch_size, 1, 28, 28)
        convolutions = list_convolutions(estimator.net_.module_, batch)
        timings = [time_convolution(*each, first=index == 0) for index, each in enumerate(convolutions)]
        seconds = sum(time for time, _ in timings)
        if run >= 0:
            per_epoch = -(-len(images) // estimator.batch_size)
            steps, _ = count_steps(estimator.max_epochs, per_epoch, estimator.min_steps)
            shares.append(seconds * steps / estimator.fit_seconds_)
            rates.append(sum(operations for _, operations in timings) / seconds / 1e9)
    figures = {
        "recipe": options.recipe,
        "runs": options.runs,
        "share of fit time": {"median": statistics.median(shares), "min": min(shares), "max": max(shares)},
        "convolutions alone, GFLOP/s": statistics.median(rates),
        "precision": choose_precision("cpu"),
    }
    write_result("arithmetic", figures)


if __name__ == "__main__":
    main()
