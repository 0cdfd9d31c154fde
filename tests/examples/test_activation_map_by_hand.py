"""Example of a convolution by hand: results and the command in its docstring."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "examples" / "activation_map_by_hand.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("activation_map_by_hand", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), (3, 2)])
def test_map_by_hand_is_that_of_torch(example, stride, padding):
    rng = np.random.default_rng(stride)
    image, weights = rng.standard_normal((7, 9)).astype("f4"), rng.standard_normal((3, 2)).astype("f4")
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image)[None, None], torch.from_numpy(weights)[None, None], stride=stride, padding=padding
    )[0, 0].numpy()
    by_hand = np.array(example.activation_map(image.tolist(), weights.tolist(), stride, padding))
    np.testing.assert_allclose(by_hand, expected, atol=1e-5)
    by_layer = example.activation_map_of_torch(image.tolist(), weights.tolist(), stride, padding)
    np.testing.assert_allclose(by_layer, expected, atol=1e-6)


def test_script_shows_both_cases_and_no_difference():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    assert re.findall(r"by hand, (.+):", done.stdout) == re.findall(r"by torch, (.+):", done.stdout) == ["3×4", "3×3"]
    assert re.findall(r"Largest difference: (.+)", done.stdout) == ["0.0", "0.0"]
