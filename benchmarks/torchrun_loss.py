"""Do two processes train as one does? The loss of each of the first 50 steps, both ways, in fp32.

    python benchmarks/torchrun_loss.py [--processes 2] [--steps 50] [--recipe standard]

Begins the recipe on the MNIST that comes with the package, at the same batch size and with the same seed, alone and
under torchrun on this machine, and compares the losses of the whole batches step by step. Ends with exit code 1 where
they differ by more than 1e-4. Takes two minutes on two busy cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import write_result

TOLERANCE = 1e-4


class Enough(Exception):
    """The training has gone far enough."""


def record(recipe_name: str, steps: int) -> list[float]:
    """Begin the recipe's training, in all processes there are, and return the loss of each of its first steps."""
    from skorch.callbacks import Callback

    from skconv import load_dataset, load_recipe
    from skconv.training.distributed import join_processes

    losses: list[float] = []

    class Record(Callback):
        def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            losses.append(float(net.history[-1, "batches", -1, "train_loss"]))
            if len(losses) == steps:
                raise Enough

    dataset = load_dataset("mnist")
    classifier = load_recipe(recipe_name).create_estimator(random_state=0, device="cpu")
    classifier.set_params(precision="fp32", callbacks=[*classifier.callbacks, Record()])
    try:
        with join_processes("cpu"):
            classifier.fit(dataset.train_images, dataset.train_labels)
    except Enough:
        pass
    return losses


def run(launcher: list[str], options: argparse.Namespace, file: Path) -> tuple[list[float], float]:
    """Record in other processes; return the losses and the seconds that it took, from start to end."""
    start = time.perf_counter()
    arguments = [__file__, "--recipe", options.recipe, "--steps", str(options.steps), "--record", str(file)]
    subprocess.run([sys.executable, *launcher, *arguments], check=True)
    return json.loads(file.read_text()), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--recipe", default="standard")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        from skconv.training.distributed import is_first

        losses = record(options.recipe, options.steps)
        if is_first():
            options.record.write_text(json.dumps(losses))
        return
    with tempfile.TemporaryDirectory() as folder:
        alone, seconds_alone = run([], options, Path(folder) / "alone.json")
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(options.processes)]
        together, seconds_together = run(launcher, options, Path(folder) / "together.json")
    differences = [abs(one - other) for one, other in zip(alone, together, strict=True)]
    write_result(
        "torchrun_loss",
        {
            "recipe": options.recipe,
            "processes": options.processes,
            "steps": len(alone),
            "first and last loss": [alone[0], alone[-1]],
            "largest difference of a step's loss": max(differences),
            "tolerance": TOLERANCE,
            "seconds, start and end of the programs included": {"alone": seconds_alone, "together": seconds_together},
        },
    )
    if max(differences) > TOLERANCE:
        sys.exit(f"The losses differ by {max(differences):.1e}, more than {TOLERANCE:.0e}.")


if __name__ == "__main__":
    main()
