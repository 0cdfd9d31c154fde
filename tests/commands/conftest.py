"""One small training run that the tests of this folder look at."""

import pytest

from skconv.commands.train import train


@pytest.fixture(scope="session")
def run(tiny_recipe, tmp_path_factory):
    """The result of training on `digits`; `run.folder` holds what was written."""
    return train(recipe=tiny_recipe, out=tmp_path_factory.mktemp("runs") / "digits", command="skconv train --test")
