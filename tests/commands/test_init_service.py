"""`init_service`: the written folder, and the steps of its Dockerfile."""

import configparser
import io
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
import venv
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import requests
import typer.main
import yaml
from PIL import Image

import skconv
from skconv.cli.app import create_app
from skconv.commands.init_service import REQUIREMENTS_NAME, TEMPLATES
from skconv.exceptions import ModelFileError, OutputError, SourceNotFoundError
from skconv.model_io.folder import read_config

MAX_BYTES = 390_000_000  # of packages and model; the image of Python has 60 MB


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployment") / "service"
    skconv.init_service("digits", folder)
    return folder


def test_folder_contains_the_templates_the_model_and_a_wheel(service):
    names = {path.name for path in service.iterdir()}
    wheel = f"skconv-{skconv.__version__}-py3-none-any.whl"
    assert names == {*(each.name for each in TEMPLATES.iterdir()), "model", wheel}
    assert read_config(service / "model").class_names[-1] == "nothing"
    for path in service.rglob("*"):
        assert path.stat().st_mode & 0o044 == 0o044, path  # the user of the container reads them


def test_wheel_has_the_installed_files_and_is_reproducible(service, tmp_path):
    skconv.init_service("digits", tmp_path / "again")
    (wheel,) = service.glob("*.whl")
    assert wheel.read_bytes() == (tmp_path / "again" / wheel.name).read_bytes()
    source = Path(skconv.__file__).parent
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read("skconv/server/app.py") == (source / "server" / "app.py").read_bytes()
        info = f"skconv-{skconv.__version__}.dist-info"
        assert f"Version: {skconv.__version__}\n" in archive.read(f"{info}/METADATA").decode()
        assert "skconv = skconv.__main__:main" in archive.read(f"{info}/entry_points.txt").decode()
        assert len(archive.read(f"{info}/RECORD").decode().splitlines()) == len(names)
    assert not [name for name in names if "__pycache__" in name]


def test_opencv_is_required_only_for_models_of_digits(service, saved_model, tmp_path):
    skconv.init_service(saved_model, tmp_path / "other")
    with_it, without = ((each / REQUIREMENTS_NAME).read_text() for each in (service, tmp_path / "other"))
    assert "opencv" in with_it and "opencv" not in without and "digits" not in without
    assert len(with_it.splitlines()) == len(without.splitlines()) + 2


def test_result_has_the_commands_to_start_the_service(saved_model, tmp_path):
    result = skconv.init_service(saved_model, tmp_path / "my service")
    assert "docker compose up" in str(result) and f"cd '{tmp_path / 'my service'}'" in str(result)
    assert json.loads(json.dumps(result.to_json()))["files"] == sorted(path.name for path in Path(result.out).iterdir())


def test_existing_folder_and_other_models_are_refused(service, tmp_path):
    with pytest.raises(OutputError, match="not empty"):
        skconv.init_service("digits", service)
    with pytest.raises(SourceNotFoundError):
        skconv.init_service(tmp_path / "missing", tmp_path / "out")
    (tmp_path / "weights.pt").write_bytes(b"\x80\x02.")
    with pytest.raises(ModelFileError, match="pickle"):
        skconv.init_service(tmp_path / "weights.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_containers_have_few_rights_and_only_the_proxy_is_reachable(service):
    services = yaml.safe_load((service / "compose.yaml").read_text())["services"]
    for each in services.values():
        assert each["read_only"] is True and each["cap_drop"] == ["ALL"]
    assert "ports" not in services["skconv"] and "443:443" in services["proxy"]["ports"]


def test_commands_of_the_unit_and_the_image_parse(service):
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(service / "skconv.service")
    assert unit["Service"]["DynamicUser"] == "yes"
    stage = read_dockerfile(service / "Dockerfile")[-1]
    in_image = [*json.loads(stage["ENTRYPOINT"]), *json.loads(stage["CMD"])]
    for command in (shlex.split(unit["Service"]["ExecStart"]), in_image):
        name, *options = command[command.index("skconv") + 1 :]
        typer.main.get_command(create_app([name])).commands[name].make_context(name, options)


def read_dockerfile(path):
    """Return the stages of a Dockerfile, each with its instructions by name; COPY is a list."""
    stages = []
    text = path.read_text().replace("\\\n", "")
    for line in text.splitlines():
        instruction, _, value = line.partition(" ")
        if instruction == "FROM":
            stages.append({"COPY": []})
        if instruction == "COPY":
            stages[-1]["COPY"].append(value.split())
        elif instruction not in ("", "#"):
            stages[-1][instruction] = value.strip()
    return stages


def replay(stages, context, folder, tools):
    """Replay the steps of all stages in subfolders of `folder`; return the last one.

    `tools` is the folder of the programs python3 and pip. The working directory of the image is a subfolder instead.
    """
    places = {}
    for number, stage in enumerate(stages):
        place = folder / str(number)
        place.mkdir()
        for *sources, target in stage["COPY"]:
            origin = context
            if sources[0].startswith("--from="):
                origin = places[sources.pop(0).removeprefix("--from=")]
            for source in sources:
                for path in origin.glob(source.removeprefix(f"{stage['WORKDIR']}/")):
                    copy = shutil.copytree if path.is_dir() else shutil.copy
                    copy(path, place / (path.name if target == "./" else target))
        if "RUN" in stage:
            environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
            step = json.loads(stage["RUN"]) if stage["RUN"].startswith("[") else ["/bin/sh", "-c", stage["RUN"]]
            subprocess.run(step, cwd=place, env=environment, check=True)
        places[stage["FROM"].rpartition(" AS ")[2]] = place
    return place


@pytest.mark.slow
def test_steps_of_the_dockerfile_give_a_lean_service(service, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    tools = tmp_path / "venv" / "bin"
    stages = read_dockerfile(service / "Dockerfile")
    place = replay(stages, service, tmp_path, tools)
    last, n_bytes = stages[-1], sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert last["USER"] == "65532:65532" and n_bytes < MAX_BYTES
    assert not [name for name in ("torch", "sklearn", "skorch", "matplotlib") if (place / "packages" / name).exists()]

    name, _, value = last["ENV"].partition("=")
    environment = {"PATH": str(tools), name: value.replace(last["WORKDIR"], str(place)), "TMPDIR": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])

    def start(*command):
        here = [each.replace("8000", port).replace("0.0.0.0", "127.0.0.1") for each in command]
        return subprocess.Popen(
            [str(tools / here[0]), *here[1:]], cwd=place, env=environment, stderr=subprocess.DEVNULL
        )

    process = start(*json.loads(last["ENTRYPOINT"]), *json.loads(last["CMD"]))
    try:
        check = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
        begin = time.monotonic()
        while start(*check).wait(30) != 0:
            assert process.poll() is None and time.monotonic() < begin + 30
        body = io.BytesIO()
        Image.fromarray(np.zeros((28, 28), np.uint8)).save(body, "PNG")
        found = requests.post(f"http://127.0.0.1:{port}/v1/predict", files={"image": body.getvalue()}, timeout=30)
        assert found.json()["predictions"][0]["label"] == "nothing"
    finally:
        process.terminate()
        assert process.wait(30) == 0
