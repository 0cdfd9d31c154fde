"""Fixtures shared by all tests."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

# A second thread does not speed up small images; on a busy machine the threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Without bytecode, each of the many processes that the tests start would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

SHAPE = (1, 12, 10)

TINY = """
title = "Two epochs"

[data]
source = "digits"

[network]
name = "fast"

[training]
max_epochs = 2
batch_size = 64
precision = "fp32"
"""


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Return the folder of SKCONV_DATA; skip tests that need it if it is not set."""
    folder = os.environ.get("SKCONV_DATA")
    if not folder:
        pytest.skip("SKCONV_DATA is not set: this test needs a data set that is not bundled")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory):
    """Return the path of a recipe that trains on `digits` in a second."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def no_figures(monkeypatch):
    """Omit the figures of run folders, which take longer than a short training, for tests that do not check them."""
    for module in ("reports.style", "commands.run_folder"):
        monkeypatch.setattr(f"skconv.{module}.save_figures", lambda folder, figures: None)


@pytest.fixture(scope="session")
def sample() -> np.ndarray:
    """Return images of the size of `saved_model`."""
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="session")
def make_network():
    """Return a function that makes the network of `saved_model`, always with the same weights."""
    import torch

    from skconv.networks import create_network

    def make() -> torch.nn.Module:
        torch.manual_seed(0)
        return create_network("fast", in_channels=1, image_size=SHAPE[1:], num_classes=3)

    return make


@pytest.fixture(scope="session")
def make_config():
    """Return a function that makes the configuration of `saved_model`, with changes."""
    from skconv.model_io import DataConfig, InputConfig, ModelConfig, NetworkConfig

    def make(**changes) -> ModelConfig:
        config = ModelConfig(
            network=NetworkConfig("fast"),
            input=InputConfig(*SHAPE),
            classes=(3, 5, 8),
            class_names=("three", "five", "eight"),
            parameters={"max_epochs": 3, "betas": (0.7, 0.95)},
            data=DataConfig("mnist", "the cache", "CC BY-SA 3.0", "ab" * 32, 300),
            scores={"test_accuracy": 0.9957},
        )
        return replace(config, **changes)

    return make


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory, make_network, make_config, sample) -> Path:
    """Return a small model folder, exported once, to read or to copy and damage."""
    from skconv.model_io import save_model

    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(folder, make_network(), make_config(), sample=sample)
    return folder


@pytest.fixture(scope="session")
def write_rows():
    """Return a function that draws rows of MNIST digits on paper."""

    def write(rows, *, scale=2, gap=5, margin=12, paper=235, ink=40) -> np.ndarray:
        """Return a grey image; digits are `gap` pixels apart, then enlarged by `scale`."""
        rows = [[digit[np.ix_(digit.any(axis=1), digit.any(axis=0))] for digit in row] for row in rows]
        width = max(sum(digit.shape[1] + gap for digit in row) for row in rows)
        cover = np.zeros((34 * len(rows), width))
        for number, row in enumerate(rows):
            left = 0
            for digit in row:
                top = 34 * number + 27 - digit.shape[0]
                cover[top : top + digit.shape[0], left : left + digit.shape[1]] = digit / 255
                left += digit.shape[1] + gap
        cover = np.pad(np.kron(cover, np.ones((scale, scale))), margin)
        return (paper + (ink - paper) * cover).astype(np.uint8)

    return write


def pytest_terminal_summary(terminalreporter):
    """Count the documentation blocks that were run, and list those that were only parsed, with the reason."""
    outcomes = {}
    for outcome in ("passed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == "documentation":
                    outcomes[value[0]] = "skipped" if outcome == "skipped" else value[1]
    if not outcomes:
        return
    reasons = list(outcomes.values())
    n_skipped = reasons.count("skipped")
    n_run = reasons.count("")
    terminalreporter.section("blocks of the documentation")
    n_parsed = len(reasons) - n_run - n_skipped
    terminalreporter.line(f"{n_run} run, {n_parsed} only parsed, {n_skipped} skipped")
    for block, reason in outcomes.items():
        if reason:
            terminalreporter.line(f"{block}: {reason}")
