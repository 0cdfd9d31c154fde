"""One small training run that the tests of this folder look at."""

import pytest

from skconv.workflows.train import train

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
def tiny_recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def run(tiny_recipe, tmp_path_factory):
    """The result of training on `digits`; `run.folder` holds what was written."""
    return train(recipe=tiny_recipe, out=tmp_path_factory.mktemp("runs") / "digits", command="skconv train --test")
