"""Contract of users' modules: fit, search, ONNX, loading, pickling, resuming, serving."""

import json
import pickle
import threading
import urllib.request
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skconv import CNNClassifier, OnnxClassifier
from skconv.training import checkpointing

from .conftest import StopAt, weights_of
from .foreign_modules import Perceptron, PlainNet, SizedNet, TinyTransformer

pytestmark = pytest.mark.filterwarnings("ignore:The network Perceptron:UserWarning")


def make_sequential():
    """Return an `nn.Sequential`, an instance."""
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 4))


def make_loaded():
    """Return an instance with weights that a user has loaded."""
    module = PlainNet(16)
    generator = torch.Generator().manual_seed(5)
    module.load_state_dict(
        {
            name: torch.randn(tensor.shape, generator=generator) * 0.1 if tensor.is_floating_point() else tensor
            for name, tensor in module.state_dict().items()
            if "running" not in name
        },
        strict=False,
    )
    return module


NETWORKS = {
    "class": (PlainNet, {"network__hidden": [8, 16]}),
    "sequential": (make_sequential(), {"learning_rate": [0.01, 0.02]}),
    "loaded": (make_loaded(), {"learning_rate": [0.01, 0.02]}),
    "sized": (SizedNet, {"network__width": [4, 8]}),
    "transformer": (TinyTransformer, {"network__dim": [8, 16]}),
    "probabilities": (Perceptron, {"network__dropout": [0.0, 0.5]}),
}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.integers(0, 120, (160, 8, 8), dtype=np.uint8)
    images[np.arange(160), 2 * labels, 2 * labels] = 255
    return images, labels


@pytest.fixture(params=list(NETWORKS), scope="module")
def case(request):
    return NETWORKS[request.param]


@pytest.fixture(scope="module")
def classifier(case):
    return CNNClassifier(case[0], max_epochs=3, batch_size=40, precision="fp32", random_state=0)


@pytest.fixture(scope="module")
def fitted(classifier, images):
    return clone(classifier).fit(*images)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of an export that fails
        fitted.save(path)
    return path


def test_fit_is_reproducible_and_predicts(classifier, fitted, images):
    again = clone(classifier).fit(*images)
    assert weights_of(again) == weights_of(fitted)
    probabilities = fitted.predict_proba(images[0])
    assert probabilities.shape == (160, 4)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert fitted.history_[-1]["train_loss"] < fitted.history_[0]["train_loss"]


def test_grid_search_selects_an_option(classifier, case, images):
    search = GridSearchCV(classifier, case[1], cv=2, error_score="raise").fit(*images)
    assert search.best_params_.keys() == case[1].keys()
    assert search.best_estimator_.get_params()[next(iter(case[1]))] in next(iter(case[1].values()))


def test_onnx_equals_the_network(fitted, folder, images):
    difference = OnnxClassifier(folder).predict_proba(images[0]) - fitted.predict_proba(images[0])
    assert np.abs(difference).max() < 1e-4


def test_load_restores_predictions_and_parameters(fitted, folder, case, images):
    loaded = CNNClassifier.load(folder, network=case[0])
    assert np.array_equal(loaded.predict_proba(images[0]), fitted.predict_proba(images[0]))
    assert loaded.get_params()["max_epochs"] == 3
    loaded.partial_fit(*images)


def test_fitted_classifier_is_pickled(fitted, images):
    copied = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copied.predict(images[0]), fitted.predict(images[0]))


def test_resumed_training_ends_with_the_same_bits(classifier, images, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS", 0.0)
    monkeypatch.setattr(checkpointing, "_INITIAL_COST", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_OVERHEAD", 1e9)
    resumable = clone(classifier).set_params(checkpoint=tmp_path / "checkpoints")
    with pytest.raises(KeyboardInterrupt):
        clone(resumable).set_params(callbacks=[StopAt(5)]).fit(*images)
    resumed = clone(resumable).set_params(callbacks=[StopAt(10**9)]).fit(*images)
    plain = clone(classifier).set_params(callbacks=[StopAt(10**9)]).fit(*images)
    assert weights_of(resumed) == weights_of(plain)


def test_service_uses_the_onnx_graph(folder, fitted, images):
    import io

    import uvicorn
    from PIL import Image

    from skconv.server.app import create_app
    from skconv.server.settings import ServerSettings

    server = uvicorn.Server(uvicorn.Config(create_app(ServerSettings(model=str(folder))), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        port = server.servers[0].sockets[0].getsockname()[1]
        content = io.BytesIO()
        Image.fromarray(images[0][0]).save(content, "PNG")
        url = f"http://127.0.0.1:{port}/v1/predict"
        request = urllib.request.Request(url, content.getvalue(), {"Content-Type": "image/png"})
        answer = json.load(urllib.request.urlopen(request))
    finally:
        server.should_exit = True
        thread.join()
    assert str(fitted.predict(images[0][:1])[0]) in json.dumps(answer)
