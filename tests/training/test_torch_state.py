"""Training and prediction with torch's settings changed by the caller's process."""

import os
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.inference import OnnxClassifier

DIGITS = load_digits()
X, Y = DIGITS.images[:1000].astype(np.uint8), DIGITS.target[:1000]


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def errors_of_numpy_and_warnings():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "meta device": lambda: torch.device("meta"),
    "deterministic": deterministic,
    "errors": errors_of_numpy_and_warnings,
}


def make():
    return CNNClassifier(
        "fast",
        max_epochs=2,
        precision="fp32",
        random_state=0,
        validation_fraction=0.2,
        restore_best="valid_loss",
        augmentation={"rotation": 10},
    )


def describe_process():
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "numpy": np.geterr(),
        "environment": {name: text for name, text in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"},
        "folder": os.getcwd(),  # noqa: PTH109
    }


@pytest.fixture(scope="module")
def expected():
    return make().fit(X, Y).partial_fit(X, Y).predict_proba(X)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_process_do_not_change_the_weights_and_are_restored(name, expected, tmp_path):
    with SETTINGS[name]():
        before = describe_process()
        classifier = make().fit(X, Y).partial_fit(X, Y)
        np.testing.assert_array_equal(classifier.predict_proba(X), expected)
        classifier.save(tmp_path / "model")
        loaded = CNNClassifier.load(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        loaded.partial_fit(X, Y)
        ensemble = KFoldEnsembleClassifier(CNNClassifier("fast", max_epochs=1), cv=2, random_state=0)
        assert ensemble.fit(X, Y).predict_proba(X).dtype == np.float32
        assert describe_process() == before
    np.testing.assert_allclose(OnnxClassifier(tmp_path / "model").predict_proba(X), expected, atol=1e-5)
