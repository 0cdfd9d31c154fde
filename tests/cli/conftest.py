"""Fixture: a small training run made by the command line."""

import contextlib
import io
import json

import pytest

from skconv.cli.main import main


@pytest.fixture(scope="session")
def trained(tiny_recipe, tmp_path_factory):
    """Run folder, JSON object and standard error of a run on `digits`."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    out, err = io.StringIO(), io.StringIO()
    arguments = ["train", "digits", "--recipe", str(tiny_recipe), "--out", str(folder), "--seed", "3", "--json"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main(arguments) == 0, err.getvalue()
    return folder, json.loads(out.getvalue()), err.getvalue()
