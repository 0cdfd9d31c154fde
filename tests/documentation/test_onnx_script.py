"""The script of docs/serving.md that needs an ONNX file alone: equal predictions, bit for bit."""

import contextlib
import io

import numpy as np
import pytest
import torch
from PIL import Image

import skconv
from skconv.model_io import InputConfig, save_model
from skconv.networks import create_network

from .blocks import ROOT, read_blocks

SHAPES = {"pad": (3, 20, 17), "crop": (3, 17, 24), "stretch": (1, 16, 16), None: (3, 18, 30)}
(SCRIPT,) = [each.text for each in read_blocks(ROOT / "docs" / "serving.md") if "get_modelmeta" in each.text]


@pytest.fixture(scope="module", params=SHAPES)
def exported(request, tmp_path_factory, make_config):
    """A model with a resize rule, and its ONNX file."""
    folder = tmp_path_factory.mktemp("onnx")
    shape = SHAPES[request.param]
    torch.manual_seed(1)
    network = create_network("fast", in_channels=shape[0], image_size=shape[1:], num_classes=3)
    images = torch.randint(0, 256, (16, *shape), dtype=torch.uint8)
    network.input_normalization.fit(images)
    config = make_config(input=InputConfig(*shape, (0.0, 255.0), None, request.param))
    save_model(folder / "model", network, config, sample=images.numpy())
    skconv.export(folder / "model", folder / "model.onnx")
    return folder


def write_images(folder):
    """Write images of several formats, sizes and modes, and return their paths."""
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[274] = 6  # rotate by 90 degrees
    for number, (height, width, options) in enumerate(
        [(20, 17, {}), (50, 31, {}), (31, 90, {}), (300, 410, {"quality": 90}), (90, 130, {"exif": exif})]
    ):
        waves = np.sin(np.arange(height)[:, None] / 5 + np.arange(width) / (number + 3))[:, :, None]
        pixels = np.clip(120 + 80 * waves + rng.normal(0, 25, (height, width, 3)), 0, 255).astype(np.uint8)
        image = Image.fromarray(pixels)
        image.save(folder / f"{number}.{'jpg' if options else 'png'}", **options)
        image.convert("L").save(folder / f"{number}-grey.png")
        image.quantize(64).save(folder / f"{number}-palette.png")
    return sorted(folder.iterdir())


@pytest.mark.filterwarnings("ignore")  # images were resized
def test_script_predicts_with_the_same_bits(exported, tmp_path):
    for path in write_images(tmp_path):
        script = SCRIPT.replace("first.onnx", str(exported / "model.onnx")).replace("photo.jpg", str(path))
        namespace = {}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(script, namespace)
        (expected,) = skconv.predict(exported / "model", path, probabilities=True).predictions
        assert namespace["probabilities"].tolist() == list(expected.probabilities.values()), path.name
        assert printed.getvalue().split()[0] == expected.label
