"""Resumed runs end with the same weights as uninterrupted ones."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from skconv import CNNClassifier, KFoldEnsembleClassifier
from skconv.exceptions import ModelFileError, OutputError, ParameterError
from skconv.training import checkpointing
from skconv.training.net import ClassifierNet
from skconv.training.time_limit import StepCost

from .conftest import StopAt, weights_of

SETTINGS = {
    "network": {"name": "compact", "dropout": 0.3},
    "max_epochs": 2.5,
    "batch_size": 32,
    "augmentation": {"rotation": 10, "erasing": 0.5},
    "precision": "fp32",
    "random_state": 0,
}


@pytest.fixture(autouse=True)
def checkpoint_after_every_step(monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS", 0.0)
    monkeypatch.setattr(checkpointing, "_INITIAL_COST", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_OVERHEAD", 1e9)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.integers(0, 120, (160, 9, 9), dtype=np.uint8)
    images[np.arange(160), 2 * labels, 2 * labels] = 255
    return images, labels


@pytest.fixture(scope="module")
def expected(images):
    """Return the weights of an uninterrupted run."""
    return weights_of(fit(images))


@pytest.fixture
def stopped(images, tmp_path):
    """Return the checkpoint folder of a run that was stopped after seven steps."""
    stop(images, tmp_path / "run.checkpoint", steps=7)
    return tmp_path / "run.checkpoint"


def stop(images, folder, steps, **changes):
    classifier = CNNClassifier(**{**SETTINGS, **changes}, callbacks=[StopAt(steps)], checkpoint=folder)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*images)


def fit(images, folder=None, **changes):
    # The same kind of callback, because a checkpoint records the callbacks; it never stops.
    return CNNClassifier(**{**SETTINGS, **changes}, callbacks=[StopAt(10**9)], checkpoint=folder).fit(*images)


def history_of(classifier):
    return [{**row, "seconds": None} for row in classifier.history_]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "ema_decay": 0.0,
            "schedule": "constant",
            "optimizer": "adam",
            "validation_fraction": 0.2,
            "restore_best": "valid_loss",
        },
        {"validation_fraction": 0.2, "patience": 1},
        {"class_weight": {0: 0.3, 1: 1.7, 2: 1, 3: 1}},
        {"precision": "bf16"},
        {"optimizer": "muon"},
    ],
    ids=["default", "restore_best", "patience", "weights", "bf16", "muon"],
)
def test_resumed_training_ends_with_the_same_bits(images, tmp_path, changes):
    folder = tmp_path / "checkpoints"
    stop(images, folder, steps=3, **changes)
    stop(images, folder, steps=3, **changes)
    resumed, plain = fit(images, folder, **changes), fit(images, **changes)
    assert weights_of(resumed) == weights_of(plain)
    assert history_of(resumed) == history_of(plain)
    assert np.array_equal(resumed.predict_proba(images[0]), plain.predict_proba(images[0]))


def test_training_resumes_with_another_false_alarm_rate(images, stopped, expected):
    assert weights_of(fit(images, stopped, false_alarm_rate=0.05)) == expected


def test_fit_skips_a_finished_training(images, tmp_path):
    first = fit(images, tmp_path / "checkpoints")
    steps = StopAt(1)  # interrupts the first step
    again = CNNClassifier(**SETTINGS, callbacks=[steps], checkpoint=tmp_path / "checkpoints").fit(*images)
    assert weights_of(again) == weights_of(first)
    assert again.fit_seconds_ >= again.history_[0]["seconds"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"patience": 1}, {"restore_best": "valid_loss", "ema_decay": 0.0}, {"time_limit": 60}],
    ids=["default", "patience", "restore_best", "time_limit"],
)
def test_resumed_ensemble_does_not_repeat_finished_members(images, tmp_path, monkeypatch, changes):
    monkeypatch.setattr(checkpointing, "SECONDS", 1e9)
    monkeypatch.setattr(checkpointing, "_INITIAL_COST", 1e30)  # checkpoints only at the end of a member
    step, left = ClassifierNet.train_step, [10**9]

    def counted(*arguments, **keywords):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return step(*arguments, **keywords)

    monkeypatch.setattr(ClassifierNet, "train_step", counted)

    def fit_members(folder=None):
        template = CNNClassifier(**{**SETTINGS, "max_epochs": 6, "learning_rate": 0.1, **changes}, checkpoint=folder)
        return KFoldEnsembleClassifier(template, cv=2, random_state=0).fit(*images)

    monkeypatch.setattr("skconv.estimators.setup.measure_steps", lambda *_: StepCost(0.001, 0.001))
    plain = fit_members()
    n_steps = [sum(epoch["train_batch_count"] for epoch in each.net_.history) for each in plain.estimators_]
    left[0] = n_steps[0] + 2
    with pytest.raises(KeyboardInterrupt):
        fit_members(tmp_path)
    left[0] = n_steps[1]
    resumed = fit_members(tmp_path)
    assert left[0] == 0
    assert [weights_of(each) for each in resumed.estimators_] == [weights_of(each) for each in plain.estimators_]
    assert [history_of(each) for each in resumed.estimators_] == [history_of(each) for each in plain.estimators_]
    assert np.array_equal(resumed.out_of_fold_proba_, plain.out_of_fold_proba_)
    assert resumed.fit_seconds_ >= sum(each.fit_seconds_ for each in resumed.estimators_)


def test_resuming_restores_the_random_state_of_torch(images, stopped):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(images, stopped)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 0.02}, r"learning_rate \(--learning-rate\) was 0.01 and is 0.02"),
        ({"network": "fast"}, r"network \(--network\) was .*compact.* and is fast"),
        ({"random_state": 1}, r"random_state \(--seed\) was 0 and is 1"),
        ({"max_epochs": 3}, r"max_epochs \(--epochs\) was 2.5 and is 3"),
    ],
)
def test_checkpoint_of_other_parameters_is_refused(images, stopped, changes, message):
    with pytest.raises(ModelFileError, match=message):
        fit(images, stopped, **changes)


def test_checkpoint_of_other_data_is_refused(images, stopped):
    changed = images[0].copy()
    changed[5, 0, 0] ^= 1
    with pytest.raises(ModelFileError, match=r"training data differ .*another source"):
        fit((changed, images[1]), stopped)


def test_other_number_of_threads_is_reported_or_refused(images, stopped, tmp_path, monkeypatch):
    shutil.copytree(stopped, tmp_path / "copy")
    with pytest.raises(ModelFileError, match=r"number of threads \(--threads\) was auto and is 1"):
        fit(images, tmp_path / "copy", n_threads=1)
    threads = torch.get_num_threads()
    monkeypatch.setattr("skconv.training.threads.count_cpus", lambda: threads + 1)
    torch.set_num_threads(threads + 1)
    try:
        with pytest.warns(UserWarning, match=f"number of threads was {threads} and is now {threads + 1}"):
            resumed = fit(images, stopped)
    finally:
        torch.set_num_threads(threads)
    assert resumed.n_epochs_ == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing", "facts"])
def test_damaged_checkpoint_falls_back_to_the_previous_one(images, stopped, expected, damage):
    last = max(stopped.iterdir())
    tensors, facts = last / "checkpoint.safetensors", last / "checkpoint.json"
    if damage == "cut":
        tensors.write_bytes(tensors.read_bytes()[:5000])
    elif damage == "flipped":
        content = bytearray(tensors.read_bytes())
        content[len(content) // 2] ^= 4
        tensors.write_bytes(content)
    elif damage == "missing":
        tensors.unlink()
    else:
        facts.write_bytes(facts.read_bytes().replace(b'"seconds"', b'"sceonds"', 1))
    with pytest.warns(UserWarning, match=r"The previous checkpoint is used: checkpoint-\d+"):
        resumed = fit(images, stopped)
    assert weights_of(resumed) == expected


def test_fit_raises_if_all_checkpoints_are_damaged(images, stopped):
    for each in stopped.iterdir():
        (each / "checkpoint.json").write_bytes(b"{")
    with pytest.raises(ModelFileError, match="Remove the folder to start again"):
        fit(images, stopped)


def test_checkpoint_of_another_format_is_refused_by_its_version(images, stopped):
    from skconv.model_io.serialization import digest_json

    path = max(stopped.iterdir()) / "checkpoint.json"
    document = json.loads(path.read_text())
    document["format_version"] = 7
    document["digest"] = digest_json(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="version 7; this version of skconv reads 'skconv-checkpoint', version 1"):
        fit(images, stopped)


def test_two_checkpoints_remain_and_partial_writes_are_removed(images, stopped):
    assert len(list(stopped.iterdir())) == 2
    (stopped / ".skconv-12345678.part").mkdir()
    fit(images, stopped)
    assert sorted(each.name.partition("-")[0] for each in stopped.iterdir()) == ["checkpoint", "checkpoint"]


def test_failed_write_retains_the_last_checkpoint(images, stopped, expected):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # like a full disk
    try:
        with pytest.raises(OutputError, match=r"Cannot write .*checkpoint-"):
            fit(images, stopped)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert weights_of(fit(images, stopped)) == expected


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_checkpoint_needs_a_seed(images, tmp_path, random_state):
    with pytest.raises(ParameterError, match="Pass random_state=0"):
        fit(images, tmp_path, random_state=random_state)


def test_short_training_writes_no_checkpoint(images, tmp_path, monkeypatch):
    monkeypatch.undo()
    fit(images, tmp_path / "checkpoints")  # takes less than a second
    assert not (tmp_path / "checkpoints").exists()


def test_moved_checkpoint_is_resumed(images, stopped, expected, tmp_path):
    shutil.move(stopped, tmp_path / "elsewhere")
    assert weights_of(fit(images, tmp_path / "elsewhere")) == expected


@pytest.mark.slow
def test_killed_training_ends_with_the_same_bits(tmp_path):
    script = Path(__file__).with_name("resume_script.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, timeout=600, check=True)
    for kind, result in json.loads(done.stdout).items():
        assert result["same"], (kind, done.stderr[-2000:])
        assert len(result["exits"]) >= 3
        assert result["left"] == 0
