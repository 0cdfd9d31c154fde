"""Preparation of a run: printed data, recorded calls, Dask."""

import inspect

import numpy as np
import pytest

from skconv.commands.prepare import describe_call, print_data, use_workers
from skconv.commands.train import train
from skconv.data.dataset import Dataset
from skconv.exceptions import ParameterError


def test_print_data_prints_shapes_to_standard_error(capsys):
    images, labels = np.full((20, 8, 6, 3), 7, np.uint8), np.arange(20) % 2
    dataset = Dataset("two", images, labels, ("no", "yes"), images[:5], labels[:5])
    print_data(dataset, batch_size=100, validation_fraction=0.1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training images (20, 8, 6, 3)" in captured.err and "test images (5, 8, 6, 3)" in captured.err
    assert "one batch: images (18, 3, 8, 6)" in captured.err  # the training set without the validation split
    assert "first labels: no, yes, no" in captured.err


def test_describe_call_omits_defaults(tmp_path):
    given = {name: each.default for name, each in inspect.signature(train).parameters.items()}
    assert describe_call(train, given) == "skconv.train()"
    given.update(source=tmp_path / "a.csv", device="cpu", out="there", seeds=3, image_size=(8, 9))
    expected = f"skconv.train({str(tmp_path / 'a.csv')!r}, seeds=3, image_size=(8, 9), out='there', device='cpu')"
    assert describe_call(train, given) == expected


def test_missing_dask_raises_with_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[dask\]'"), use_workers("tcp://127.0.0.1:8786"):
        pass
