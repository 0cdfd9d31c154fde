"""Commands in processes without a home folder, with another locale or in a removed folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

UNKNOWN_USER = """
import pwd, sys
from skconv.cli.main import main
def unknown(*_):
    raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = unknown
"""
# Runs several commands per environment, in a fork of a process that has imported torch without a home folder: these
# imports take as long as the commands. The user has no entry in the system's list of users.
COMMANDS = f"""{UNKNOWN_USER}
import json, os, onnx, skconv.estimators.classifier
from skconv.data import decoded_cache
from skconv.model_io.onnx import import_onnxruntime
import_onnxruntime()
assert "matplotlib" not in sys.modules  # it reads the environment when it is imported
decoded_cache.MIN_CACHED = 1
recipe, environments = sys.argv[1], json.loads(sys.argv[2])
for number, environment in enumerate(environments):
    child = os.fork()
    if child == 0:
        os.environ.update(environment)
        code = 0
        for command in (
            ["data", "mnist"],
            ["train", "images", "--recipe", recipe, "--out", f"run-{{number}}"],
            ["predict", f"run-{{number}}", "images"],
            ["read", "images/a/0.png"],
        ):
            code = code or main(command)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0, environment
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with `images`, two classes of 12 images."""
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            image = generator.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path


def run(script, *arguments, cwd, remove=(), options=(), **environment):
    kept = {name: value for name, value in os.environ.items() if name not in remove}
    command = [sys.executable, *options, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**kept, **environment})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no HOME")
def test_commands_work_without_home_and_cache(folder, tiny_recipe):
    environments = [{}, {"HOME": "/proc/1/home"}, {"XDG_CACHE_HOME": "/dev/null"}]
    result = run(COMMANDS, tiny_recipe, json.dumps(environments), cwd=folder, remove=("HOME", "XDG_CACHE_HOME"))
    assert result.returncode == 0, result.stderr
    assert "Matplotlib" not in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["images", "run-0", "run-1", "run-2"]


@pytest.mark.skipif(Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="the data set is installed")
def test_download_without_home_names_the_variable(folder):
    script = f"{UNKNOWN_USER}sys.exit(main(['train', 'fashion-mnist']))"
    result = run(script, cwd=folder, remove=("HOME", "XDG_CACHE_HOME", "SKCONV_DATA"))
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ") and "XDG_CACHE_HOME" in result.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Nowhere/Never", "COLUMNS": "wide"},
        {"PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "TERM": "dumb"},
    ],
    ids=["locale", "warnings"],
)
def test_commands_work_in_unusual_environments(environment, folder, tiny_recipe):
    script = "import sys; from skconv.cli.main import main; sys.exit(main(sys.argv[1:]))"
    (folder / "images" / "a").rename(folder / "images" / "großer Fuß")
    for arguments in (["train", "images", "--recipe", tiny_recipe, "--out", "run"], ["predict", "run", "images"]):
        result = run(script, *arguments, cwd=folder, **environment)
        assert result.returncode == 0, result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove the current folder")
def test_removed_current_folder_is_an_error_in_one_line(tmp_path, tiny_recipe):
    script = "import os, sys; os.rmdir(os.getcwd()); from skconv.cli.main import main; sys.exit(main(sys.argv[1:]))"
    (tmp_path / "gone").mkdir()
    result = run(script, "train", "digits", "--recipe", tiny_recipe, cwd=tmp_path / "gone")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "current folder was removed" in result.stderr
