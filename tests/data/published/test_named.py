"""Named data sets: the folders searched, in order; downloads from a local server, verified."""

import gzip
import hashlib
import threading
from dataclasses import replace

import numpy as np
import pytest

from skconv.data.catalog.lookup import CatalogEntry, CatalogFile, get_entry, list_datasets
from skconv.data.loading import load_dataset
from skconv.data.published.named import download_file, load_entry
from skconv.exceptions import DataError, DownloadError, OutputError, SourceNotFoundError, UnknownNameError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def entry(server, samples):
    files = samples.idx_files()
    return CatalogEntry(
        name="tiny",
        title="a small set",
        licence="MIT",
        class_names=tuple("abcdefghij"),
        form="idx",
        files=tuple(
            CatalogFile(name, hashlib.sha256(content).hexdigest(), (server.put(f"/{name}.gz", gzip.compress(content)),))
            for name, content in files.items()
        ),
    )


def test_load_entry_downloads_once_into_the_cache(cache, server, entry, samples):
    first = load_entry(entry)
    np.testing.assert_array_equal(first.train_images, samples.images(20))
    assert first.class_names == tuple("abcdefghij") and first.licence == "MIT"
    assert sorted(path.name for path in (cache / "tiny").iterdir()) == sorted(f"{f.name}.gz" for f in entry.files)
    assert load_entry(entry, download=False).fingerprint == first.fingerprint
    assert len(server.requests) == 4


def test_load_entry_prefers_data_home_to_cache_and_network(cache, server, entry, samples, tmp_path, monkeypatch):
    samples.idx_folder(cache / "tiny")
    home = samples.idx_folder(tmp_path / "home" / "tiny", compressed=False)
    assert load_entry(entry, data_home=tmp_path / "home").source == str(home)
    monkeypatch.setenv("SKCONV_DATA", str(tmp_path / "home"))
    assert load_entry(entry).source == str(home)
    monkeypatch.delenv("SKCONV_DATA")
    assert load_entry(entry).source == str(cache / "tiny")
    assert server.requests == []


def test_load_entry_prefers_system_folder_to_network(cache, server, entry, samples, tmp_path):
    system = samples.idx_folder(tmp_path / "usr" / "share" / "tiny")
    assert load_entry(replace(entry, system_folders=(str(system),))).source == str(system)
    assert server.requests == []


def test_load_entry_rejects_wrong_checksum_in_data_home(cache, entry, samples, tmp_path):
    home = samples.idx_folder(tmp_path / "home" / "tiny")
    (home / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(samples.idx(np.zeros(10, np.uint8))))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz has other content"):
        load_entry(entry, data_home=tmp_path / "home")


def test_load_entry_downloads_damaged_file_in_cache_again(cache, server, entry, samples):
    samples.idx_folder(cache / "tiny")
    damaged = cache / "tiny" / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    np.testing.assert_array_equal(load_entry(entry).train_images, samples.images(20))
    assert server.requests == ["/train-images-idx3-ubyte.gz"]


def test_load_entry_error_lists_every_location(cache, server, entry, tmp_path):
    server.responses.clear()
    (tmp_path / "home").mkdir()
    entry = replace(entry, system_folders=("/usr/share/datasets/tiny",))
    with pytest.raises(SourceNotFoundError) as caught:
        load_entry(entry, data_home=tmp_path / "home")
    message = str(caught.value)
    for place in (tmp_path / "home" / "tiny", cache / "tiny", "/usr/share/datasets/tiny", server.address):
        assert str(place) in message
    assert "404" in message and "SKCONV_DATA" in message and "\n" not in message
    assert list((cache / "tiny").iterdir()) == []


def test_load_entry_rejects_wrong_download(cache, server, entry):
    server.put("/train-images-idx3-ubyte.gz", gzip.compress(b"other"))
    with pytest.raises(SourceNotFoundError, match="other content"):
        load_entry(entry)
    assert list((cache / "tiny").iterdir()) == []


def test_load_entry_without_download_sends_no_request(cache, server, entry):
    with pytest.raises(SourceNotFoundError, match="download=False"):
        load_entry(entry, download=False)
    assert server.requests == []


