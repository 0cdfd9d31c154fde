"""Fixture: a small training run."""

import pytest

from skconv.commands.train import train


@pytest.fixture(scope="session")
def run(tiny_recipe, tmp_path_factory):
    """Result of a run on `digits`, with its run folder."""
    return train(recipe=tiny_recipe, out=tmp_path_factory.mktemp("runs") / "digits", command="skconv train --test")
