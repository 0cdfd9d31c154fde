"""Files that commands write and connections that they open, watched by an audit hook."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def test_predict_and_train_write_only_named_outputs_and_open_no_connection(tmp_path, tiny_recipe):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(work / "image.png")
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    for arguments in (
        ["predict", "digits", "image.png", "--out", "answers.csv"],
        ["train", "digits", "--recipe", str(tiny_recipe), "--out", "run"],
    ):
        command = [sys.executable, "-c", WATCH, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=work, check=True)
        watched = [line for line in result.stderr.splitlines() if line.startswith("WATCHED")]
        allowed = (str(work), str(home / "cache" / "skconv"), "run", "answers.csv", ".skconv-")
        other = [line for line in watched if not line.removeprefix("WATCHED open ").startswith(allowed)]
        assert [line for line in other if "matplotlib" not in line] == []
    written = {path.relative_to(home).parts[:2] for path in Path(home).rglob("*") if path.is_file()}
    assert written <= {("cache", "skconv"), ("cache", "matplotlib")}