def test_load_dataset_reads_bundled_mnist(cache):
    dataset = load_dataset("mnist", download=False)
    assert dataset.train_images.shape == (60000, 28, 28) and dataset.test_images.shape == (10000, 28, 28)
    assert dataset.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(dataset.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert dataset.licence == "CC BY-SA 3.0"


def test_load_dataset_reads_scikit_learn_digits():
    dataset = load_dataset("digits")
    assert dataset.train_images.shape == (1797, 8, 8)
    assert dataset.test_images is None


def test_load_dataset_digits_are_scaled_to_0_255():
    levels = np.unique(load_dataset("digits").train_images)
    assert len(levels) == 17
    assert (levels.min(), levels[1], levels.max()) == (0, 16, 255)


def test_get_entry_suggests_nearest_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'fashion-mnist'"):
        get_entry("fashon-mnist")


def test_catalog_entries_are_complete():
    for name in list_datasets():
        check_entry(get_entry(name))


def check_entry(entry):
    assert entry.title and entry.licence and len(entry.class_names) >= 2
    assert entry.files or entry.form == "scikit-learn" or entry.made_from in list_datasets()
    for file in entry.files:
        assert (len(file.sha256) == 64) != bool(file.checksum)
        assert file.addresses or entry.openml


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "n_test"),
    [
        ("mnist", (60000, 28, 28), 10000),
        ("fashion-mnist", (60000, 28, 28), 10000),
        ("usps", (7291, 16, 16), 2007),
        ("usps-esl", (7291, 16, 16), 2007),
    ],
)
def test_load_dataset_reads_named_sets(data_home, name, shape, n_test):
    dataset = load_dataset(name, data_home=data_home, download=False)
    assert dataset.name == name
    assert dataset.train_images.shape == shape and len(dataset.test_images) == n_test
    assert dataset.train_images.min() == 0 and dataset.train_images.max() == 255


@pytest.mark.data
def test_load_dataset_both_forms_of_usps_have_the_same_digits(data_home):
    libsvm, esl = (load_dataset(name, data_home=data_home, download=False) for name in ("usps", "usps-esl"))
    np.testing.assert_array_equal(libsvm.train_labels, esl.train_labels)
    np.testing.assert_array_equal(libsvm.test_labels, esl.test_labels)
    correlations = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1]
        for one, other in zip(libsvm.train_images[:200], esl.train_images[:200], strict=True)
    ]
    assert 0.9 < np.median(correlations) < 0.999


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "set" / "file.gz"


def assert_nothing_left(target):
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("body", [PACKED, CONTENT], ids=["packed", "raw"])
def test_download_file_writes_verified_file(server, target, body):
    address = server.put("/file.gz", body)
    assert download_file(CatalogFile("file", SHA256, (address,)), target) == address
    assert target.read_bytes() == body
    assert list(target.parent.iterdir()) == [target]


def test_download_file_retries_truncated_response(server, target, truncated):
    address = server.put("/file.gz", truncated(PACKED), PACKED)
    download_file(CatalogFile("file", SHA256, (address,)), target)
    assert target.read_bytes() == PACKED
    assert len(server.requests) == 2


def test_download_file_retries_truncated_gzip(server, target):
    address = server.put("/file.gz", PACKED[: len(PACKED) // 2], PACKED)
    download_file(CatalogFile("file", SHA256, (address,)), target)
    assert target.read_bytes() == PACKED


def test_download_file_gives_up_after_three_attempts(server, target, truncated):
    address = server.put("/file.gz", truncated(PACKED))
    with pytest.raises(DownloadError, match="interrupted"):
        download_file(CatalogFile("file", SHA256, (address,)), target)
    assert len(server.requests) == 3
    assert_nothing_left(target)


@pytest.mark.parametrize(
    "body", [gzip.compress(b"something else"), b"<html>please log in</html>", b""], ids=["gzip", "page", "empty"]
)
def test_download_file_rejects_wrong_content_without_retry(server, target, body):
    address = server.put("/file.gz", body)
    with pytest.raises(DownloadError, match="other content"):
        download_file(CatalogFile("file", SHA256, (address,)), target)
    assert len(server.requests) == 1
    assert_nothing_left(target)


def test_download_file_does_not_retry_404(server, target):
    with pytest.raises(DownloadError, match=r"nothing\.gz .*404"):
        download_file(CatalogFile("file", SHA256, (f"{server.address}/nothing.gz",)), target)
    assert len(server.requests) == 1
    assert_nothing_left(target)


def test_download_file_tries_next_address(server, target):
    good = server.put("/good.gz", PACKED)
    bad = server.put("/bad.gz", b"other")
    file = CatalogFile("file", SHA256, (f"{server.address}/nothing.gz", bad, good))
    assert download_file(file, target) == good


def test_download_file_times_out(server, target):
    stop = threading.Event()
    address = server.put("/file.gz", lambda handler: stop.wait(10))
    try:
        with pytest.raises(DownloadError, match=r"0\.2 seconds"):
            download_file(CatalogFile("file", SHA256, (address,)), target, timeout=0.2)
    finally:
        stop.set()
    assert_nothing_left(target)


def test_download_file_waits_for_slow_server(server, target):
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


def test_download_file_reports_connection_failure(server, target):
    address = server.put("/file.gz", PACKED)
    server.http.server_close()
    with pytest.raises(DownloadError, match="connection failed"):
        download_file(CatalogFile("file", SHA256, (address,)), target)


def test_download_file_failure_leaves_existing_file(server, target):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"old")
    with pytest.raises(DownloadError):
        download_file(CatalogFile("file", SHA256, (server.put("/file.gz", b"new"),)), target)
    assert target.read_bytes() == b"old"


def test_download_file_rejects_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cache"):
        download_file(CatalogFile("file", SHA256, (server.put("/f", PACKED),)), tmp_path / "cache" / "set" / "f")
