"""A copy of the saved model, which the tests of this room damage."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def model_copy(saved_model, tmp_path) -> Path:
    return Path(shutil.copytree(saved_model, tmp_path / "model"))
