"""Overhead of the estimator over a bare PyTorch loop of the same steps, interleaved.

    python benchmarks/overhead.py [--runs 7] [--recipe fast] [--device cpu]

Both train the recipe's network on MNIST with the same batches, precision, optimizer, schedule and EMA of the weights,
from uint8 images in memory to final weights, without a validation split. The bare loop is written by hand with PyTorch
alone. A third arm is the estimator with its out-of-distribution score, which is fitted after the training by default.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from report import write_result
from sklearn.base import clone
from torch.nn import functional as F

from skconv import create_network, load_dataset, load_recipe
from skconv.training.augmentation import make_augmentation
from skconv.training.config import count_steps
from skconv.training.hardware import choose_precision


def train_bare(recipe, images: np.ndarray, labels: np.ndarray, seed: int, device: str) -> float:
    """Train with a hand-written loop and return the seconds."""
    start = time.perf_counter()
    settings = recipe.create_estimator().get_params()
    torch.manual_seed(seed)
    generator = torch.Generator(device).manual_seed(seed)
    X, y = torch.from_numpy(images).unsqueeze(1).to(device), torch.from_numpy(labels).to(device)
    options = {key: value for key, value in recipe.network.items() if key != "name"}
    network = create_network(
        recipe.network["name"], in_channels=1, image_size=images.shape[1:], num_classes=10, **options
    )
    network.input_normalization.fit(X)
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), betas=(0.7, 0.95), weight_decay=settings["weight_decay"], fused=True
    )
    per_epoch = -(-len(X) // settings["batch_size"])
    steps, epochs = count_steps(settings["max_epochs"], per_epoch, settings["min_steps"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings["learning_rate"], total_steps=steps + 1, pct_start=0.25, cycle_momentum=False
    )
    augment = make_augmentation(settings["augmentation"])
    autocast = choose_precision(device) == "bf16"
    state = [tensor for tensor in (*network.parameters(), *network.buffers()) if tensor.is_floating_point()]
    live = [tensor.detach() for tensor in state]
    average = [tensor.clone() for tensor in live] if settings["ema_decay"] else []
    step = 0
    for _ in range(epochs):
        for chosen in torch.randperm(len(X), generator=generator, device=device).chunk(per_epoch):
            if step == steps:
                break
            step += 1
            batch = X[chosen].float()
            if augment is not None:
                batch = augment(batch, generator)
            with torch.autocast(device, torch.bfloat16, enabled=autocast):
                logits = network(batch.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), y[chosen], label_smoothing=settings["label_smoothing"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if average:
                with torch.no_grad():
                    torch._foreach_lerp_(average, live, 1 - min(settings["ema_decay"], (1 + step) / (10 + step)))
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    recipe, dataset = load_recipe(options.recipe), load_dataset("mnist")
    images, labels = np.array(dataset.train_images), np.array(dataset.train_labels)
    scored = recipe.create_estimator(random_state=0, device=options.device)
    scored.set_params(validation_fraction=0.0, patience=None)
    estimator = clone(scored).set_params(false_alarm_rate=None)
    seconds: list[tuple[float, float, float]] = []
    for run in range(-1, options.runs):  # run -1 is a warm-up
        ours = estimator.fit(images, labels).fit_seconds_
        bare = train_bare(recipe, images, labels, seed=0, device=options.device)
        seconds.append((ours, bare, scored.fit(images, labels).fit_seconds_))
        print(f"run {run}: estimator {ours:.3f} s, bare {bare:.3f} s, with score {seconds[-1][2]:.3f} s", flush=True)
    estimator_seconds, bare_seconds, scored_seconds = zip(*seconds[1:], strict=True)
    ratios = [ours / bare for ours, bare in zip(estimator_seconds, bare_seconds, strict=True)]
    scores = [both - ours for both, ours in zip(scored_seconds, estimator_seconds, strict=True)]
    write_result(
        "overhead" if options.device == "cpu" else "overhead_gpu",
        {
            "recipe": options.recipe,
            "runs": options.runs,
            "estimator_seconds_median": statistics.median(estimator_seconds),
            "bare_seconds_median": statistics.median(bare_seconds),
            "ratio_of_medians": statistics.median(estimator_seconds) / statistics.median(bare_seconds),
            "ratio_median_of_pairs": statistics.median(ratios),
            "ratios": ratios,
            "seconds_of_score": scores,
        },
    )


if __name__ == "__main__":
    main()
