"""Initialisation from another model: scikit-learn's digits from weights trained on MNIST."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skconv.data.loading import load_dataset
from skconv.distributed.process_group import ProcessGroup
from skconv.estimators import CNNClassifier
from skconv.exceptions import ModelFileError, ParameterError, SourceNotFoundError

NETWORK = {"name": "t4_narrow"}  # its convolutions are independent of the image size
LAST = ["classifier.1.weight", "classifier.1.bias"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Train and save a model of other images in another size."""
    mnist = load_dataset("mnist")
    classifier = CNNClassifier(NETWORK, max_epochs=3, random_state=0, precision="fp32")
    folder = tmp_path_factory.mktemp("source") / "model"
    classifier.fit(mnist.train_images[:1000], mnist.train_labels[:1000]).save(folder)
    return folder


def make(source, **changes):
    settings = {"max_epochs": 1, "random_state": 0, "precision": "fp32", **changes}
    return CNNClassifier(NETWORK, init_from=source, **settings)


def parameters(classifier):
    return {name: tensor.clone() for name, tensor in classifier.net_.module_.named_parameters()}


def test_init_from_loads_matching_weights(source, digits):
    X, y = digits
    model = make(source, learning_rate=1e-12, ema_decay=0).fit(X[:64], y[:64] % 3)
    assert model.classes_.tolist() == [0, 1, 2] and model.image_shape_ == (1, 8, 8)
    before, after = parameters(CNNClassifier.load(source)), parameters(model)
    weights = [name for name in model.loaded_weights_ if name in after]
    assert weights and all(torch.allclose(before[name], after[name]) for name in weights)
    assert {name for name in after if name not in weights} == {
        name for name in after if before[name].shape != after[name].shape
    }
    assert not any(name.startswith(("input_normalization", "logit_calibration")) for name in model.loaded_weights_)


def test_init_from_skips_the_calibration(digits, tmp_path):
    X, y = digits
    pair = {"name": "ensemble", "network": "t4_narrow", "members": 2}
    for number, network in enumerate((NETWORK, pair)):
        other = CNNClassifier(network, max_epochs=1, random_state=0).fit(X[:64], y[:64])
        other.net_.module_.logit_calibration.shift(np.arange(10.0))
        other.net_.module_.logit_calibration.scale(3)
        other.save(tmp_path / str(number))
        begun = CNNClassifier(network, max_epochs=1, init_from=tmp_path / str(number)).fit(X[:64], y[:64])
        state = begun.net_.module_.state_dict()
        assert not any(state[name].any() for name in state if name.endswith("logit_calibration.biases"))
        assert all(state[name] == 1 for name in state if name.endswith("logit_calibration.factor"))


def test_init_from_skips_the_input_normalization(source, digits):
    X, y = digits
    fresh = CNNClassifier(NETWORK, max_epochs=1, random_state=0).fit(X[:64], y[:64])
    assert torch.equal(
        make(source).fit(X[:64], y[:64]).net_.module_.input_normalization.mean,
        fresh.net_.module_.input_normalization.mean,
    )


class Watch(Callback):
    """Record the trained parameters of each step."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            trained = [name for name, parameter in net.module_.named_parameters() if parameter.requires_grad]
            self.steps_ = [*getattr(self, "steps_", []), trained]


def test_freeze_fraction_unfreezes_the_last_layers_first(source, digits):
    X, y = digits
    model = make(source, max_epochs=10, batch_size=64, freeze_fraction=0.5, callbacks=[("watch", Watch())])
    model.fit(X[:64], y[:64])
    steps = dict(model.net_.callbacks_)["watch"].steps_
    everything = list(parameters(model))
    assert steps[0] == LAST and steps[5] == everything
    assert all(set(one) <= set(other) for one, other in pairwise(steps))
    assert len({len(step) for step in steps}) > 2
    assert all(parameter.requires_grad for parameter in model.net_.module_.parameters())


def test_frozen_weights_do_not_change(source, digits):
    X, y = digits
    model = make(source, max_epochs=0.5, batch_size=64, freeze_fraction=1.0, ema_decay=0).fit(X[:128], y[:128])
    before, after = parameters(CNNClassifier.load(source)), parameters(model)
    for name in after:
        assert torch.equal(before[name], after[name]) == (name not in LAST), name


def test_loaded_last_layer_is_never_frozen(source):
    mnist = load_dataset("mnist")
    model = make(source, max_epochs=0.5, batch_size=64, freeze_fraction=1.0, ema_decay=0)
    model.fit(mnist.train_images[:128], mnist.train_labels[:128])
    before, after = parameters(CNNClassifier.load(source)), parameters(model)
    assert len(model.loaded_weights_) > len(after)  # includes the statistics of batch norm
    assert [name for name in after if not torch.equal(before[name], after[name])] == LAST


def test_init_from_is_saved_with_the_model(source, digits, tmp_path):
    X, y = digits
    model = make(source, freeze_fraction=0.2).fit(X[:64], y[:64])
    model.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model")
    assert loaded.init_from == str(source) and loaded.freeze_fraction == 0.2
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_init_from_raises_if_no_weight_matches(saved_model, digits):
    X, y = digits
    with pytest.raises(ModelFileError, match="trained with network='fast'"):
        CNNClassifier("t1_skorch", init_from=saved_model).fit(X[:64], y[:64])


def test_init_from_and_freeze_fraction_are_checked(digits, tmp_path):
    X, y = digits
    with pytest.raises((ModelFileError, SourceNotFoundError), match="nowhere"):
        CNNClassifier(init_from=tmp_path / "nowhere").fit(X[:64], y[:64])
    cases = (({"init_from": 7}, "path of a folder"), ({"freeze_fraction": 1.5}, "'freeze_fraction'"))
    for settings, message in cases:
        with pytest.raises(ParameterError, match=message):
            CNNClassifier(**settings).fit(X[:64], y[:64])


@pytest.mark.parametrize("settings", [{"time_limit": 60}, {"checkpoint": "run"}])
def test_several_processes_support_neither_time_limit_nor_checkpoints(digits, monkeypatch, settings):
    X, y = digits
    monkeypatch.setattr("skconv.estimators.setup.get_process_group", lambda: ProcessGroup(0, 2, "cpu"))
    with pytest.raises(ParameterError, match=f"does not support '{next(iter(settings))}'. Set it to None"):
        CNNClassifier("fast", random_state=0, **settings).fit(X[:64], y[:64])
