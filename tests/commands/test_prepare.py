"""Preparation of a run: Dask."""

import pytest

from skconv.commands.prepare import use_workers
from skconv.exceptions import ParameterError


def test_missing_dask_raises_with_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[dask\]'"), use_workers("tcp://127.0.0.1:8786"):
        pass
