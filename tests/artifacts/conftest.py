"""One small saved model that the tests of this room copy and damage."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skconv.artifacts import DataConfig, InputConfig, ModelConfig, NetworkConfig, save_model
from skconv.networks import create_network

SHAPE = (1, 12, 10)


@pytest.fixture(scope="session")
def sample() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="session")
def make_network():
    def make() -> torch.nn.Module:
        torch.manual_seed(0)
        return create_network("fast", in_channels=1, image_size=SHAPE[1:], num_classes=3)

    return make


@pytest.fixture(scope="session")
def make_config():
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
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(folder, make_network(), make_config(), sample=sample)
    return folder


@pytest.fixture
def model_copy(saved_model, tmp_path) -> Path:
    return Path(shutil.copytree(saved_model, tmp_path / "model"))
