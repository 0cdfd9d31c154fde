"""Commands in processes without a home folder, with another locale or in a removed folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Runs several commands in one process; the user has no entry in the system's list of users.
COMMANDS = """
import pwd, shutil, sys
from pathlib import Path
from skconv.cli.main import main
from skconv.data import decoded_cache
def unknown(*_):
    raise KeyError("no such user")
pwd.getpwuid = pwd.getpwnam = unknown
decoded_cache.MIN_CACHED = 1
recipe, out = sys.argv[1:]
for command in (
    ["data", "mnist"],
    ["train", "images", "--recipe", recipe, "--out", out],
    ["predict", out, "images"],
    ["read", "images/a/0.png"],
):
    assert main(command) == 0, command
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
@pytest.mark.parametrize("environment", [{}, {"HOME": "/proc/1/home"}, {"XDG_CACHE_HOME": "/dev/null"}], ids=str)
def test_commands_work_without_home_and_cache(environment, folder, tiny_recipe):
    result = run(COMMANDS, tiny_recipe, "run", cwd=folder, remove=("HOME", "XDG_CACHE_HOME"), **environment)
    assert result.returncode == 0, result.stderr
    assert "Matplotlib" not in result.stderr
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".toml") == ["images", "run"]


@pytest.mark.skipif(Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="the data set is installed")
def test_download_without_home_names_the_variable(folder):
    script = COMMANDS.partition("recipe,")[0] + "sys.exit(main(['train', 'fashion-mnist']))"
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
