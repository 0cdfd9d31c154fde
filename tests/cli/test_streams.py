"""Commands with closed standard streams, and under ``python -OO``."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image


def run(redirection, *arguments, **environment):
    command = f'exec "{sys.executable}" -m skconv "$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", command, "skconv", *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )


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


def test_optimized_python_predicts_and_names_what_does_not_work(image, tiny_recipe, tmp_path):
    assert run("", "predict", "digits", image, PYTHONOPTIMIZE="2").returncode == 0
    out = str(tmp_path / "run")
    result = run("", "train", "digits", "--recipe", str(tiny_recipe), "--out", out, PYTHONOPTIMIZE="2")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: Python runs without docstrings")
    result = run("", "explain", "digits", image, "--out", str(tmp_path / "map.png"), PYTHONOPTIMIZE="2")
    assert result.returncode == 1 and result.stderr.startswith("Error: Python runs without docstrings")
