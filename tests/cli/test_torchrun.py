"""`torchrun --nproc-per-node 2 -m skconv train …`: two processes train one model, and one of them prints."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate")
pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
SECONDS = 300  # seconds; sufficient on a busy machine

RECIPE = """
title = "Batches that two cannot halve"

[data]
source = "digits"

[network]
name = "fast"

[training]
max_epochs = EPOCHS
batch_size = 65
precision = "fp32"
learning_rate = 0.001
validation_fraction = 0.1
patience = 50

[augmentation]
rotation = 10

[report]
print_epochs = true
"""

# Trains in all processes and prints the result of each.
SCRIPT = """
import hashlib, json, os, sys
from skorch.callbacks import Callback
from sklearn.datasets import load_digits
from torch import nn
from skconv import CNNClassifier
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.blocks import Network
from skconv.networks.registry import register_network
from skconv.networks.input_normalization import InputNormalization
from skconv.distributed.process_group import join_process_group


class Smooth(Network):
    def __init__(self, num_classes):
        super().__init__(InputNormalization(1), LogitCalibration(num_classes))
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.AvgPool2d(2), nn.BatchNorm2d(8), nn.SiLU(),
            nn.Flatten(), nn.Dropout(0.1), nn.Linear(128, num_classes),
        )

    def classify(self, images):
        return self.layers(images)


@register_network
def smooth(*, in_channels, image_size, num_classes):
    "Batch norm and dropout."
    return Smooth(num_classes)


digits = load_digits()
classifier = CNNClassifier(
    "smooth", max_epochs=3, batch_size=65, precision="fp32", device="cpu", random_state=0, validation_fraction=0.1,
    restore_best="valid_loss", augmentation={"rotation": 10, "elastic": 0.01}, class_weight={0: 0.5},
)
with join_process_group("cpu"):
    classifier.fit(digits.images, digits.target)
losses = classifier.net_.history[:, "batches", :, "train_loss"]
weights = b"".join(each.numpy().tobytes() for each in classifier.net_.module_.state_dict().values())
facts = {
    "losses": [float(loss) for epoch in losses for loss in epoch if loss is not None],
    "history": [{name: row[name] for name in ("train_loss", "valid_loss", "valid_accuracy")}
                for row in classifier.history_],
    "weights": hashlib.sha256(weights).hexdigest(),
}
with open(sys.argv[1] + os.environ.get("RANK", "alone"), "w") as file:
    json.dump(facts, file)
"""


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Return a function that writes the recipe with a number of epochs."""
    folder = tmp_path_factory.mktemp("recipe")

    def write(epochs):
        path = folder / f"{epochs}.toml"
        path.write_text(RECIPE.replace("EPOCHS", str(epochs)))
        return str(path)

    return write


def test_two_processes_take_the_steps_of_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, tmp_path / "facts-"], check=True, timeout=SECONDS)
    subprocess.run([*TORCHRUN, script, tmp_path / "facts-"], check=True, timeout=SECONDS)
    alone, first, second = (json.loads((tmp_path / f"facts-{name}").read_text()) for name in ("alone", "0", "1"))
    assert first["weights"] == second["weights"] and first["history"] == second["history"]
    assert first["losses"] == second["losses"] and len(first["losses"]) == len(alone["losses"]) >= 50
    assert first["losses"] == pytest.approx(alone["losses"], abs=1e-4)
    for row, expected in zip(first["history"], alone["history"], strict=True):
        assert row == pytest.approx(expected, abs=1e-3)


def test_two_processes_write_one_run_folder_and_one_json_object(recipe, tmp_path):
    arguments = ["-m", "skconv", "train", "digits", "--recipe", recipe(2), "--out", "out", "--json"]
    done = run([*TORCHRUN, *arguments], tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2 and done.stderr.count("Training network") == 1, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["command"].startswith("torchrun --nproc-per-node 2 -m skconv train digits")
    scored = run([sys.executable, "-m", "skconv", "evaluate", "out", "digits", "--json"], tmp_path)
    assert json.loads(scored.stdout)["accuracy"] == pytest.approx(result["test_accuracy"]), scored.stderr
    predicted = run([sys.executable, "-m", "skconv", "predict", "out", "out/samples.png", "--json"], tmp_path)
    assert len(json.loads(predicted.stdout)["predictions"]) == 1, predicted.stderr


@pytest.mark.parametrize("victim", [0, 1])
def test_killed_process_ends_the_training_with_one_line(recipe, tmp_path, victim):
    command = [*TORCHRUN, "-m", "skconv", "train", "digits", "--recipe", recipe(5000), "--out", "out", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as agent:
        try:
            assert any("epoch   2" in line for line in agent.stderr)  # training has started
            os.kill(process_of_rank(agent.pid, victim), signal.SIGKILL)
            out, err = agent.communicate(timeout=60)
        finally:
            agent.terminate()
    assert agent.returncode == 1 and out == ""
    lines = [line for line in err.splitlines() if line.startswith(("Error", "Interrupted"))]
    assert len(lines) == 1 and "one of its 2 processes was killed" in lines[0], err
    assert not any(tmp_path.iterdir())


def process_of_rank(agent, rank):
    """Return the process of a rank that torchrun started."""
    for child in Path(f"/proc/{agent}/task/{agent}/children").read_text().split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
            return int(child)
    raise AssertionError(f"torchrun has no process of rank {rank}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "digits", "--recipe", "fats"], "Unknown recipe 'fats'"),
        (["train", "digits", "--seeds", "many"], "Invalid value"),
        (["evaluate", "digits", "digits"], "Run evaluate without torchrun"),
    ],
)
def test_wrong_input_is_printed_once(tmp_path, arguments, expected):
    done = run([*TORCHRUN, "-m", "skconv", *arguments], tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count(expected) == 1, done.stderr
    assert not any(tmp_path.iterdir())
