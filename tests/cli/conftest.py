"""A small training run made by the command line; files and checks of bad input."""

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


def listing(folder):
    return sorted((str(path), path.stat().st_size) for path in folder.rglob("*"))


def check_one_line(arguments, words, folder, capsys):
    """Assert that a command fails with an error with these words and changes no file; return the lines before it."""
    before = listing(folder)
    code = main([str(each) for each in arguments])
    streams = capsys.readouterr()
    assert code == 1, streams.err
    assert streams.out == ""
    *before_error, error = streams.err.splitlines()
    assert error.startswith("Error: ") and "Unexpected" not in error
    assert not any("Error" in line or "Traceback" in line for line in before_error)  # may be progress
    for word in words:
        assert word in streams.err
    assert listing(folder) == before
    return before_error


def write(path, content):
    """Write text or bytes to a file in a new folder if necessary, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
