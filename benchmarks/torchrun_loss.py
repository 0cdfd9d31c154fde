"""Distributed training: losses of two processes compared with those of one, step by step.

    python benchmarks/torchrun_loss.py [--processes 2]

Trains on the bundled MNIST with the settings of recipe `standard` (batches of 128, augmentation, dropout, one-cycle
schedule), in one process and under torchrun, and compares the losses of whole batches:

- `smooth`, fp32, 50 steps: a network with batch norm, dropout, average pooling and SiLU. Max difference 1e-4.
- the recipe's network in double precision, 10 steps. Max difference 1e-9.
- the recipe's network, fp32, 10 steps, also for one process with two threads instead of one. No limit: where two
  pixels differ in the last digit, max pooling selects another one, so any other order of sums changes the result.

The exit code is 1 if a limit is exceeded. Takes a minute on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import write_result

# name: network, double precision, steps, max difference allowed
CASES: dict[str, tuple[str, bool, int, float | None]] = {
    "smooth, fp32": ("smooth", False, 50, 1e-4),
    "standard, fp64": ("standard", True, 10, 1e-9),
    "standard, fp32": ("standard", False, 10, None),
}


class StepsReached(Exception):
    """End of the steps to record."""


def record(network: str, double: bool, steps: int) -> list[float]:
    """Train in all processes and return the loss of each of the first steps."""
    from skorch.callbacks import Callback

    from skconv import load_dataset, load_recipe
    from skconv.distributed.process_group import join_process_group

    losses: list[float] = []

    class Record(Callback):
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            if double:
                net.module_.double()

        def on_batch_end(self, net: Any, **kwargs: Any) -> None:
            losses.append(float(net.history[-1, "batches", -1, "train_loss"]))
            if len(losses) == steps:
                raise StepsReached

    dataset = load_dataset("mnist")
    classifier = load_recipe("standard").create_estimator(random_state=0, device="cpu")
    # The EMA of the weights does not affect the losses, and is in single precision.
    classifier.set_params(network=network, precision="fp32", ema_decay=0.0, callbacks=[Record()])
    try:
        with join_process_group("cpu"):
            classifier.fit(dataset.train_images, dataset.train_labels)
    except StepsReached:
        return losses
    raise RuntimeError(f"The run ended before step {steps}.")


def register_smooth() -> None:
    """Register a network that does not amplify rounding differences."""
    from torch import nn

    from skconv.networks.blocks import Network
    from skconv.networks.input_normalization import InputNormalization
    from skconv.networks.logit_calibration import LogitCalibration
    from skconv.networks.registry import register_network

    class Smooth(Network):
        def __init__(self, in_channels: int, image_size: tuple[int, int], num_classes: int) -> None:
            super().__init__(InputNormalization(in_channels), LogitCalibration(num_classes))
            layers: list[nn.Module] = []
            for inputs, outputs in ((in_channels, 16), (16, 32)):
                convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
                layers += [convolution, nn.AvgPool2d(2), nn.BatchNorm2d(outputs), nn.SiLU()]
            values = 32 * (image_size[0] // 4) * (image_size[1] // 4)
            self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.1), nn.Linear(values, num_classes))

        def classify(self, images: Any) -> Any:
            return self.layers(images)

    @register_network
    def smooth(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
        """Two convolutions, average pooling, batch norm, SiLU."""
        return Smooth(in_channels, image_size, num_classes)


def run(launcher: list[str], threads: int, cases: list[str], file: Path) -> dict[str, list[float]]:
    """Record cases in other processes and return their losses."""
    command = [sys.executable, *launcher, __file__, "--record", str(file), "--cases", *cases]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    return json.loads(file.read_text())


def compare(losses: list[float], others: list[float]) -> float:
    """Return the maximum absolute difference between the losses of a step."""
    return max(abs(one - other) for one, other in zip(losses, others, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cases", nargs="+", default=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        from skconv.distributed.process_group import is_main_process

        register_smooth()
        losses = {name: record(*CASES[name][:3]) for name in options.cases}
        if is_main_process():
            options.record.write_text(json.dumps(losses))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "losses.json"
        alone = run([], 1, options.cases, file)
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(options.processes)]
        together = run(launcher, 1, options.cases, file)
        two_threads = run([], 2, ["standard, fp32"], file)
    differences = {name: compare(alone[name], together[name]) for name in alone}
    write_result(
        "torchrun_loss",
        {
            "processes": options.processes,
            "steps": {name: len(losses) for name, losses in alone.items()},
            "first and last loss": {name: [losses[0], losses[-1]] for name, losses in alone.items()},
            "max difference of loss per step": differences,
            "allowed": {name: CASES[name][3] for name in alone},
            "max difference of one process with two threads": compare(
                alone["standard, fp32"], two_threads["standard, fp32"]
            ),
        },
    )
    exceeded = [name for name, difference in differences.items() if difference > (CASES[name][3] or float("inf"))]
    if exceeded:
        sys.exit(f"The losses differ by more than the limit: {', '.join(exceeded)}.")


if __name__ == "__main__":
    main()
