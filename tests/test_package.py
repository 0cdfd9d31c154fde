"""Public names of `skconv`, and the packages that each import loads."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import skconv

HEAVY = {"dask", "distributed", "torch", "sklearn", "matplotlib", "pandas", "skorch", "onnxruntime", "scipy", "cv2"}


def _run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _imported_by(code: str) -> set[str]:
    return set(json.loads(_run_python(f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))")))


def test_all_is_sorted_and_every_name_exists():
    assert skconv.__all__ == sorted(skconv.__all__)
    for name in skconv.__all__:
        assert getattr(skconv, name).__name__ == name


def test_type_checkers_see_the_names_of_all():
    tree = ast.parse(Path(skconv.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = [alias.name for statement in block.body for alias in statement.names]
    assert sorted(seen) == skconv.__all__


def test_dir_lists_the_public_names():
    assert {*skconv.__all__, "__version__"} <= set(dir(skconv))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'CNNClasifier'"):
        _ = skconv.CNNClasifier


def test_version_equals_the_installed_package():
    from importlib.metadata import version

    assert skconv.__version__ == version("skconv")


def test_import_loads_nothing_heavy():
    assert not HEAVY & _imported_by("import skconv")


def test_help_loads_nothing_heavy():
    code = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
    code += "    from skconv.cli.main import main\n    assert main(['--help']) == 0"
    assert not HEAVY & _imported_by(code)


def test_training_without_dask_does_not_load_it():
    code = "from skconv import CNNClassifier, KFoldEnsembleClassifier\nimport skconv.cli.training, numpy as np\n"
    code += "import skconv.commands.cross_validate\nX, y = np.eye(64).reshape(64, 8, 8), np.arange(64) % 2\n"
    code += "KFoldEnsembleClassifier(CNNClassifier('fast', max_epochs=1), cv=2).fit(X, y)"
    assert not {"dask", "distributed"} & _imported_by(code)


def test_predict_loads_no_training_packages(tmp_path):
    from PIL import Image

    Image.new("L", (40, 40), "white").save(tmp_path / "blank.png")
    code = "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
    code += "    from skconv.cli.main import main\n"
    code += f"    assert main(['predict', 'digits', {str(tmp_path / 'blank.png')!r}]) == 0"
    loaded = _imported_by(code)
    assert not (HEAVY - {"onnxruntime", "cv2"}) & loaded
    # Each takes as long as opening and classifying the image.
    assert not {"tqdm", "skconv.cli.training"} & loaded
