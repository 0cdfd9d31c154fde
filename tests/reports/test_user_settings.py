"""Figures under a user's settings of matplotlib, and runs whose figures fail."""

import os
import subprocess
import sys

import matplotlib as mpl
import pytest

from skconv import train
from skconv.reports import style
from skconv.reports.curves import draw_curves
from skconv.reports.style import encode_figure, save_figures

ROW = {"epoch": 1, "train_loss": 1.0, "valid_loss": None, "valid_accuracy": None, "learning_rate": 0.1, "seconds": 1.0}
ROWS = [ROW, {**ROW, "epoch": 2, "train_loss": 0.5}]
SETTINGS = {"text.usetex": True, "font.family": "NoSuchFont", "axes.facecolor": "black", "savefig.bbox": "tight"}


def test_figures_ignore_the_users_settings_and_retain_them(caplog):
    expected = encode_figure(draw_curves(ROWS), "png")
    with mpl.rc_context(SETTINGS):
        assert encode_figure(draw_curves(ROWS), "png") == expected
        assert mpl.rcParams["text.usetex"] and mpl.rcParams["axes.facecolor"] == "black"
    assert "findfont" not in caplog.text


@pytest.mark.parametrize("backend", ["nonsense", "module://not_installed.backend"])
def test_a_backend_that_is_not_installed_does_not_matter(backend, tmp_path):
    code = "import os; from skconv.reports.curves import draw_curves; from skconv.reports.style import save_figure; "
    code += f"save_figure(draw_curves({ROWS!r}), 'curves.png'); assert os.environ['MPLBACKEND'] == {backend!r}"
    environment = {**os.environ, "MPLBACKEND": backend}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_save_figures_omits_a_figure_that_fails(tmp_path):
    def fail():
        raise RuntimeError("no LaTeX.\nsecond line")

    with pytest.warns(UserWarning, match=r"figure bad\.png is missing, .*: no LaTeX\.$"):
        save_figures(tmp_path, {"bad": fail, "good": lambda: draw_curves(ROWS)})
    assert [file.name for file in tmp_path.iterdir()] == ["good.png"]


def test_a_run_is_kept_if_every_figure_fails(tmp_path, tiny_recipe, monkeypatch):
    monkeypatch.setattr(style, "encode_figure", lambda *arguments, **options: 1 / 0)
    with pytest.warns(UserWarning, match=r"figure \w+\.png is missing"):
        result = train("digits", recipe=tiny_recipe, out=tmp_path / "run")
    assert (tmp_path / "run" / "scores.json").is_file() and os.path.isdir(result.model)  # noqa: PTH112
    assert not list((tmp_path / "run").glob("*.png"))
