"""Start, access log and shutdown of the server process."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from skconv.cli.main import main
from skconv.exceptions import ParameterError
from skconv.server.settings import ServerSettings

from .conftest import run_server


def test_log_has_a_record_per_request_without_image_or_name(server, digits, to_png):
    start = len(server.read_log())
    server.post("/v1/predict", files=[("image", ("secret-name.png", to_png(digits[5])))])
    record = server.wait_for_post(start)
    assert record["method"] == "POST"
    assert record["path"] == "/v1/predict"
    assert record["status"] == 200
    assert record["images"] == 1
    assert record["milliseconds"] > 0
    assert "secret-name" not in server.log.read_text()


def test_log_has_only_records_after_a_damaged_image(server):
    stream = io.BytesIO()
    Image.new("L", (40, 30), 255).save(stream, "TIFF")
    damaged = bytearray(stream.getvalue())
    directory = int.from_bytes(damaged[4:8], "little")
    for entry in range(directory + 2, len(damaged) - 12, 12):
        damaged[entry + 4 : entry + 8] = (2**20).to_bytes(4, "little")  # the number of values
    start = len(server.read_log())
    assert server.post_image("/v1/predict", bytes(damaged), "image/tiff").status_code == 422
    assert server.wait_for_post(start)["status"] == 422  # fails on a line that is not JSON


def test_sigterm_completes_accepted_requests_and_exits_with_0(tmp_path, digits, to_png, write_rows):
    page = to_png(write_rows([digits[:8]]))
    with run_server(tmp_path, "--max-waiting", "6") as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(6)]
        for connection in connections:
            connection.request("POST", "/v1/read", page, {"Content-Type": "image/png"})
        # Connections are accepted in order, so the previous six are accepted before this response.
        assert server.get("/livez").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert [connection.getresponse().status for connection in connections] == [200] * 6
        assert server.process.wait(20) == 0


def test_workers_share_metrics_that_outlive_a_killed_worker(tmp_path, digits, to_png):
    total = 'skconv_requests_total{path="/v1/predict",status="200"}'
    with run_server(tmp_path, "--workers", "2") as server:
        content = to_png(digits[3])
        for _ in range(10):  # each on its own connection, so that either worker may accept it
            assert server.post_image("/v1/predict", content).status_code == 200
        assert f"{total} 10" in server.get("/metrics").text
        (folder,) = tmp_path.glob("skconv-serve-*")
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if children.exists():
            workers = {int(file.stem.split("_")[1]) for file in folder.glob("counter_*.db")} - {server.process.pid}
            victim = max(workers & set(map(int, children.read_text().split())))
            os.kill(victim, signal.SIGKILL)
            _wait_for(lambda: len(list(folder.glob("counter_*.db"))) == 4)  # parent, two workers, the new worker
        assert f"{total} 10" in server.get("/metrics").text
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert not folder.exists()


def _wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_port_in_use_is_an_error_that_names_the_option(capsys):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert main(["serve", "--port", str(listener.getsockname()[1])]) == 1
    assert "--port" in capsys.readouterr().err


def test_missing_model_is_an_error_before_listening(capsys, tmp_path):
    assert main(["serve", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No model at" in captured.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--coverage", "0.9"], "saved without predictions of held-out images"),
        (["--coverage", "1"], "coverage"),
        (["--keys", "no-keys.txt"], "no-keys.txt"),
        (["--max-rate", "5"], "--keys"),
        (["--root-path", "models"], "root_path"),
        (["--host", ""], "--host"),
    ],
)
def test_option_that_cannot_be_used_is_an_error_before_listening(capsys, saved_model, options, words):
    assert main(["serve", str(saved_model), *options]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and words in captured.err


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_key_file_that_others_can_read_is_a_note(tmp_path):
    keys = tmp_path / "keys.txt"
    keys.write_text("lab key-of-the-laboratory")
    keys.chmod(0o644)
    with run_server(tmp_path, "--keys", str(keys)) as server:
        first = server.log.read_text().splitlines()[0]
        assert first.startswith("Note:") and "chmod 600" in first


def test_missing_package_is_an_error_with_the_install_command():
    code = (
        "import sys\n"
        "import importlib.util\n"
        "find_spec = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'starlette' else find_spec(name, *a)\n"
        "from skconv.cli.main import main\n"
        "sys.exit(main(['serve']))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "pip install 'skconv[serve]'" in process.stderr


@pytest.mark.parametrize("limit", ["max_bytes", "max_pixels", "max_images", "max_waiting", "timeout"])
def test_settings_limit_below_one_raises(limit):
    with pytest.raises(ParameterError, match=limit):
        ServerSettings(**{limit: 0})


@pytest.mark.parametrize("value", [-1, True, None, float("nan"), "5"])
def test_settings_limit_of_another_type_raises(value):
    with pytest.raises(ParameterError, match="max_bytes"):
        ServerSettings(max_bytes=value)
