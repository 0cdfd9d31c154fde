"""Downloads from a server on this machine, that behaves or does not."""

import gzip
import hashlib
import threading

import pytest

from skconv.data.catalog import CatalogFile
from skconv.data.downloads import download_file
from skconv.exceptions import DownloadError, OutputError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "set" / "file.gz"


def assert_nothing_left(target):
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("body", [PACKED, CONTENT], ids=["packed", "raw"])
def test_download_file_brings_whole_verified_file(server, target, body):
    address = server.put("/file.gz", body)
    assert download_file(CatalogFile("file", SHA256, (address,)), target) == address
    assert target.read_bytes() == body
    assert list(target.parent.iterdir()) == [target]


def test_download_file_cut_off_is_tried_again(server, target, cut_off):
    address = server.put("/file.gz", cut_off(PACKED), PACKED)
    download_file(CatalogFile("file", SHA256, (address,)), target)
    assert target.read_bytes() == PACKED
    assert len(server.asked) == 2


def test_download_file_half_a_file_announced_as_whole_is_tried_again(server, target):
    address = server.put("/file.gz", PACKED[: len(PACKED) // 2], PACKED)
    download_file(CatalogFile("file", SHA256, (address,)), target)
    assert target.read_bytes() == PACKED


def test_download_file_always_cut_off_gives_up_and_leaves_nothing(server, target, cut_off):
    address = server.put("/file.gz", cut_off(PACKED))
    with pytest.raises(DownloadError, match="broke off"):
        download_file(CatalogFile("file", SHA256, (address,)), target)
    assert len(server.asked) == 3
    assert_nothing_left(target)


@pytest.mark.parametrize(
    "body", [gzip.compress(b"something else"), b"<html>please log in</html>", b""], ids=["gzip", "page", "empty"]
)
def test_download_file_other_bytes_are_refused_and_leave_nothing(server, target, body):
    address = server.put("/file.gz", body)
    with pytest.raises(DownloadError, match="other bytes than expected"):
        download_file(CatalogFile("file", SHA256, (address,)), target)
    assert len(server.asked) == 1
    assert_nothing_left(target)


def test_download_file_missing_file_is_asked_for_once(server, target):
    with pytest.raises(DownloadError, match=r"nothing\.gz answers with error 404"):
        download_file(CatalogFile("file", SHA256, (f"{server.address}/nothing.gz",)), target)
    assert len(server.asked) == 1
    assert_nothing_left(target)


def test_download_file_goes_on_to_the_next_address(server, target):
    good = server.put("/good.gz", PACKED)
    bad = server.put("/bad.gz", b"other")
    file = CatalogFile("file", SHA256, (f"{server.address}/nothing.gz", bad, good))
    assert download_file(file, target) == good


def test_download_file_silent_server_is_given_up(server, target):
    stop = threading.Event()
    address = server.put("/file.gz", lambda handler: stop.wait(10))
    try:
        with pytest.raises(DownloadError, match=r"sent nothing for 0\.2 seconds"):
            download_file(CatalogFile("file", SHA256, (address,)), target, timeout=0.2)
    finally:
        stop.set()
    assert_nothing_left(target)


def test_download_file_slow_but_steady_server_is_waited_for(server, target):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PACKED)))
        handler.end_headers()
        pause = threading.Event()
        for start in range(0, len(PACKED), 64):
            handler.wfile.write(PACKED[start : start + 64])
            handler.wfile.flush()
            pause.wait(0.05)

    address = server.put("/file.gz", drip)
    download_file(CatalogFile("file", SHA256, (address,)), target, timeout=0.5)
    assert target.read_bytes() == PACKED


def test_download_file_unreachable_server_is_told(server, target):
    address = server.put("/file.gz", PACKED)
    server.http.server_close()
    with pytest.raises(DownloadError, match="cannot be reached"):
        download_file(CatalogFile("file", SHA256, (address,)), target)


def test_download_file_failure_leaves_the_old_file(server, target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"old")
    with pytest.raises(DownloadError):
        download_file(CatalogFile("file", SHA256, (server.put("/file.gz", b"new"),)), target)
    assert target.read_bytes() == b"old"


def test_download_file_folder_that_cannot_be_made_is_told(server, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="Cannot make the folder"):
        download_file(CatalogFile("file", SHA256, (server.put("/f", PACKED),)), tmp_path / "cache" / "set" / "f")
