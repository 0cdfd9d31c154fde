"""Metadata of ONNX files: values, editing without the package onnx, and checks when a file is opened."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, strategies as st

from skconv.exceptions import ModelFileError
from skconv.model_io import read_config, save_model
from skconv.model_io.folder import ONNX_NAME, WEIGHTS_NAME, hash_file
from skconv.model_io.onnx import open_session
from skconv.model_io.onnx_metadata import describe_onnx, find_fields, replace_metadata


def read_metadata(path):
    return onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map


def test_saved_model_describes_itself(saved_model):
    found = {key: json.loads(value) for key, value in read_metadata(saved_model / ONNX_NAME).items()}
    assert found["skconv.class_names"] == ["three", "five", "eight"]
    assert found["skconv.classes"] == [3, 5, 8]
    assert (found["skconv.height"], found["skconv.width"], found["skconv.channel_order"]) == (12, 10, "grey")
    assert found["skconv.weights_sha256"] == hash_file(saved_model / WEIGHTS_NAME)
    assert found["skconv.version"] == read_config(saved_model).skconv_version


def test_same_model_has_the_same_bytes_at_any_time_and_place(saved_model, tmp_path, make_network, make_config, sample):
    config = make_config(created="2001-01-01T00:00:00+00:00", environment={"command": "/home/somebody"})
    save_model(tmp_path / "other", make_network(), config, sample=sample)
    content = (tmp_path / "other" / ONNX_NAME).read_bytes()
    assert content == (saved_model / ONNX_NAME).read_bytes()
    assert b"/home/somebody" not in content


def test_replaced_metadata_leave_the_graph_unchanged(saved_model):
    before = onnx.load(saved_model / ONNX_NAME)
    metadata = {"a": "é" * 100, "b": "", "c": "x" * 70_000}
    content = replace_metadata((saved_model / ONNX_NAME).read_bytes(), metadata)
    after = onnx.load_from_string(content)
    assert {each.key: each.value for each in after.metadata_props} == metadata
    assert after.graph == before.graph
    assert replace_metadata(content, metadata) == content


@given(st.binary(max_size=60))
def test_fields_cover_any_bytes_exactly(content):
    fields = list(find_fields(content))
    assert b"".join(content[start:end] for _, start, end in fields) == content


def test_class_may_be_called_location(tmp_path, make_network, make_config, sample):
    config = make_config(classes=("here", "location", "there"), class_names=("here", "location", "there"))
    save_model(tmp_path / "model", make_network(), config, sample=sample)
    open_session(tmp_path / "model" / ONNX_NAME, config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skconv.class_names": '["eight", "five", "three"]'}, "skconv.class_names"),
        ({"skconv.resize": '"crop"'}, "skconv.resize"),
        ({"anything": "x" * 5_000_000}, "characters of metadata"),
    ],
)
def test_contradicting_or_oversized_metadata_are_refused(saved_model, change, message):
    config = read_config(saved_model)
    metadata = describe_onnx(config, "0" * 64) | change
    content = replace_metadata((saved_model / ONNX_NAME).read_bytes(), metadata)
    with pytest.raises(ModelFileError, match=message) as caught:
        open_session("model.onnx", config, content=content)
    assert len(str(caught.value)) < 500


def test_file_without_metadata_is_accepted(saved_model):
    content = replace_metadata((saved_model / ONNX_NAME).read_bytes(), {})
    session = open_session("model.onnx", read_config(saved_model), content=content)
    assert session.run(["logits"], {"images": np.zeros((1, 1, 12, 10), np.float32)})[0].shape == (1, 3)
