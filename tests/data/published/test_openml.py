"""OpenML: conversion of tables, and scikit-learn's client against a local server."""

import hashlib
import json

import numpy as np
import pytest
import sklearn.datasets._openml as client
from scipy.sparse import csr_array

from skconv.data.loading import load_dataset
from skconv.data.published.openml import convert_table
from skconv.exceptions import DataError, DownloadError, SourceNotFoundError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16))
LABELS = ["1", "2", "10", "1", "2", "10"]


@pytest.fixture
def openml(server, cache, monkeypatch):
    """Return a local replacement of openml.org with one data set, 'tiny', number 7."""
    for name in ("_SEARCH_NAME", "_DATA_INFO", "_DATA_FEATURES", "_DATA_QUALITIES"):
        path = getattr(client, name).split("openml.org", 1)[1]
        monkeypatch.setattr(client, name, server.address + path)
    columns = [f"p{index}" for index in range(16)]
    lines = ["@RELATION tiny", *(f"@ATTRIBUTE {name} REAL" for name in columns), "@ATTRIBUTE class {1,2,10}", "@DATA"]
    lines += [",".join([*map(str, row), label]) for row, label in zip(PIXELS.tolist(), LABELS, strict=True)]
    arff = "\n".join(lines).encode()
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": "nominal" if name == "class" else "numeric",
            "is_target": str(name == "class").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, name in enumerate([*columns, "class"])
    ]
    description = {
        "id": "7",
        "name": "tiny",
        "version": "1",
        "status": "active",
        "description": "made for a test",
        "format": "ARFF",
        "file_id": "9",
        "url": server.put("/data/v1/download/9/tiny.arff", arff),
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    for path, response in {
        "/data/list/data_name/tiny/limit/2/status/active/": {"data": {"dataset": [{"did": 7, "version": 1}]}},
        "/data/7": {"data_set_description": description},
        "/data/features/7": {"data_features": {"feature": features}},
        "/data/qualities/7": {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "6.0"}]}},
    }.items():
        server.put("/api/v1/json" + path, json.dumps(response).encode())
    return server


@pytest.mark.parametrize("name", ["tiny", "7"])
def test_load_dataset_openml_by_name_and_number(openml, name):
    dataset = load_dataset(f"openml:{name}")
    np.testing.assert_array_equal(dataset.train_images, PIXELS.reshape(6, 4, 4))
    assert dataset.class_names == ("1", "2", "10")
    assert dataset.train_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.source == f"openml:{name}"


def test_load_dataset_openml_is_cached(openml):
    load_dataset("openml:7")
    n_requests = len(openml.requests)
    load_dataset("openml:7")
    assert len(openml.requests) == n_requests


def test_load_dataset_openml_recovers_from_truncated_download(openml, truncated):
    path = "/data/v1/download/9/tiny.arff"
    (whole,) = openml.responses[path]
    openml.put(path, truncated(b"@RELATION tiny" * 1000), truncated(b"@RELATION tiny" * 1000), whole)
    with pytest.raises((DownloadError, DataError), match="OpenML"):
        load_dataset("openml:7")
    assert len(load_dataset("openml:7").train_images) == 6


def test_load_dataset_openml_rejects_unknown_name(openml):
    openml.put("/api/v1/json/data/list/data_name/nothing/limit/2/status/active/", lambda h: h.send_error(412))
    with pytest.raises(SourceNotFoundError, match="no active data set 'nothing'"):
        load_dataset("openml:nothing")


def test_load_dataset_openml_unreachable_raises_download_error(openml):
    openml.http.server_close()
    with pytest.raises(DownloadError, match="OpenML"):
        load_dataset("openml:tiny")


def test_load_dataset_openml_rejects_empty_name(cache):
    with pytest.raises(SourceNotFoundError, match="openml:NAME"):
        load_dataset("openml:")


def test_load_dataset_usps_rejects_other_order_on_openml(openml, cache, monkeypatch):
    openml.put(
        "/api/v1/json/data/list/data_name/usps/limit/2/status/active/",
        json.dumps({"data": {"dataset": [{"did": 7, "version": 1}]}}).encode(),
    )
    with pytest.raises(DataError, match="USPS in the published order"):
        load_dataset("usps")


def test_convert_table_scales_values_from_minus_one_to_one():
    data = np.array([[-1.0, 0.0, 1.0, -0.5]] * 2)
    assert convert_table("x", data, np.array(["1", "2"], object)).train_images[0].tolist() == [[0, 128], [255, 64]]


@pytest.mark.data
def test_convert_table_restores_every_grey_level_of_usps(data_home):
    levels = np.load(data_home / "usps" / "usps_libsvm_u8_9298.npz")["test_x"].reshape(2007, 256)
    published = np.round(levels / 127.5 - 1, 6)  # the format of OpenML
    images = convert_table("x", published, np.arange(2007) % 10).train_images
    np.testing.assert_array_equal(images.reshape(2007, 256), levels)


def test_convert_table_accepts_sparse_and_object_arrays():
    target = np.array(["a", "b"] * 3)
    np.testing.assert_array_equal(convert_table("x", csr_array(PIXELS), target).train_images.reshape(6, 16), PIXELS)
    np.testing.assert_array_equal(convert_table("x", PIXELS.astype(object), target).train_images.reshape(6, 16), PIXELS)


@pytest.mark.parametrize(
    ("data", "target", "message"),
    [
        (PIXELS, None, "one target column"),
        (PIXELS, np.zeros((6, 2)), "one target column"),
        (PIXELS, np.array(["a", None] * 3, object), "without a label"),
        (np.array([["red"] * 16] * 6, object), np.arange(6), "not numeric"),
        (PIXELS * 2, np.arange(6), "expected 0..255"),
        (PIXELS[:, :7], np.arange(6), "7 pixel columns"),
    ],
)
def test_convert_table_rejects_tables_without_images(data, target, message):
    with pytest.raises(DataError, match=message):
        convert_table("x", data, target)
