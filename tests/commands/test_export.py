"""`export`: equal predictions of model and file; atomic writes."""

import json

import numpy as np
import onnxruntime
import pytest

import skconv
from skconv.exceptions import ModelFileError, OutputError, ParameterError


def test_exported_file_predicts_as_the_model(tmp_path):
    result = skconv.export("digits", tmp_path / "reader.onnx")
    session = onnxruntime.InferenceSession(result.out, providers=["CPUExecutionProvider"])
    images = skconv.load_dataset("mnist").test_images[:7]
    (probabilities,) = session.run(["probabilities"], {result.input["name"]: images[:, None].astype(np.float32)})
    np.testing.assert_allclose(probabilities, skconv.OnnxClassifier("digits").predict_proba(images), atol=1e-6)
    assert result.class_names[-1] == "nothing" and result.input["normalization"] == "digit"
    assert result.bytes == (tmp_path / "reader.onnx").stat().st_size


def test_file_is_named_after_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert skconv.export("digits").out == "digits.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]


def test_export_raises_and_writes_nothing(tmp_path):
    with pytest.raises(ParameterError, match="must be one of 'onnx'"):
        skconv.export("digits", tmp_path / "a.onnx", format="pickle")
    with pytest.raises(OutputError):
        skconv.export("digits", tmp_path / "missing" / "a.onnx")
    with pytest.raises(OutputError, match=r"ends in \.onnx"):
        skconv.export("digits", tmp_path / "photo.jpg")
    (tmp_path / "weights.pt").write_bytes(b"\x80\x02.")
    with pytest.raises(ModelFileError, match="pickle"):
        skconv.export(tmp_path / "weights.pt", tmp_path / "a.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]


def test_exported_file_of_an_older_model_describes_itself(tmp_path):
    result = skconv.export("digits", tmp_path / "digits.onnx")
    found = onnxruntime.InferenceSession(result.out).get_modelmeta().custom_metadata_map
    assert json.loads(found["skconv.class_names"]) == result.class_names
    assert json.loads(found["skconv.normalization"]) == "digit"
