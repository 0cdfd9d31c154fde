"""Small data in every format, and a web server on this machine."""

import gzip
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.data.splits import Splits

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each path with what a test has put there, and remembers what was asked for."""

    def __init__(self) -> None:
        self.logit_calibration: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                answers = server.logit_calibration.get(self.path, [])
                if not answers:
                    self.send_error(404)
                    return
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path: str, *answers: bytes | Answer) -> str:
        """Answer `path` with each of `answers` in turn and the last for ever; return its address."""
        self.logit_calibration[path] = [send(each) if isinstance(each, bytes) else each for each in answers]
        return self.address + path


def send(content: bytes, cut: int | None = None, status: int = 200) -> Answer:
    """Return an answer that announces `content` whole and sends `cut` bytes of it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:cut])

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server on the loopback interface."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no data home."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(folder))
    monkeypatch.delenv("SKCONV_DATA", raising=False)
    return folder


class Samples:
    """Makes small data; a fixture, because tests cannot import from each other."""

    @staticmethod
    def images(n: int, height: int = 8, width: int = 8) -> np.ndarray:
        """Return n different grey images."""
        return np.random.default_rng(0).integers(0, 256, (n, height, width), dtype=np.uint8)

    @staticmethod
    def idx(array: np.ndarray) -> bytes:
        """Return an array of uint8 as an IDX file."""
        return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

    def idx_files(self, n_train: int = 20, n_test: int = 10) -> dict[str, bytes]:
        """Return the four files of MNIST, small, by name without .gz."""
        files = {}
        for split, n in (("train", n_train), ("t10k", n_test)):
            files[f"{split}-images-idx3-ubyte"] = self.idx(self.images(n))
            files[f"{split}-labels-idx1-ubyte"] = self.idx((np.arange(n) % 10).astype(np.uint8))
        return files

    def idx_folder(self, folder: Path, *, compressed: bool = True) -> Path:
        """Write the four files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.idx_files().items():
            path = folder / (f"{name}.gz" if compressed else name)
            path.write_bytes(gzip.compress(content) if compressed else content)
        return folder

    def class_folders(self, folder: Path, *classes: str, n: int = 2, height: int = 8, width: int = 8) -> Path:
        """Write n PNG files for each class."""
        for name in classes:
            (folder / name).mkdir(parents=True)
            for index, image in enumerate(self.images(n, height, width)):
                Image.fromarray(image).save(folder / name / f"{index}.png")
        return folder

    def csv(self, path: Path, n: int = 6, *, n_pixels: int = 64, header: bool = True, label: bool = True) -> Path:
        """Write a CSV of pixels as Kaggle has them, labels 0, 1, 2, 0, 1, …"""
        names = ["label"] * label + [f"pixel{index}" for index in range(n_pixels)]
        pixels = np.random.default_rng(0).integers(0, 256, (n, n_pixels))
        rows = [[index % 3] * label + row.tolist() for index, row in enumerate(pixels)]
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in [names] * header + rows))
        return path


@pytest.fixture
def samples() -> Samples:
    """Small data in every format."""
    return Samples()


@pytest.fixture(scope="session")
def digits() -> Splits:
    """A hundred digits, seventy of them for training."""
    from sklearn.datasets import load_digits

    images, labels = load_digits().images.astype(np.uint8), [str(label) for label in load_digits().target]
    return Splits(images[:70], labels[:70], images[70:100], labels[70:100])


@pytest.fixture
def make_competition(tmp_path: Path, digits: Splits) -> Callable[[str], Path]:
    """Return a function that makes a competition of the digits, in the form of the competition named."""
    from skconv.competitions.making import write_competition

    def make(name: str) -> Path:
        write_competition(name, tmp_path / name, digits)
        return tmp_path / name

    return make


@pytest.fixture
def cut_off() -> Callable[[bytes], Answer]:
    """Return an answer that announces its content whole and sends half of it."""
    return lambda content: send(content, cut=len(content) // 2)
