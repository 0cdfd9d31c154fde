"""Files that commands write and connections that they open, watched by an audit hook and by strace."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        os.write(2, f"WATCHED {event} {arguments[1:]}\\n".encode())
    elif event == "open" and isinstance(arguments[0], str) and arguments[2] & 3 and arguments[0] != "/dev/null":
        os.write(2, f"WATCHED open {arguments[0]}\\n".encode())
sys.addaudithook(watch)
from skconv.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def surroundings(tmp_path):
    """Folders `home` and `work` with an image, and the environment for a process."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(work / "image.png")
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "TMPDIR": str(work),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    return home, work, environment


def list_other(lines, home, work):
    """Return the watched events except files in the folders and matplotlib's cache."""
    allowed = (str(work), str(home / "cache" / "skconv"), "run", "answers.csv", ".skconv-")
    watched = [line for line in lines if line.startswith("WATCHED")]
    other = [line for line in watched if not line.removeprefix("WATCHED open ").startswith(allowed)]
    return [line for line in other if "matplotlib" not in line]


def test_predict_and_train_write_only_named_outputs_and_open_no_connection(surroundings, tiny_recipe):
    home, work, environment = surroundings
    for arguments in (
        ["predict", "digits", "image.png", "--out", "answers.csv"],
        ["train", "digits", "--recipe", str(tiny_recipe), "--out", "run"],
    ):
        command = [sys.executable, "-c", WATCH, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=work, check=True)
        assert list_other(result.stderr.splitlines(), home, work) == []
    written = {path.relative_to(home).parts[:2] for path in Path(home).rglob("*") if path.is_file()}
    assert written <= {("cache", "skconv"), ("cache", "matplotlib")}


def serve_and_predict(prefix, home, work, environment):
    """Run `skconv serve` with a command prefix, send one image, and return its lines on standard error."""
    with (work / "log").open("w") as log:
        command = [*prefix, "serve", "--port", "0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=work)
    try:
        url = json.loads(process.stdout.readline())["url"]
        image, header = (work / "image.png").read_bytes(), {"Content-Type": "image/png"}
        assert requests.post(f"{url}/v1/predict", image, headers=header, timeout=60).status_code == 200
    finally:
        process.terminate()
        assert process.wait(30) == 0
    return (work / "log").read_text().splitlines()


def test_serve_writes_only_temporary_files_and_opens_no_connection(surroundings):
    home, work, environment = surroundings
    lines = serve_and_predict([sys.executable, "-c", WATCH], home, work, environment)
    assert list_other(lines, home, work) == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert {path.name for path in work.iterdir()} == {"image.png", "log"}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_of_predict_shows_no_connection_and_no_other_file(surroundings):
    home, work, environment = surroundings
    trace = work / "trace"
    calls = "trace=connect,sendto,openat,creat,mkdir,rename"
    prefix = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), sys.executable, "-m", "skconv"]
    arguments = ["predict", "digits", "image.png", "--out", "answers.csv"]
    subprocess.run([*prefix, *arguments], env=environment, cwd=work, check=True, capture_output=True)
    lines = [line.partition(" ")[2].strip() for line in trace.read_text().splitlines()]
    writes = [
        line for line in lines if re.match(r"(connect|sendto|creat|mkdir|rename)|openat.*O_(WRONLY|RDWR|CREAT)", line)
    ]
    assert any("answers.csv" in line for line in writes)  # the trace is complete
    allowed = ("answers.csv", ".skconv-", "/dev/null", str(work), str(home / "cache" / "skconv"))
    assert [line for line in writes if not any(name in line for name in allowed)] == []
