"""Starting, logging and ending."""

import contextlib
import io
import signal
import socket
import subprocess
import sys

import pytest
import requests
from PIL import Image

from skconv.cli.main import main
from skconv.exceptions import ParameterError
from skconv.server.settings import ServerSettings

from .conftest import run_server


def test_log_holds_a_record_a_request_and_nothing_of_the_image(server, digits, to_png):
    content = to_png(digits[5])
    before = len(server.read_log())
    server.post("/v1/predict", files=[("image", ("secret-name.png", content))])
    record = server.wait_for_post(before)
    text = server.log.read_text()
    assert record["method"] == "POST"
    assert record["path"] == "/v1/predict"
    assert record["status"] == 200
    assert record["images"] == 1
    assert record["milliseconds"] > 0
    assert "secret-name" not in text


def test_log_holds_records_alone_also_of_damaged_images(server):
    stream = io.BytesIO()
    Image.new("L", (40, 30), 255).save(stream, "TIFF")
    damaged = bytearray(stream.getvalue())
    directory = int.from_bytes(damaged[4:8], "little")
    for place in range(directory + 2, len(damaged) - 12, 12):  # of each entry, how long it is
        damaged[place + 4 : place + 8] = (2**20).to_bytes(4, "little")
    before = len(server.read_log())
    assert server.post_image("/v1/predict", bytes(damaged), "image/tiff").status_code == 422
    assert server.wait_for_post(before)["status"] == 422  # whatever is no JSON would fail here


def test_termination_answers_what_was_accepted_and_exits_with_success(tmp_path, digits, to_png, write_rows):
    page = to_png(write_rows([digits[:8]]))
    with run_server(tmp_path, "--max-waiting", "6") as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(6)]
        for connection in connections:
            connection.request("POST", "/v1/read", page, {"Content-Type": "image/png"})
        # Connections are accepted in the order in which they came: this answer says that the six were.
        assert requests.get(f"{server.url}/livez", timeout=60).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert [connection.getresponse().status for connection in connections] == [200] * 6
        assert server.process.wait(20) == 0


def test_two_processes_answer_behind_one_port_and_count_together(tmp_path, digits, to_png):
    with run_server(tmp_path, "--workers", "2") as server:
        content = to_png(digits[3])
        for _ in range(10):  # a connection each, so that both have a chance
            assert server.post_image("/v1/predict", content).status_code == 200
        metrics = requests.get(f"{server.url}/metrics", timeout=60).text
        assert 'skconv_requests_total{path="/v1/predict",status="200"} 10' in metrics
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_port_in_use_is_told_in_a_line(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "--port" in capsys.readouterr().err


def test_missing_model_is_told_before_anything_is_listened_on(capsys, tmp_path):
    assert main(["serve", str(tmp_path / "none")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "No model at" in shown.err


def test_missing_packages_are_named_with_the_command_that_installs_them():
    code = (
        "import sys\n"
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'fastapi' else found(name, *a)\n"
        "from skconv.cli.main import main\n"
        "sys.exit(main(['serve']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "pip install 'skconv[serve]'" in ran.stderr


@pytest.mark.parametrize("limit", ["max_bytes", "max_pixels", "max_images", "max_waiting", "timeout"])
@pytest.mark.parametrize("value", [0, -1, True, None, float("nan"), "5"])
def test_limit_that_is_no_number_of_at_least_one_is_refused(limit, value):
    with pytest.raises(ParameterError, match=limit):
        ServerSettings(**{limit: value})
