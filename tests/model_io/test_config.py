import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from skconv.exceptions import ModelFileError
from skconv.model_io import DataConfig, InputConfig, ModelConfig, NetworkConfig
from skconv.model_io.config import MAX_CONFIG_BYTES, OodConfig
from skconv.model_io.serialization import canonical_json

LABELS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, unique=True),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, unique=True),
    st.permutations([True, False]),
)
DATA = DataConfig("mnist", "memory", "unknown", "", 10)


def make(classes, **values) -> ModelConfig:
    return ModelConfig(
        network=NetworkConfig("fast"),
        classes=classes,
        class_names=tuple(map(str, classes)),
        **{"input": InputConfig(1, 28, 28), "parameters": {}, "data": DATA, "environment": {}, **values},
    )


def sign(document: dict) -> bytes:
    document.pop("digest", None)
    document["digest"] = hashlib.sha256(canonical_json(document)).hexdigest()
    return json.dumps(document).encode()


@given(LABELS)
def test_config_round_trip_preserves_type_and_value_of_labels(classes):
    config = make(tuple(classes))
    read = ModelConfig.from_bytes(config.to_bytes())
    assert read == config
    assert [type(label) for label in read.classes] == [type(label) for label in classes]


def test_config_round_trip_preserves_every_value(make_config):
    config = make_config()
    read = ModelConfig.from_bytes(config.to_bytes())
    assert read == config
    assert read.parameters["betas"] == [0.7, 0.95]
    assert read.label_array.tolist() == [3, 5, 8]


def test_config_round_trip_preserves_the_pixel_range(make_config):
    config = make_config(input=InputConfig(1, 28, 28, (0, 255)))
    read = ModelConfig.from_bytes(config.to_bytes())
    assert read == config and read.input.pixel_range == (0.0, 255.0)


def test_config_round_trip_preserves_the_normalization(make_config):
    config = make_config(input=InputConfig(1, 28, 28, (0, 255), "digit"))
    read = ModelConfig.from_bytes(config.to_bytes())
    assert read == config and read.input.normalization == "digit"
    assert make_config().input.normalization is None
    assert "normalization" not in json.loads(make_config().to_bytes())["input"]


@pytest.mark.parametrize("value", ["digits", "", 3, ["digit"]])
def test_config_refuses_an_unknown_normalization(make_config, value):
    with pytest.raises(ModelFileError, match=r"input\.normalization is .*; expected 'digit'"):
        make_config(input=InputConfig(1, 28, 28, None, value))


def test_config_round_trip_preserves_the_out_of_distribution_score():
    config = make((0, 1), ood=OodConfig("mahalanobis", 1.5, 0.01, 300, held_out=True))
    assert ModelConfig.from_bytes(config.to_bytes()) == config
    assert "ood" not in json.loads(make((0, 1)).to_bytes())
    with pytest.raises(ModelFileError, match=r"ood\.threshold must be a finite number"):
        make((0, 1), ood=OodConfig("mahalanobis", float("nan"), 0.01, 300, held_out=True))


def test_config_copies_its_parameters():
    parameters = {"widths": [16, 32]}
    config = make((0, 1), parameters=parameters)
    parameters["widths"].append(64)
    assert config.parameters == {"widths": [16, 32]}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((), "got none"),
        ((1, "a"), "got int, str"),
        ((1, True), "got bool, int"),
        ((None,), "got NoneType"),
        (tuple(np.arange(2)), "classes_.tolist"),
        ((1, 1), "twice"),
        ((2**63,), "64 bits"),
    ],
)
def test_config_refuses_labels_that_json_or_numpy_would_change(classes, message):
    with pytest.raises(ModelFileError, match=message):
        make(classes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parameters": {"callback": object()}}, "parameters cannot be saved as JSON"),
        ({"parameters": {"lr": float("nan")}}, "parameters cannot be saved as JSON"),
        ({"scores": {"accuracy": "high"}}, "scores.accuracy must be a finite number, got 'high'"),
        ({"scores": {"accuracy": True}}, "scores.accuracy must be a finite number"),
        ({"input": InputConfig(1, 28, 28, (255, 0))}, "pixel_range must be the minimum and maximum pixel"),
        ({"input": InputConfig(1, 28, 28, (0.0, float("inf")))}, "pixel_range must be"),
        ({"input": InputConfig(1, 28, 28, (0.0,))}, "pixel_range must be"),
    ],
)
def test_config_refuses_values_that_cannot_be_saved(values, message):
    with pytest.raises(ModelFileError, match=message):
        make((0, 1), **values)


