"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

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
    """The folder that SKCONV_DATA names; tests that ask for it are skipped where it is not set."""
    folder = os.environ.get("SKCONV_DATA")
    if not folder:
        pytest.skip("SKCONV_DATA is not set: this test needs a data set that is not bundled")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory):
    """A recipe that trains on `digits` in a second."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path
