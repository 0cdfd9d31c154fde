"""A real service in a process of its own, on a free port of the loopback."""

import contextlib
import http.client
import io
import json
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
    """A running service: its process, its address and the file of its log."""

    process: subprocess.Popen
    url: str
    log: Path

    def post(self, path, **arguments):
        return requests.post(self.url + path, timeout=60, **arguments)

    def post_image(self, path, content, kind="image/png"):
        return self.post(path, data=content, headers={"Content-Type": kind})

    def connect(self):
        """Return a connection of which a request may be sent now and its answer taken later."""
        return contextlib.closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60))

    def wait_for_post(self, before):
        """Return the next record of a POST after so many records; it is written when the answer has been sent."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            for record in self.read_log()[before:]:
                if record["method"] == "POST":
                    return record
            time.sleep(0.01)
        raise AssertionError("No record of a POST came.")

    def read_log(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextlib.contextmanager
def run_server(folder, *options):
    log = folder / "access.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "skconv", "serve", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
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
    """Ask until the model is warm; the port takes connections before that."""
    for _ in range(300):
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{server.url}/readyz", timeout=60).status_code == 200:
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
    """One test image of MNIST a class, light on dark, uint8 (10, 28, 28)."""
    mnist = skconv.load_dataset("mnist")
    firsts = [int(np.flatnonzero(mnist.test_labels == label)[0]) for label in range(10)]
    return mnist.test_images[firsts]


@pytest.fixture(scope="session")
def to_png():
    """Return a function that makes the bytes of a PNG file of an array."""

    def make(array, kind="PNG"):
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, kind)
        return stream.getvalue()

    return make
