import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from skconv.exceptions import ModelFileError
from skconv.model_io import read_config
from skconv.model_io.folder import ONNX_NAME
from skconv.model_io.onnx import check_parity, open_session, run_session


def damage_with_external_data(path):
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    path.write_bytes(model.SerializeToString())


def damage_with_custom_operator(path):
    model = onnx.load(path)
    model.graph.node[0].domain = "com.example"
    path.write_bytes(model.SerializeToString())


def damage_input_shape(path):
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 13
    path.write_bytes(model.SerializeToString())


def write_greedy(path):
    """Write a valid file with the expected inputs and outputs that allocates terabytes when it runs."""
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    constant = helper.make_tensor("shape", TensorProto.INT64, [2], [2**40, 3])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value=constant),
        helper.make_node("ConstantOfShape", ["shape"], ["logits"], value=value),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 12, 10])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("logits", "probabilities")
    ]
    graph = helper.make_graph(nodes, "greedy", [images], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_with_external_data, "refers to other files"),
        (damage_with_custom_operator, "cannot be opened as ONNX"),
        (damage_input_shape, "has the inputs"),
        (lambda path: path.write_bytes(b""), "cannot be opened as ONNX"),
        (lambda path: path.write_bytes(b"\x80\x04." * 50), "cannot be opened as ONNX"),
        (lambda path: path.write_bytes(path.read_bytes()[:-500]), "cannot be opened as ONNX"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_open_session_refuses_a_hostile_file_in_one_line(model_copy, damage, message, capfd):
    config = read_config(model_copy)
    damage(model_copy / ONNX_NAME)
    with pytest.raises(ModelFileError, match=message) as caught:
        open_session(model_copy / ONNX_NAME, config)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_open_session_refuses_another_number_of_classes(saved_model, make_config):
    config = make_config(classes=(1, 2), class_names=("a", "b"))
    with pytest.raises(ModelFileError, match=r"of 2 classes"):
        open_session(saved_model / ONNX_NAME, config)


def test_run_session_of_a_hostile_graph_raises_in_one_line(tmp_path, make_config):
    write_greedy(tmp_path / ONNX_NAME)
    images = np.zeros((1, 1, 12, 10), np.float32)
    with pytest.raises(ModelFileError) as caught:
        run_session(open_session(tmp_path / ONNX_NAME, make_config()), images)
    assert "\n" not in str(caught.value)


def test_check_parity_detects_other_weights(saved_model, make_network, make_config, sample):
    network = make_network().eval()
    onnx_bytes = (saved_model / ONNX_NAME).read_bytes()
    assert check_parity(network, onnx_bytes, make_config(), sample) <= 1e-4
    with torch.no_grad():
        list(network.parameters())[-1].add_(torch.tensor([0.0, 0.0, 1.0]))
    with pytest.raises(ModelFileError, match="differs from the network by"):
        check_parity(network, onnx_bytes, make_config(), sample)
