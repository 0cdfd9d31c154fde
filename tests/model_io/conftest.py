import shutil
from pathlib import Path

import pytest


@pytest.fixture
def model_copy(saved_model, tmp_path) -> Path:
    """Return a copy of the saved model that a test may damage."""
    return Path(shutil.copytree(saved_model, tmp_path / "model"))
