"""Registries: built-in names without imports, and entry points of installed packages."""

import subprocess
import sys

import pytest

from skconv.data.catalog.lookup import DATASETS
from skconv.data.spec import FORMATS
from skconv.exceptions import SkconvError, UnknownNameError
from skconv.images.spec import PREPROCESSING
from skconv.networks import create_network, list_networks
from skconv.networks.registry import NETWORKS
from skconv.recipes import load_recipe
from skconv.registry import MODELS, MODULES, RECIPES, Registry
from skconv.training.augmentation import AUGMENTATIONS

REGISTRIES = {
    "augmentations": AUGMENTATIONS,
    "datasets": DATASETS,
    "formats": FORMATS,
    "models": MODELS,
    "networks": NETWORKS,
    "preprocessing": PREPROCESSING,
    "recipes": RECIPES,
}

MODULE = """
from pathlib import Path
from skconv.networks.plain import PlainNetwork
from skconv.networks.registry import register_network
from skconv.registry import RECIPES


@register_network
def tiny(**shape):
    "One convolution."
    return PlainNetwork(stages=[[8]], **shape)


RECIPES.register("tiny-digits", Path(__file__).with_suffix(".toml"))
"""
RECIPE = """
title = "A recipe of another package"

[data]
source = "digits"

[network]
name = "tiny"
"""
ENTRY_POINTS = """
[skconv.networks]
tiny = tiny_plugin
forgotten = tiny_plugin
missing = no_such_module

[skconv.recipes]
tiny-digits = tiny_plugin
"""


@pytest.fixture
def installed_package(tmp_path, monkeypatch):
    """Put a package with entry points on the path, as pip would install it."""
    (tmp_path / "tiny_plugin.py").write_text(MODULE)
    (tmp_path / "tiny_plugin.toml").write_text(RECIPE)
    metadata = tmp_path / "tiny_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    if sys.modules.pop("tiny_plugin", None):
        NETWORKS.unregister("tiny")
        RECIPES.unregister("tiny-digits")


@pytest.mark.parametrize("kind", MODULES)
def test_table_lists_what_the_modules_register(kind):
    for name in MODULES[kind]:
        assert REGISTRIES[kind].get(name) is not None
    # A name that is not listed is unknown until its module has been imported for another reason.
    names = set(REGISTRIES[kind].names()) - {"tiny-pretrained"}  # of other tests
    assert names == set(MODULES[kind])


def test_names_are_sorted_and_import_nothing():
    code = "import sys; from skconv.registry import Registry; names = Registry('networks', 'network').names(); "
    code += "assert names == sorted(names) and 'fast' in names and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_name_suggests_the_closest():
    registry = Registry("colours", "colour")
    registry.register("red", 1)
    assert "red" in registry and "rd" not in registry
    with pytest.raises(UnknownNameError, match=r"Unknown colour 'rd'\. Did you mean 'red'"):
        registry.get("rd")


def test_entry_point_adds_a_network(installed_package):
    assert {"fast", "tiny"} <= set(list_networks())
    assert "tiny_plugin" not in sys.modules
    network = create_network("tiny", in_channels=1, image_size=(8, 8), num_classes=3)
    assert network.head[2].in_features == 8


def test_entry_point_adds_a_recipe(installed_package):
    assert load_recipe("tiny-digits").network["name"] == "tiny"


@pytest.mark.parametrize(("name", "message"), [("forgotten", "must register"), ("missing", "importing no_such_module")])
def test_faulty_entry_point_raises_with_its_module(installed_package, name, message):
    with pytest.raises(SkconvError, match=message):
        create_network(name, in_channels=1, image_size=(8, 8), num_classes=3)
