"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_home() -> Path:
    """The folder that SKCONV_DATA names; tests that ask for it are skipped where it is not set."""
    folder = os.environ.get("SKCONV_DATA")
    if not folder:
        pytest.skip("SKCONV_DATA is not set: this test needs a data set that is not bundled")
    return Path(folder)