def set_path(document: dict, path: str, value) -> None:
    *sections, key = path.split(".")
    for section in sections:
        document = document[section]
    document[key] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "other", "is of format 'other', version 1; this version of skconv reads 'skconv-model', version 1"),
        ("format", {"a": "x" * 500}, "is of format"),
        ("format_version", 2, "version 2; this version of skconv reads .*, version 1"),
        ("surprise", 1, "unknown keys: 'surprise'"),
        ("classes", {}, "'classes' must be a list, got dict"),
        ("created", 5, "'created' must be a string, got int"),
        ("network.surprise", 1, "'network' has unknown keys: 'surprise'"),
        ("network.name", 5, "'name' must be a string, got int"),
        ("input.channels", True, "'channels' must be an integer, got bool"),
        ("input.height", 0, "input.height must be an integer from 1"),
        ("input.width", 10**12, "input.width must be an integer from 1"),
        ("input.pixel_range", 255, "'pixel_range' must be a list, got int"),
        ("input.pixel_range", [0, "255"], "input.pixel_range must be the minimum and maximum pixel"),
        ("input.pixel_range", [0, True], "input.pixel_range must be"),
        ("input.pixel_range", [0, 10**400], "input.pixel_range must be"),
        ("data.scored_on", 5, "'scored_on' must be a string, got int"),
        ("scores", {"accuracy": 10**400}, "scores.accuracy must be a finite number"),
        ("data.n_train", "many", "'n_train' must be an integer, got str"),
        ("class_names", ["a"], "class_names must be 3 strings"),
        ("class_names", [1, 2, 3], "class_names must be 3 strings"),
        ("classes", [[1], [2], [3]], "got list"),
        ("scores", {"accuracy": None}, "scores.accuracy must be a finite number"),
        ("files", {"model.onnx": 5}, "'model.onnx' must be an object"),
        ("files", {"model.onnx": {"sha256": "", "bytes": -1}}, "-1 bytes"),
    ],
)
def test_config_error_names_the_wrong_value_in_one_line(make_config, path, value, message):
    document = json.loads(make_config().to_bytes())
    set_path(document, path, value)
    with pytest.raises(ModelFileError, match=message) as caught:
        ModelConfig.from_bytes(sign(document), "folder/config.json")
    assert str(caught.value).startswith("folder/config.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["classes", "network", "input", "files", "environment"])
def test_config_error_names_a_missing_key(make_config, key):
    document = json.loads(make_config().to_bytes())
    del document[key]
    with pytest.raises(ModelFileError, match=f"lacks {key}"):
        ModelConfig.from_bytes(sign(document))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"\x80\x04\x95", "not valid JSON"),
        (b"[1]", "expected a JSON object"),
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a":' * 100_000, "config.json"),
        (b"[" * 1_000_000, "config.json"),
        (b" " * (MAX_CONFIG_BYTES + 1), "at most 4,194,304"),
        (b"{}", "is of format None"),
    ],
)
def test_config_refuses_invalid_content_in_one_line(content, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        ModelConfig.from_bytes(content)
    assert "\n" not in str(caught.value)


def test_config_detects_an_altered_value(make_config):
    content = make_config().to_bytes().replace(b"0.9957", b"0.9999")
    with pytest.raises(ModelFileError, match="altered after the model was saved"):
        ModelConfig.from_bytes(content)


@given(st.binary(max_size=300))
def test_config_raises_model_file_error_for_any_bytes(content):
    with pytest.raises(ModelFileError):
        ModelConfig.from_bytes(content)
