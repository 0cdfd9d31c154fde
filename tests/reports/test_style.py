import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from skconv.exceptions import OutputError
from skconv.reports.scores import draw_confusion
from skconv.reports.style import fit_text, save_figure


def draw():
    return draw_confusion(np.eye(2, dtype=int), ["a", "b"])


def test_save_figure_is_reproducible(tmp_path):
    for name in ("first.png", "second.png"):
        save_figure(draw(), tmp_path / name)
    content = (tmp_path / "first.png").read_bytes()
    assert content == (tmp_path / "second.png").read_bytes()
    assert b"Software" not in content
    with Image.open(tmp_path / "first.png") as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.png", "second.png"]


def test_save_figure_to_a_missing_folder_raises(tmp_path):
    with pytest.raises(OutputError, match="Cannot write"):
        save_figure(draw(), tmp_path / "missing" / "figure.png")


def test_fit_text_shortens_the_middle_of_a_long_name():
    (first, second), size = fit_text(["a class with a very long name, number 1", "short"], 1.0)
    assert first.startswith("a class") and first.endswith("1") and "…" in first
    assert second == "short"
    assert 5 <= size <= 9


def test_drawing_imports_matplotlib_late_and_never_pyplot():
    code = """
import sys
from skconv.reports.curves import draw_curves
assert "matplotlib" not in sys.modules
draw_curves([{"epoch": 1, "train_loss": 1.0}])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_characters_that_the_font_lacks_cause_no_warnings(tmp_path, recwarn):
    save_figure(draw_confusion(np.eye(2, dtype=int), ["\N{DOG FACE}", "b"]), tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file() and not recwarn.list
