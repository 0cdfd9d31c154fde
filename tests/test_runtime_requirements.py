"""Commands in an environment that has only the packages of requirements-runtime.txt."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

import skconv
from skconv.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "requirements-runtime.txt").read_text(encoding="utf-8").splitlines()
LISTED = {canonicalize_name(each.name): each for line in LINES if line[:1] != "#" for each in [Requirement(line)]}
OMITTED = set(re.search(r"Omitted.*imported: ([^.]*)\.", " ".join(line[2:] for line in LINES))[1].split(", "))
N_IMAGES = 200
PATHS = ("predict", "read", "batch")


def link_packages(folder, names):
    """Link skconv and the named packages in a folder; return the environment of a process that finds no others."""
    (folder / "skconv").symlink_to(Path(skconv.__file__).parent)
    for name in ("skconv", *names):
        with contextlib.suppress(ModuleNotFoundError):  # not required on this platform
            installed = distribution(name)
            for first in {file.parts[0] for file in installed.files} - {"..", "__pycache__", "skconv"}:
                (folder / first).symlink_to(installed.locate_file(first))
    return {**os.environ, "PYTHONPATH": str(folder)}


def start(environment, *arguments, **options):
    """Start `skconv` in a process without the installed packages."""
    command = [sys.executable, "-S", "-m", "skconv", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


@contextlib.contextmanager
def serve(environment, model, folder):
    """Yield the URL of a service; it must end without an error."""
    process = start(environment, "serve", model, "--port", "0", "--json", cwd=folder)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.fixture(scope="session")
def lean(tmp_path_factory):
    """Environment of a process that finds only the packages of the requirements."""
    return link_packages(tmp_path_factory.mktemp("packages"), LISTED)


@pytest.fixture
def run(lean, tmp_path):
    """Return a function that runs `skconv` there, and returns exit code, standard output and standard error."""

    def run(*arguments):
        process = start(lean, *arguments, cwd=tmp_path)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


@pytest.fixture(scope="session")
def images():
    """Return test images of MNIST, uint8 (200, 28, 28)."""
    return skconv.load_dataset("mnist").test_images[:N_IMAGES]


@pytest.fixture
def photo(tmp_path, write_rows, images):
    path = tmp_path / "photo.png"
    Image.fromarray(write_rows([list(images[:4]), list(images[4:8])])).save(path)
    return path


def test_versions_are_those_that_the_project_is_tested_with():
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    tested = {canonicalize_name(each.name): each.specifier for each in pinned}
    assert {name: each.specifier for name, each in LISTED.items()} == {
        name: tested.get(name, each.specifier) for name, each in LISTED.items()
    }


def test_dependencies_are_complete_and_none_is_superfluous():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    required = {canonicalize_name(Requirement(each).name) for each in direct}
    declared = set()
    for name in LISTED:
        needs = [Requirement(each) for each in distribution(name).requires or ()]
        declared |= {
            canonicalize_name(each.name) for each in needs if not each.marker or each.marker.evaluate({"extra": ""})
        }
    assert declared - set(LISTED) == OMITTED
    assert set(LISTED) <= required | declared


def test_predict_returns_the_predictions_of_the_full_installation(run, images, tmp_path):
    np.savez(tmp_path / "images.npz", images=images)
    code, out, err = run("predict", "digits", "images.npz", "--probabilities", "--json")
    expected = skconv.predict("digits", tmp_path / "images.npz", probabilities=True).to_json()
    found = json.loads(out)
    assert (code, err, len(found["predictions"])) == (0, "", N_IMAGES)
    assert [{**each, "input": ""} for each in found["predictions"]] == [
        {**each, "input": "", "alternatives": [dict(other) for other in each["alternatives"]]}
        for each in expected["predictions"]
    ]


def test_read_returns_the_readings_of_the_full_installation(run, photo, tmp_path):
    code, out, _ = run("read", photo, "--annotate", "boxes.png", "--json")
    expected = json.loads(json.dumps(skconv.read(photo).to_json()))
    assert code == 0 and json.loads(out) == expected
    assert len(expected["readings"][0]["digits"]) == 8 and (tmp_path / "boxes.png").is_file()


def test_evaluate_scores_a_model(run, saved_model, tmp_path):
    np.savez(
        tmp_path / "data.npz", images=np.zeros((6, 12, 10), np.uint8), labels=np.array(["three", "five", "eight"] * 2)
    )
    code, out, err = run("evaluate", saved_model, "data.npz", "--json")
    assert (code, json.loads(out)["n"]) == (0, 6), err


def test_export_writes_the_file_of_the_full_installation(run, tmp_path):
    assert run("export", "digits", "--out", "lean.onnx")[0] == 0
    skconv.export("digits", tmp_path / "full.onnx")
    assert (tmp_path / "lean.onnx").read_bytes() == (tmp_path / "full.onnx").read_bytes()


@pytest.mark.filterwarnings("ignore:.*seems to contain 8 digits")
def test_serve_responds_as_predict(lean, photo, tmp_path):
    with serve(lean, "digits", tmp_path) as url:
        files = {"image": photo.read_bytes()}
        found, read, batch = (requests.post(f"{url}/v1/{path}", files=files, timeout=60) for path in PATHS)
        pages = [requests.get(f"{url}/{path}", timeout=60).status_code for path in ("", "docs", "metrics", "v1/model")]
    (expected,) = json.loads(json.dumps(skconv.predict("digits", photo).to_json()))["predictions"]
    assert {**found.json()["predictions"][0], "input": ""} == {**expected, "input": ""}
    assert read.json()["readings"][0]["text"] == skconv.read(photo).text
    assert (batch.status_code, pages) == (200, [200] * 4)


def test_other_models_than_those_of_digits_are_served_without_opencv(saved_model, photo, tmp_path):
    (tmp_path / "packages").mkdir()
    environment = link_packages(tmp_path / "packages", set(LISTED) - {"opencv-python-headless"})
    with serve(environment, saved_model, tmp_path) as url:
        files = {"image": photo.read_bytes()}
        codes = [requests.post(f"{url}/v1/{path}", files=files, timeout=60).status_code for path in PATHS]
    assert codes == [200, 422, 200]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "digits", "missing.png"], "missing.png cannot be read"),
        (["predict", "digits", "missing.png", "--annotate", "drawn.png"], "matplotlib"),
        (["read", "missing.png"], "missing.png cannot be read"),
        (["export", "digits", "--out", "digits.txt"], r"ends in .onnx"),
        (["serve", "missing"], "No model at missing"),
        (["train", "mnist"], "The package torch, required for this command, is not installed"),
        (["explain", "digits", "photo.png", "--out", "maps.png"], "is not installed"),
        (["report", "digits", "mnist", "--out", "report.html"], "is not installed"),
        (["networks"], "is not installed"),
    ],
)
def test_error_is_one_line(run, photo, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert message in err and err.count("\n") == 1, err
    if "not installed" in message:
        assert err.endswith("Install it: pip install skconv\n")


def test_help_lists_all_commands(run):
    printed = "".join(run()[1:])  # derives the options of all commands
    assert [name for name in COMMANDS if name.replace("_", "-") not in printed] == []


def test_models_of_digits_cannot_be_served_without_opencv(run, monkeypatch):
    from skconv.exceptions import MissingPackageError
    from skconv.server import runner
    from skconv.server.settings import ServerSettings

    find = runner.importlib.util.find_spec
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None if name == "cv2" else find(name))
    with pytest.raises(MissingPackageError, match="opencv-python-headless"):
        runner.serve(ServerSettings("digits"), port=0)
