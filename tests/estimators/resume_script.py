"""Script of the tests: train in forked children that are killed repeatedly, and print the results as JSON.

The children are forked, because imports take longer than the runs.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from skconv import CNNClassifier
from skconv.training import checkpointing


class Slow(Callback):
    """Sleep, so that the parent can kill the process within an epoch."""

    def on_batch_end(self, net, **kwargs):
        time.sleep(0.01)


def train(checkpoint, result):
    """Train with all stateful components: dropout, augmentation, EMA, early stopping."""
    digits = load_digits()
    classifier = CNNClassifier(
        {"name": "compact", "dropout": 0.3},
        max_epochs=4,
        batch_size=64,
        augmentation={"rotation": 10, "shift": 0.1, "elastic": 0.02},
        validation_fraction=0.25,
        patience=3,
        precision="fp32",
        random_state=0,
        callbacks=[Slow()],
        checkpoint=checkpoint,
    )
    classifier.fit(digits.images[:300], digits.target[:300])
    weights = [tensor.numpy().tobytes().hex() for tensor in classifier.net_.module_.state_dict().values()]
    rows = [{key: row[key] for key in row if key != "dur"} for row in classifier.net_.history]
    result.write_text(json.dumps([weights, rows], default=float))


def start(*arguments):
    """Run `train` in a child and return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            train(*arguments)
            code = 0
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)
    return child


def newest(folder):
    return max((each.name for each in folder.glob("checkpoint-*")), default="")


def wait_for_checkpoint(folder, child):
    """Wait until there is a new checkpoint, or the child ends."""
    known = newest(folder)
    while newest(folder) == known and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)


def disturb(folder, kind, chance):
    """Restart until training ends, with a signal soon after one to four new checkpoints; return the exit codes."""
    exits = []
    while True:
        child = start(folder, folder.with_suffix(".json"))
        for _ in range(chance.randint(1, 4)):
            wait_for_checkpoint(folder, child)
        time.sleep(chance.uniform(0, 0.02))  # the next step or write may have begun
        os.kill(child, kind)
        exits.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if exits[-1] in (0, 1):
            return exits


def main(work):
    torch.set_num_threads(1)
    plain = work / "plain.json"
    os.waitpid(start(None, plain), 0)
    # Checkpoints after every step, so that some kills interrupt a write.
    checkpointing.SECONDS, checkpointing._INITIAL_COST, checkpointing._MAX_OVERHEAD = 0.0, 0.0, 1e9
    results = {}
    for kind in (signal.SIGKILL, signal.SIGTERM):
        folder = work / kind.name
        exits = disturb(folder, kind, random.Random(0))
        same = folder.with_suffix(".json").read_text() == plain.read_text()
        results[kind.name] = {"exits": exits, "same": same, "left": len(list(folder.glob(".skconv-*")))}
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
