"""Exported web pages on a file server of the loopback interface."""

import contextlib
import functools
import http.server
import shutil
import threading
from typing import ClassVar

import pytest
import torch

import skconv
from skconv.exceptions import DownloadError
from skconv.model_io import InputConfig, save_model
from skconv.networks import create_network
from skconv.web_page.static_files import FILES, read_runtime

SHAPE = (3, 20, 17)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Handler that does not know the types of modules and WebAssembly, as some file servers do not."""

    extensions_map: ClassVar = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve_files(folder):
    """Serve the files of a folder; yield the URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """The folder of the package onnxruntime-web, downloaded by npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    try:
        files = read_runtime()
    except DownloadError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "dist").mkdir()
    for source, name in FILES.items():
        (folder / "dist" / source).write_bytes(files[name])
    return folder


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory, make_config, sample):
    """A small model of colour images that are padded."""
    torch.manual_seed(3)
    network = create_network("fast", in_channels=3, image_size=SHAPE[1:], num_classes=3)
    images = torch.randint(0, 256, (16, *SHAPE), dtype=torch.uint8)
    network.input_normalization.fit(images)
    folder = tmp_path_factory.mktemp("colour") / "model"
    config = make_config(input=InputConfig(*SHAPE, (0.0, 255.0), None, "pad"))
    save_model(folder, network, config, sample=images.numpy())
    return folder


@pytest.fixture(scope="session")
def open_site(runtime, tmp_path_factory):
    """Return a function that exports a model as a page, serves it, and returns its URL."""
    with contextlib.ExitStack() as servers:

        @functools.cache
        def serve(model):
            folder = tmp_path_factory.mktemp("site") / "site"
            skconv.export(model, folder, format="web", runtime=runtime)
            return servers.enter_context(serve_files(folder))

        yield serve
