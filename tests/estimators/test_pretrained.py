"""Training of pretrained networks: head on cached features, fine-tuning of the last stages."""

import time

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from skconv import CNNClassifier, KFoldEnsembleClassifier, OnnxClassifier
from skconv.estimators import pretrained
from skconv.exceptions import ParameterError
from skconv.training import checkpointing
from skconv.training.frozen_features import FeatureExtractor

from ..pretrained_network import TinyPretrained
from .conftest import StopAt, same_weights

SETTINGS = {
    "freeze_fraction": 1.0,
    "batch_size": 64,
    "max_epochs": 8,
    "learning_rate": 0.05,
    "precision": "fp32",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def digits(digits):
    """Return the digits with pixels in 0..255."""
    return 15 * digits[0], digits[1]


def make(**changes):
    return CNNClassifier("tiny-pretrained", **{**SETTINGS, **changes})


def find_changes(classifier):
    """Return the stages of a classifier whose weights or statistics differ from the pretrained ones."""
    stages = classifier.net_.module_.stages
    loaded = TinyPretrained(in_channels=1, image_size=(8, 8), num_classes=10)
    loaded.load_pretrained()
    state = loaded.stages.state_dict()
    return {name[0] for name, tensor in stages.state_dict().items() if not torch.equal(tensor, state[name])}


def test_head_is_trained_and_stages_are_not(digits):
    X, y = digits
    classifier = make(validation_fraction=0.15).fit(X[:1200], y[:1200])
    assert classifier.score(X[1200:], y[1200:]) > 0.85
    assert not find_changes(classifier) and len(classifier.loaded_weights_) == 18
    assert len(classifier.history_) == classifier.n_epochs_ == 8 and classifier.history_[-1]["valid_accuracy"] > 0.8
    assert len(classifier.held_out_.labels) == 180 and classifier.n_samples_fit_ == 1020
    assert same_weights(classifier, make(validation_fraction=0.15).fit(X[:1200], y[:1200]))


def test_unfrozen_stages_are_fine_tuned_with_the_statistics_of_pretraining(digits):
    X, y = digits
    settings = {"freeze_fraction": 0.6, "augmentation": {"shift": 0.1}, "max_epochs": "auto", "validation_fraction": 0}
    classifier = make(**settings).fit(X[:600], y[:600])
    assert find_changes(classifier) == {"2"}
    statistics = classifier.net_.module_.stages[2][1]
    loaded = TinyPretrained(in_channels=1, image_size=(8, 8), num_classes=10)
    loaded.load_pretrained()
    assert torch.equal(statistics.running_mean, loaded.stages[2][1].running_mean)
    assert [row["epoch"] for row in classifier.history_] == list(range(1, classifier.n_epochs_ + 1))
    assert classifier.score(X[1200:], y[1200:]) > 0.85
    assert find_changes(make(freeze_fraction=0.0).fit(X[:600], y[:600])) == {"0", "1", "2"}


@pytest.mark.parametrize(("scores", "changed"), [((0.5, 0.6), {"2"}), ((0.6, 0.6), set())])
def test_fine_tuning_is_undone_unless_validation_improves(digits, monkeypatch, capsys, scores, changed):
    X, y = digits
    remaining = list(scores)
    monkeypatch.setattr(pretrained._Trainer, "_score", lambda self, valid: remaining.pop(0))
    classifier = make(freeze_fraction=0.6, validation_fraction=0.2, verbose=1, max_epochs=1).fit(X[:300], y[:300])
    assert find_changes(classifier) == changed
    used = "fine-tuned weights" if changed else "pretrained stages"
    assert f"the {used} are used" in capsys.readouterr().err


def test_small_validation_split_is_used_for_training(digits):
    X, y = digits
    with pytest.warns(UserWarning, match="all 100 images are used for training") as caught:
        classifier = make(validation_fraction=0.15, freeze_fraction=0.5).fit(X[:100], y[:100])
    assert any("Only the head is trained" in str(each.message) for each in caught)
    assert classifier.n_samples_fit_ == 100 and not find_changes(classifier) and classifier.held_out_ is None


def test_time_limit_restricts_the_images_with_a_count(digits, monkeypatch):
    X, y = digits
    monkeypatch.setattr("skconv.training.frozen_features.FeatureExtractor.measure", lambda self, images: 0.05)
    with pytest.warns(UserWarning, match=r"enough for the features of \d+ of 600 training images"):
        classifier = make(time_limit=10).fit(X[:600], y[:600])
    assert 100 < classifier.n_samples_fit_ < 170 and classifier.fit_seconds_ < 10


def test_stages_are_not_tuned_on_a_part_of_the_images(digits, monkeypatch):
    X, y = digits
    monkeypatch.setattr("skconv.training.frozen_features.FeatureExtractor.measure", lambda self, images: 0.05)
    with pytest.warns(UserWarning, match="images are not used"):
        classifier = make(time_limit=10, freeze_fraction=0.6, validation_fraction=0.2).fit(X[:600], y[:600])
    assert not find_changes(classifier)


def test_stages_are_not_tuned_if_the_features_take_most_of_the_time(digits, monkeypatch):
    X, y = digits
    monkeypatch.setattr("skconv.training.frozen_features.FeatureExtractor.measure", lambda self, images: 0.01)
    with pytest.warns(UserWarning, match="too short to fine-tune"):
        classifier = make(time_limit=11, freeze_fraction=0.6, validation_fraction=0.2).fit(X[:600], y[:600])
    assert classifier.n_samples_fit_ == 480 and not find_changes(classifier)


def test_the_head_is_trained_if_the_features_take_longer_than_measured(digits, monkeypatch):
    X, y = digits
    compute = FeatureExtractor.compute

    def compute_slowly(self, images, n_views=1):
        time.sleep(3)
        return compute(self, images, n_views)

    monkeypatch.setattr(FeatureExtractor, "compute", compute_slowly)
    classifier = make(time_limit=3, max_epochs=20).fit(X[:300], y[:300])
    assert classifier.n_epochs_ > 1


def test_failed_partial_fit_leaves_the_classifier_as_before(digits):
    X, y = digits
    classifier = make(optimizer=torch.optim.SGD, optimizer__momentums=0.9)
    with pytest.raises(ParameterError, match="momentums"):
        classifier.partial_fit(X[:100], y[:100], classes=np.unique(y))
    assert not hasattr(classifier, "net_")
    classifier = make().fit(X[:100], y[:100])
    with pytest.raises(ParameterError, match="momentums"):
        classifier.set_params(optimizer=torch.optim.SGD, optimizer__momentums=0.9).partial_fit(X[:100], y[:100])
    assert len(classifier.history_) == 8


def test_partial_fit_trains_the_unfrozen_stages(digits, monkeypatch):
    X, y = digits
    monkeypatch.setattr(pretrained, "fit_ood", None)  # the score would be discarded
    classifier = make(freeze_fraction=0.6)
    for _ in range(3):
        classifier.partial_fit(X[:300], y[:300], classes=np.unique(y))
    assert find_changes(classifier) == {"2"} and len(classifier.history_) == 3
    assert classifier.history_[2]["train_loss"] < classifier.history_[0]["train_loss"]


@pytest.mark.parametrize("freeze_fraction", [1.0, 0.6, 0.0])
def test_threshold_without_validation_images_is_that_of_shifted_images(digits, monkeypatch, freeze_fraction):
    X, y = digits
    classifier = make(freeze_fraction=freeze_fraction, n_threads=1).fit(X[:700], y[:700])
    assert (classifier.ood_.n, classifier.ood_.held_out) == (350, False)
    monkeypatch.setattr("skconv.estimators.ood._shift", lambda images: images)
    unshifted = make(freeze_fraction=freeze_fraction, n_threads=1).fit(X[:700], y[:700])
    assert same_weights(classifier, unshifted)
    assert not torch.equal(classifier.ood_.score.shift, unshifted.ood_.score.shift)
    assert (classifier.ood_score(X[1200:]) > classifier.ood_.threshold).mean() < 0.05


def test_few_images_are_activated_for_the_threshold(digits, monkeypatch):
    monkeypatch.setattr("skconv.estimators.ood._MAX_ACTIVATED", 120)
    X, y = digits
    assert make(n_threads=1).fit(X[:700], y[:700]).ood_.n == 120
    # Training that begins at the images needs no activations.
    assert make(n_threads=1, freeze_fraction=0.0, max_epochs=1).fit(X[:700], y[:700]).ood_.n == 350


def test_weights_of_zero_exclude_images(digits):
    X, y = digits
    weights = np.repeat([1.5, 0.0], 150)
    weighted = make().fit(X[:300], y[:300], sample_weight=weights)
    assert same_weights(weighted, make().fit(X[:150], y[:150], sample_weight=weights[:150]))


def test_onnx_and_loaded_model_predict_as_the_classifier(digits, tmp_path):
    X, y = digits
    classifier = make(freeze_fraction=0.6).fit(X[:600], y[:600])
    classifier.save(tmp_path / "model")
    expected = classifier.predict_proba(X[1200:])
    np.testing.assert_allclose(OnnxClassifier(tmp_path / "model").predict_proba(X[1200:]), expected, atol=1e-4)
    loaded = CNNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X[1200:]), expected)
    assert find_changes(loaded.partial_fit(X[:300], y[:300])) == {"2"}


