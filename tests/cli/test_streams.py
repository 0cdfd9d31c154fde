"""Commands with closed standard streams, and under ``python -OO``."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image


def run(redirection, *arguments):
    command = f'exec "{sys.executable}" -m skconv "$@" {redirection}'
    return subprocess.run(["bash", "-c", command, "skconv", *arguments], capture_output=True, text=True)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "seven.png"
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2</dev/null"])
def test_predict_succeeds_with_closed_streams(redirection, image):
    result = run(redirection, "predict", "digits", image)
    assert result.returncode == 0 and "Traceback" not in result.stderr
    assert (">&-" in redirection.replace("2>&-", "")) == (result.stdout == "")


@pytest.mark.parametrize("redirection", ["2>&-", "2</dev/null"])  # the second occurs in shell scripts
def test_train_succeeds_without_standard_error(redirection, tiny_recipe, tmp_path):
    out = tmp_path / "run"
    result = run(redirection, "train", "digits", "--recipe", str(tiny_recipe), "--out", str(out))
    assert result.returncode == 0 and (out / "model").is_dir()


# Runs commands in one process, because each process would compile the modules again; prints exit codes and messages.
SEVERAL = """
import contextlib, io, json, sys
from skconv.cli.main import main
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    print(json.dumps([code, err.getvalue()]), file=sys.stderr)
"""


def test_optimized_python_predicts_but_refuses_to_train_and_explain(image, tiny_recipe, tmp_path):
    commands = [
        ["predict", "digits", image],
        ["train", "digits", "--recipe", str(tiny_recipe), "--out", str(tmp_path / "run")],
        ["explain", "digits", image, "--out", str(tmp_path / "map.png")],
    ]
    process = [sys.executable, "-OO", "-B", "-c", SEVERAL, json.dumps(commands)]
    result = subprocess.run(process, capture_output=True, text=True, check=True)
    codes, messages = zip(*map(json.loads, result.stderr.splitlines()), strict=True)
    assert codes == (0, 1, 1) and result.stdout.startswith(image)
    assert messages[1].splitlines()[-1].startswith("Error: Python runs without docstrings")
    assert messages[2].startswith("Error: Python runs without docstrings")
