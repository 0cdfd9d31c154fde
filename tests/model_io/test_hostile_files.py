import contextlib
import hashlib
import json
import pickle
import shutil
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors.torch import save

from skconv import OnnxClassifier
from skconv.exceptions import ModelFileError
from skconv.model_io.checkpoints import CheckpointFolder
from skconv.model_io.config import ModelConfig
from skconv.model_io.records import HeldOut, TrainingFingerprints
from skconv.model_io.saving import load_weights
from skconv.model_io.serialization import MAX_HEADER, parse_tensors
from skconv.training.checkpointing import TrainingState

FILES = ("config.json", "model.safetensors", "model.onnx")
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Trap:
    """Create a file when a pickle of this class is loaded."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


def damage(content, changes):
    """Flip bits, truncate, insert or repeat bytes."""
    content = bytearray(content)
    for kind, position, value in changes:
        position = position % max(1, len(content))
        if kind == "flip" and content:
            content[position] ^= 1 << value % 8
        elif kind == "cut":
            del content[position:]
        elif kind == "insert":
            content[position:position] = bytes([value]) * (value % 9 + 1)
        elif kind == "repeat":
            content += content[position : position + value]
    return bytes(content)


CHANGES = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat"]), st.integers(0, 2**20), st.integers(0, 255)),
    min_size=1,
    max_size=4,
)


@FUZZ
@given(name=st.sampled_from(FILES), changes=CHANGES)
def test_damaged_model_folder_is_refused(model_copy, saved_model, name, changes):
    original = (saved_model / name).read_bytes()
    altered = damage(original, changes)
    (model_copy / name).write_bytes(altered)
    try:
        if altered == original:
            OnnxClassifier(model_copy)
        else:
            with pytest.raises(ModelFileError):
                OnnxClassifier(model_copy)
    finally:
        (model_copy / name).write_bytes(original)


@FUZZ
@given(changes=CHANGES)
def test_weights_with_matching_hashes_are_still_checked(model_copy, saved_model, make_network, changes):
    # An attacker can also update the hash.
    original = (saved_model / "model.safetensors").read_bytes()
    (model_copy / "model.safetensors").write_bytes(damage(original, changes))
    network = make_network()
    try:
        load_weights(model_copy, network)
    except ModelFileError:
        pass
    finally:
        (model_copy / "model.safetensors").write_bytes(original)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


@FUZZ
@given(content=st.binary(max_size=400))
def test_random_bytes_are_refused(content):
    for read in (
        lambda: ModelConfig.from_bytes(content),
        lambda: TrainingFingerprints.from_bytes(content),
        lambda: HeldOut.from_bytes(content, 3),
        lambda: parse_tensors(content, "tensors"),
    ):
        with pytest.raises(ModelFileError):
            read()


@pytest.mark.parametrize("length", [MAX_HEADER + 1, 2**40, 2**64 - 1])
def test_header_longer_than_the_file_is_refused(length):
    with pytest.raises(ModelFileError, match=f"truncated .* at least {length + 8:,}"):
        parse_tensors(length.to_bytes(8, "little") + b"{}" + b" " * 4096, "tensors")


def test_huge_header_is_refused():
    with pytest.raises(ModelFileError, match=f"at most {MAX_HEADER:,}"):
        parse_tensors((MAX_HEADER + 1).to_bytes(8, "little") + b"{}" + b" " * MAX_HEADER, "tensors")


@pytest.mark.parametrize("name", [*FILES, "held_out.safetensors", "fingerprints.safetensors"])
def test_pickle_in_place_of_a_file_never_runs(model_copy, tmp_path, name):
    canary = tmp_path / "canary"
    content = pickle.dumps(Trap(canary))
    (model_copy / name).write_bytes(content)
    if name != "config.json":  # with matching hash and digest
        config = ModelConfig.from_bytes((model_copy / "config.json").read_bytes())
        record = type(config.files["model.onnx"])(hashlib.sha256(content).hexdigest(), len(content))
        config.files[name] = record
        (model_copy / "config.json").write_bytes(config.to_bytes())
    with pytest.raises(ModelFileError):
        read_everything(model_copy)
    assert not canary.exists()


@pytest.mark.parametrize("size", [-(2**70), -2, 2**45, 2**63, 2**200])
def test_impossible_file_size_is_refused(model_copy, checkpoints, tmp_path, size):
    config = ModelConfig.from_bytes((model_copy / "config.json").read_bytes())
    for name, record in config.files.items():
        config.files[name] = type(record)(record.sha256, size)
    (model_copy / "config.json").write_bytes(config.to_bytes())
    path = shutil.copytree(checkpoints, tmp_path / "run")
    for file in path.glob("*/checkpoint.json"):
        document = json.loads(file.read_bytes())
        document["tensors"]["bytes"] = size
        sign(document)
        file.write_text(json.dumps(document))
    for read in (lambda: OnnxClassifier(model_copy), lambda: CheckpointFolder(path, {"seed": 0}).read()):
        with contextlib.suppress(ModelFileError):  # a checkpoint of the right hash may be read
            read()


@pytest.mark.parametrize("seed", [[1], {}, -1, 2**40, "x", 0.5])
def test_invalid_seed_is_refused(model_copy, seed):
    config = ModelConfig.from_bytes((model_copy / "config.json").read_bytes())
    config.parameters["random_state"] = seed
    (model_copy / "config.json").write_bytes(config.to_bytes())
    with pytest.raises(ModelFileError, match=r"config\.json"):
        read_everything(model_copy)


def test_damaged_graph_raises_without_output(model_copy, capfd):
    file = model_copy / "model.onnx"
    file.write_bytes(file.read_bytes().replace(b"Softmax", b"S\xffftmax"))
    config = ModelConfig.from_bytes((model_copy / "config.json").read_bytes())
    record = config.files["model.onnx"]
    config.files["model.onnx"] = type(record)(hashlib.sha256(file.read_bytes()).hexdigest(), record.bytes)
    (model_copy / "config.json").write_bytes(config.to_bytes())
    with pytest.raises(ModelFileError, match=r"model\.onnx cannot be opened"):
        read_everything(model_copy)
    assert capfd.readouterr().out == ""


def read_everything(folder):
    from skconv import CNNClassifier
    from skconv.model_io.records import read_fingerprints, read_held_out

    classifier = OnnxClassifier(folder)
    read_held_out(folder, classifier.config)
    read_fingerprints(folder, classifier.config)
    classifier.predict(np.zeros((1, *classifier.input_shape), np.uint8))
    CNNClassifier.load(folder)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "run"
    folder = CheckpointFolder(path, {"seed": 0})
    for number in (1, 2):
        tensors = {"weights/a": torch.full((3, 4), float(number)), "random/cpu": torch.arange(9, dtype=torch.uint8)}
        folder.write(TrainingState(tensors, {"weights": {"a": {"$tensor": "weights/a"}}, "n": number}), 1.5)
    return path


@FUZZ
@given(name=st.sampled_from(["checkpoint.json", "checkpoint.safetensors"]), changes=CHANGES)
def test_damaged_checkpoint_warns_and_uses_the_previous_one(checkpoints, tmp_path_factory, name, changes):
    path = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(checkpoints, path)
    file = path / "checkpoint-000002" / name
    original = file.read_bytes()
    file.write_bytes(damage(original, changes))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        state, seconds = CheckpointFolder(path, {"seed": 0}).read()
    is_intact = file.read_bytes() == original
    assert state.values["n"] == (2 if is_intact else 1)
    assert float(state.tensors["weights/a"][0, 0]) == state.values["n"]
    assert seconds == 1.5
    assert len(caught) == (not is_intact)
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("kind", ["pickle", "nested", "array", "empty", "link"])
def test_hostile_checkpoint_with_matching_hashes_is_refused(checkpoints, tmp_path, kind):
    path = shutil.copytree(checkpoints, tmp_path / "run")
    canary = tmp_path / "canary"
    for folder in path.iterdir():
        json_file = folder / "checkpoint.json"
        if kind == "pickle":
            content = pickle.dumps(Trap(canary))
            (folder / "checkpoint.safetensors").write_bytes(content)
            document = json.loads(json_file.read_bytes())
            document["tensors"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            sign(document)
            json_file.write_text(json.dumps(document))
        elif kind == "link":
            json_file.unlink()
            json_file.symlink_to("/dev/zero")
        else:
            json_file.write_bytes({"nested": b"[" * 10**5, "array": b"[1, 2]", "empty": b""}[kind])
    with pytest.raises(ModelFileError):
        CheckpointFolder(path, {"seed": 0}).read()
    assert not canary.exists()


def sign(document):
    from skconv.model_io.serialization import digest_json

    document["digest"] = digest_json(document)


def test_tensors_of_other_shapes_in_a_checkpoint_do_not_reach_the_network(tmp_path):
    from skconv import CNNClassifier
    from skconv.training import checkpointing

    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8), np.arange(60) % 2
    settings_ = {"max_epochs": 1, "batch_size": 20, "precision": "fp32", "random_state": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpointing, "_INITIAL_COST", 0.0)
        CNNClassifier("fast", **settings_, checkpoint=tmp_path / "run").fit(*data)
        (folder,) = (tmp_path / "run").iterdir()
        file, json_file = folder / "checkpoint.safetensors", folder / "checkpoint.json"
        tensors = parse_tensors(file.read_bytes(), "tensors")
        name = next(each for each in tensors if each.startswith("weights/") and tensors[each].ndim == 4)
        tensors[name] = tensors[name][:, :1, :1, :1].contiguous()
        file.write_bytes(save(tensors))
        document = json.loads(json_file.read_bytes())
        content = file.read_bytes()
        document["tensors"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        sign(document)
        json_file.write_text(json.dumps(document))
        with pytest.raises(ModelFileError, match="does not fit this run"):
            CNNClassifier("fast", **settings_, checkpoint=tmp_path / "run").fit(*data)