def test_many_images_are_predicted_as_few(digits):
    X, y = digits
    classifier = make(n_threads=2).fit(X[:200], y[:200])
    few = np.concatenate([classifier.predict_proba(part) for part in np.array_split(X[:150], 2)])
    assert np.abs(classifier.predict_proba(X[:150]) - few).max() < 1e-5


def test_search_and_ensemble(digits):
    X, y = digits
    search = GridSearchCV(make(), {"label_smoothing": [0.0, 0.1]}, cv=2).fit(X[:300], y[:300])
    assert search.best_score_ > 0.5
    ensemble = KFoldEnsembleClassifier(make(freeze_fraction=0.6), cv=2, random_state=0).fit(X[:300], y[:300])
    assert ensemble.out_of_fold_score_ > 0.6 and ensemble.held_out_ is not None


@pytest.mark.parametrize(("freeze_fraction", "steps"), [(1.0, 7), (0.6, 165)])  # 150 steps for the head
def test_resumed_fit_ends_with_the_same_weights(digits, tmp_path, monkeypatch, freeze_fraction, steps):
    X, y = digits
    monkeypatch.setattr(checkpointing, "_INITIAL_COST", 0.0)
    monkeypatch.setattr(checkpointing, "SECONDS", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_OVERHEAD", 1e9)
    settings = {"freeze_fraction": freeze_fraction, "augmentation": {"shift": 0.1}, "max_epochs": 2}
    with pytest.raises(KeyboardInterrupt):
        make(**settings, checkpoint=tmp_path / "run", callbacks=[StopAt(steps)]).fit(X[:600], y[:600])
    assert list((tmp_path / "run").iterdir())
    resumed = make(**settings, checkpoint=tmp_path / "run", callbacks=[StopAt(10**6)]).fit(X[:600], y[:600])
    assert same_weights(resumed, make(**settings).fit(X[:600], y[:600]))
