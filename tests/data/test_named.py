"""Named data sets: the places looked through, in order, and what is verified."""

import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from skconv.data.catalog import CatalogEntry, CatalogFile, get_entry, list_datasets
from skconv.data.sources import load_dataset, load_entry
from skconv.exceptions import DataError, SourceNotFoundError, UnknownNameError


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
    assert len(server.asked) == 4


def test_load_entry_data_home_goes_before_cache_and_network(cache, server, entry, samples, tmp_path, monkeypatch):
    samples.idx_folder(cache / "tiny")
    home = samples.idx_folder(tmp_path / "home" / "tiny", compressed=False)
    assert load_entry(entry, data_home=tmp_path / "home").source == str(home)
    monkeypatch.setenv("SKCONV_DATA", str(tmp_path / "home"))
    assert load_entry(entry).source == str(home)
    monkeypatch.delenv("SKCONV_DATA")
    assert load_entry(entry).source == str(cache / "tiny")
    assert server.asked == []


def test_load_entry_system_folder_goes_before_the_network(cache, server, entry, samples, tmp_path):
    system = samples.idx_folder(tmp_path / "usr" / "share" / "tiny")
    assert load_entry(replace(entry, system_folders=(str(system),))).source == str(system)
    assert server.asked == []


def test_load_entry_other_content_in_the_data_home_is_told_not_passed_over(cache, entry, samples, tmp_path):
    home = samples.idx_folder(tmp_path / "home" / "tiny")
    (home / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(samples.idx(np.zeros(10, np.uint8))))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz holds other bytes"):
        load_entry(entry, data_home=tmp_path / "home")


def test_load_entry_damaged_file_in_the_cache_is_fetched_again(cache, server, entry, samples):
    samples.idx_folder(cache / "tiny")
    damaged = cache / "tiny" / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    np.testing.assert_array_equal(load_entry(entry).train_images, samples.images(20))
    assert server.asked == ["/train-images-idx3-ubyte.gz"]


def test_load_entry_not_found_names_every_place_tried(cache, server, entry, tmp_path):
    server.logit_calibration.clear()
    (tmp_path / "home").mkdir()
    entry = replace(entry, system_folders=("/usr/share/datasets/tiny",))
    with pytest.raises(SourceNotFoundError) as caught:
        load_entry(entry, data_home=tmp_path / "home")
    message = str(caught.value)
    for place in (tmp_path / "home" / "tiny", cache / "tiny", "/usr/share/datasets/tiny", server.address):
        assert str(place) in message
    assert "404" in message and "SKCONV_DATA" in message and "\n" not in message
    assert list((cache / "tiny").iterdir()) == []


def test_load_entry_wrong_bytes_from_the_network_reach_nobody(cache, server, entry):
    server.put("/train-images-idx3-ubyte.gz", gzip.compress(b"other"))
    with pytest.raises(SourceNotFoundError, match="other bytes than expected"):
        load_entry(entry)
    assert list((cache / "tiny").iterdir()) == []


def test_load_entry_without_download_stays_off_the_network(cache, server, entry):
    with pytest.raises(SourceNotFoundError, match="not asked for"):
        load_entry(entry, download=False)
    assert server.asked == []


def test_load_dataset_bundled_mnist_is_mnist(cache):
    dataset = load_dataset("mnist", download=False)
    assert dataset.train_images.shape == (60000, 28, 28) and dataset.test_images.shape == (10000, 28, 28)
    assert dataset.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(dataset.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert dataset.licence == "CC BY-SA 3.0"


def test_load_dataset_digits_are_scikit_learns():
    dataset = load_dataset("digits")
    assert dataset.train_images.shape == (1797, 8, 8)
    assert dataset.test_images is None


def test_load_dataset_digits_use_the_range_of_image_files():
    levels = np.unique(load_dataset("digits").train_images)
    assert len(levels) == 17
    assert (levels.min(), levels[1], levels.max()) == (0, 16, 255)


def test_get_entry_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'fashion-mnist'"):
        get_entry("fashon-mnist")


@pytest.mark.parametrize("name", list_datasets())
def test_catalog_entries_are_complete(name):
    entry = get_entry(name)
    assert entry.title and entry.licence and len(entry.class_names) >= 2
    assert entry.files or entry.form == "scikit-learn" or entry.made_from in list_datasets()
    for file in entry.files:
        assert len(file.sha256) == 64
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
def test_load_dataset_named_sets_verify_and_load(data_home, name, shape, n_test):
    dataset = load_dataset(name, data_home=data_home, download=False)
    assert dataset.name == name
    assert dataset.train_images.shape == shape and len(dataset.test_images) == n_test
    assert dataset.train_images.min() == 0 and dataset.train_images.max() == 255


@pytest.mark.data
def test_load_dataset_both_forms_of_usps_hold_the_same_digits(data_home):
    libsvm, esl = (load_dataset(name, data_home=data_home, download=False) for name in ("usps", "usps-esl"))
    np.testing.assert_array_equal(libsvm.train_labels, esl.train_labels)
    np.testing.assert_array_equal(libsvm.test_labels, esl.test_labels)
    correlations = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1]
        for one, other in zip(libsvm.train_images[:200], esl.train_images[:200], strict=True)
    ]
    assert 0.9 < np.median(correlations) < 0.999
