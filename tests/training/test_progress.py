"""Progress of a training in a terminal, in a notebook and in a log file."""

import io
import re
import sys

import numpy as np
import pytest

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.training import progress


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def images():
    generator = np.random.default_rng(0)
    return generator.integers(0, 255, (60, 8, 8)).astype(np.uint8), np.arange(60) % 3


def fit(images, **settings):
    settings = {"max_epochs": 4, "batch_size": 10, "random_state": 0, "verbose": 1, **settings}
    return CNNClassifier("fast", **settings).fit(*images)


def test_nothing_is_printed_by_default(images, capsys):
    fit(images, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_log_file_gets_a_description_and_the_first_and_last_of_short_epochs(images, capsys):
    fit(images, validation_fraction=0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    start, *epochs = captured.err.splitlines()
    assert re.search(r"network fast on 30 images of 8×8 \(30 for validation\), 3 classes: 4 epochs, 12 steps", start)
    assert [line.split()[1] for line in epochs] == ["1/4", "4/4"]
    assert all("accuracy" in line and " %" in line for line in epochs)


def test_long_epochs_have_a_line_each_with_the_remaining_time(images, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_MIN_MEASURED", 0.0)
    monkeypatch.setattr(progress, "_MIN_ESTIMATED", 0.0)
    monkeypatch.setattr(progress, "_LONG_EPOCH", 0.0)
    fit(images, max_epochs=3)
    lines = capsys.readouterr().err.splitlines()[1:]
    assert re.fullmatch(r"Training takes about \d+ s\.", lines[0])
    assert [line.split()[1] for line in lines if "training loss" in line] == ["1/3", "2/3", "3/3"]
    assert any(re.fullmatch(r"epoch 2/3, \d+ %, about \d+ s left", line) for line in lines)


def test_terminal_gets_one_bar(images, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    fit(images)
    last = re.split(r"[\r\n]+", stream.getvalue().strip())[-1]
    assert last.startswith("epoch 4/4 100 % |") and "loss" in last and "training loss" not in stream.getvalue()


def test_notebook_gets_a_table_that_is_updated(images, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(progress, "is_notebook", lambda: True)
    monkeypatch.setattr(progress, "display_html", lambda html, handle: shown.append((html, handle)) or "handle")
    fit(images)
    html, handle = shown[-1]
    assert handle == "handle" and shown[0][1] is None
    assert 'max="24"' in html and "<td>4/4</td>" in html and "epoch 4/4" in html
    assert "validation" not in html  # there is no validation split
    assert capsys.readouterr().err.count("\n") == 1  # the description


def test_folds_are_named_and_described_once(images, capsys):
    member = CNNClassifier("fast", max_epochs=1, batch_size=20)
    KFoldEnsembleClassifier(member, cv=2, random_state=0, verbose=1).fit(*images)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines if "epoch 1/1" in line] == ["fold 1/2", "fold 2/2"]
    assert sum(line.startswith("Training network") for line in lines) == 1


def test_progress_does_not_change_the_weights_and_is_not_stored(images, tmp_path):
    import pickle

    quiet, shown = fit(images, verbose=0), fit(images)
    assert np.array_equal(quiet.predict_proba(images[0]), shown.predict_proba(images[0]))
    pickle.loads(pickle.dumps(shown))
    # A checkpoint of a quiet training can be resumed with progress.
    settings = {"checkpoint": tmp_path / "checkpoint", "patience": None}
    fit(images, verbose=0, **settings)
    fit(images, **settings)
