"""Running service in a separate process, on a free port of the loopback interface."""

import contextlib
import http.client
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from PIL import Image

import skconv


@dataclass
class RunningServer:
    """Process, URL and log file of a running service."""

    process: subprocess.Popen
    url: str
    log: Path

    def get(self, path):
        return requests.get(self.url + path, timeout=60)

    def post(self, path, **arguments):
        return requests.post(self.url + path, timeout=60, **arguments)

    def post_image(self, path, content, content_type="image/png"):
        return self.post(path, data=content, headers={"Content-Type": content_type})

    def connect(self):
        """Return a connection, so that a test can send a request now and receive its response later."""
        return contextlib.closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60))

    def wait_for_post(self, start):
        """Return the first log record of a POST from index `start`; it is written after the response was sent."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for record in self.read_log()[start:]:
                if record["method"] == "POST":
                    return record
            time.sleep(0.01)
        raise AssertionError("The log has no record of the POST.")

    def read_log(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.contextmanager
def run_server(folder, *options):
    """Start `skconv serve`; its log and its temporary files are in `folder`."""
    log = folder / "access.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "skconv", "serve", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env={**os.environ, "TMPDIR": str(folder.resolve())},
        )
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        server = RunningServer(process, json.loads(line)["url"], log)
        wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_ready(server):
    """Wait until the model is ready; the port accepts connections before that."""
    for _ in range(300):
        with contextlib.suppress(requests.ConnectionError):
            if server.get("/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(server.log.read_text())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A service of the bundled model with small limits."""
    options = ["--max-images", "3", "--max-megabytes", "1", "--max-megapixels", "1", "--max-waiting", "2"]
    with run_server(tmp_path_factory.mktemp("server"), *options) as running:
        yield running


@pytest.fixture(scope="session")
def digits():
    """One MNIST test image per class, light on dark, uint8 (10, 28, 28)."""
    mnist = skconv.load_dataset("mnist")
    firsts = [int(np.flatnonzero(mnist.test_labels == label)[0]) for label in range(10)]
    return mnist.test_images[firsts]


@pytest.fixture(scope="session")
def to_png():
    """Return a function that encodes an array as PNG."""

    def encode(array):
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, "PNG")
        return stream.getvalue()

    return encode
