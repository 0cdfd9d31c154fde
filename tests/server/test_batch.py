"""Batch requests: archives, forms, limits, streaming."""

import contextlib
import io
import json
import socket
import struct
import time
import zipfile
from urllib.parse import urlsplit

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from skconv.exceptions import DataError
from skconv.server.batch_files import FormFiles, ZipFiles
from skconv.server.settings import ServerSettings

from .conftest import run_server

ZIP = {"Content-Type": "application/zip"}
SETTINGS = ServerSettings(max_batch_images=40, max_batch_bytes=2**20, max_bytes=2**16)


def make_zip(files, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    options = ["--max-batch-images", "40", "--max-batch-megabytes", "2", "--max-megabytes", "1", "--timeout", "2"]
    with run_server(tmp_path_factory.mktemp("batches"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def files(digits, to_png):
    """Thirty images and three invalid files, as name and content."""
    images = [(f"folder/{k}.png", to_png(255 - digits[k % 10])) for k in range(30)]
    images[4:4] = [("notes.txt", b"no image")]
    images[20:20] = [("ä.png", b""), ("cut.png", images[0][1][:60])]
    return images


def send(server, content, headers=ZIP):
    response = server.post("/v1/batch", data=content, headers=headers)
    return response, [json.loads(line) for line in response.text.splitlines()]


def check_lines(lines, files):
    assert [line["input"] for line in lines] == [name for name, _ in files]
    for line in lines:
        expected = str(int(line["input"][7:-4]) % 10) if line["input"].startswith("folder") else ""
        assert line["label"] == expected
        assert ("error" in line) == (not expected)


def test_zip_returns_a_line_per_file_in_its_order(batches, files):
    skipped = [("__MACOSX/folder/._0.png", b"x"), (".DS_Store", b"x"), ("folder/", b"")]
    response, lines = send(batches, make_zip(skipped + files))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["X-Skipped-Files"] == "2"
    check_lines(lines, files)
    assert "is empty" in next(line for line in lines if line["input"] == "ä.png")["error"]
    assert batches.read_log()[-1].get("images", 33) == 33


def test_lines_equal_the_records_of_predict(batches, files):
    _, (line, *_) = send(batches, make_zip(files))
    (record,) = batches.post_image("/v1/predict", files[0][1]).json()["predictions"]
    assert {**line, "input": "image"} == record


def test_top_lists_the_most_probable_classes_of_each_file(batches, files):
    response = batches.post("/v1/batch?top=2", data=make_zip(files[:3]), headers=ZIP)
    assert [len(json.loads(line)["top"]) for line in response.text.splitlines()] == [2, 2, 2]


def test_form_returns_a_line_per_file_in_its_order(batches, files):
    response = batches.post("/v1/batch", files=[("image", file) for file in files])
    check_lines([json.loads(line) for line in response.text.splitlines()], files)


def test_archive_in_a_form_is_read(batches, files):
    response = batches.post("/v1/batch", files={"image": ("images.zip", make_zip(files))})
    check_lines([json.loads(line) for line in response.text.splitlines()], files)


@pytest.mark.parametrize(
    ("content", "kind", "status", "word"),
    [
        (b"no archive", "application/zip", 422, "not a readable ZIP"),
        (make_zip([]), "application/zip", 422, "no files"),
        (make_zip([(f"{k}.png", b"x") for k in range(41)]), "application/zip", 413, "more than 40 images"),
        (make_zip([("zeros", bytes(3 * 2**20))]), "application/zip", 413, "after decompression"),
        (bytes(2**21 + 1), "application/zip", 413, "longer than"),
        (b"x", "image/png", 415, "application/zip"),
        (b"x", "multipart/form-data", 422, "boundary"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 422, "end is missing"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "no file"),
        (b"nonsense", "multipart/form-data; boundary=x", 422, "cannot be parsed"),
    ],
)
def test_invalid_batch_is_an_error_before_the_stream(batches, content, kind, status, word):
    response = batches.post("/v1/batch", data=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert word in response.json()["detail"]


def test_slow_bodies_block_other_batches_only_until_their_timeout(batches, files):
    address = urlsplit(batches.url)
    head = "POST /v1/batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/zip\r\nContent-Length: 999\r\n\r\n"
    with contextlib.ExitStack() as stack:
        slow = []
        for _ in range(2):
            slow.append(stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=20)))
            slow[-1].sendall(head.encode() + b"PK")
        start = time.monotonic()
        assert batches.get("/livez").status_code == 200  # connections are accepted in order
        response, _ = send(batches, make_zip(files))
        assert (response.status_code, response.headers["Retry-After"]) == (429, "10")
        assert batches.post_image("/v1/predict", files[0][1]).status_code == 200
        assert all(b" 408 " in connection.recv(65536) for connection in slow)
        assert 1.5 < time.monotonic() - start < 15
    assert send(batches, make_zip(files))[0].status_code == 200


def read_members(content, settings=SETTINGS):
    files = ZipFiles(io.BytesIO(), settings)
    files.write(content)
    files.finish()
    return list(files.read_all())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_memory_limit_are_an_error_of_the_file(method):
    (_, result), (_, stored) = read_members(make_zip([("a", b"x" * 100)], method)) + read_members(
        make_zip([("b", b"y")], zipfile.ZIP_STORED)
    )
    assert isinstance(result, DataError) and "deflate" in str(result)
    assert stored.content == b"y"


def test_size_that_is_not_declared_is_not_decompressed():
    content = bytearray(make_zip([("a", bytes(2**19)), ("b", b"fine")]))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 10)
    (_, false), (_, fine) = read_members(bytes(content))
    assert isinstance(false, DataError) and "damaged" in str(false)
    assert fine.content == b"fine"


def test_encrypted_damaged_and_large_members_are_errors_of_the_file():
    content = bytearray(make_zip([("a", np.random.default_rng(0).bytes(900)), ("b", bytes(2**17)), ("c", b"fine")]))
    content[60] ^= 255  # in the compressed data
    results = dict(read_members(bytes(content)))
    assert "damaged" in str(results["a"]) and "at most 65,536" in str(results["b"]) and results["c"].content == b"fine"
    first = content.index(b"PK\x01\x02")
    content[first + 8] |= 1
    assert "encrypted" in str(dict(read_members(bytes(content)))["a"])


def test_overlapping_members_are_refused():
    content = bytearray(make_zip([("a", b"1" * 500), ("b", b"2" * 500)], zipfile.ZIP_STORED))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 10)
    with pytest.raises(HTTPException) as error:
        read_members(bytes(content))
    assert error.value.status_code in (413, 422)


def test_directory_of_a_million_entries_is_refused_before_it_is_read():
    entry = make_zip([("a", b"")])
    entry = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    size = 60_000 * len(entry)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 60_000, 60_000, size, 0, 0)
    with pytest.raises(HTTPException, match="413"):
        read_members(entry * 60_000 + end)


def test_form_in_single_bytes_gives_the_same_files():
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="%d"\r\n\r\n' % k + each + b"\r\n"
        for k, each in enumerate([b"--x", b"\r\n--", b"content\r\n", b""])
    )
    files = FormFiles(io.BytesIO(), "multipart/form-data; boundary=x", SETTINGS)
    for byte in body + b"--x--":
        files.write(bytes([byte]))
    files.finish()
    results = list(files.read_all())
    assert [name for name, _ in results] == ["0", "1", "2", "3"]
    assert [each.content for _, each in results[:3]] == [b"--x", b"\r\n--", b"content\r\n"]
    assert "empty" in str(results[3][1])
