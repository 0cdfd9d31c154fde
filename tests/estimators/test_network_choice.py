"""`network="auto"`: choice of a network by short trainings."""

import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from skconv import CNNClassifier, KFoldEnsembleClassifier
from skconv.estimators import network_choice
from skconv.exceptions import ParameterError, TrainingError


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setattr(network_choice, "_CANDIDATES", ("fast", "compact"))
    digits = load_digits()
    return digits.images[:600], digits.target[:600]


def test_auto_trains_a_registered_network_that_can_be_saved(digits, tmp_path, capsys):
    classifier = CNNClassifier("auto", time_limit=20, max_epochs=4, random_state=0, verbose=1).fit(*digits)
    assert classifier.network == "auto" and clone(classifier).network == "auto"
    assert "Network fast: validation log loss" in capsys.readouterr().err
    classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model")
    assert loaded.network == "auto" and loaded._network_spec.name in ("fast", "compact")
    assert (loaded.predict(digits[0]) == classifier.predict(digits[0])).all()


def test_class_weights_apply_to_the_labels_of_the_user(digits):
    X, y = digits[0], digits[1].astype(str)
    classifier = CNNClassifier("auto", time_limit=20, max_epochs=2, class_weight={"3": 2.0}, random_state=0).fit(X, y)
    assert classifier.classes_[3] == "3" and classifier.class_prior_[3] > 0.15


def test_members_of_an_ensemble_have_one_network(digits):
    template = CNNClassifier("auto", time_limit=20, max_epochs=2)
    ensemble = KFoldEnsembleClassifier(template, cv=2, random_state=0).fit(*digits)
    assert len({member.network for member in ensemble.estimators_}) == 1
    assert ensemble.predict(digits[0][:5]).shape == (5,)


@pytest.mark.parametrize(
    ("parameters", "message"), [({}, "time_limit"), ({"time_limit": 5, "checkpoint": "folder"}, "'checkpoint'")]
)
def test_auto_refuses_settings_without_meaning(digits, tmp_path, monkeypatch, parameters, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=message):
        CNNClassifier("auto", random_state=0, **parameters).fit(*digits)


@pytest.fixture
def diverging(monkeypatch):
    """Let the loss of the given networks become NaN."""
    fit, names = CNNClassifier.fit, set()

    def diverge(self, *arguments, **keywords):
        if self.network in names:
            raise TrainingError("The training loss became nan.")
        return fit(self, *arguments, **keywords)

    monkeypatch.setattr(CNNClassifier, "fit", diverge)
    return names


def test_a_network_that_diverges_is_left_out(digits, diverging):
    diverging.add("fast")
    with pytest.warns(UserWarning, match=r"network fast is left out: The training loss became nan"):
        classifier = CNNClassifier("auto", time_limit=20, max_epochs=1, random_state=0).fit(*digits)
    assert classifier._network_spec.name == "compact"


def test_auto_raises_if_all_networks_diverge(digits, diverging):
    diverging.update(("fast", "compact"))
    with pytest.warns(UserWarning, match="left out"), pytest.raises(TrainingError, match="became nan"):
        CNNClassifier("auto", time_limit=20, random_state=0).fit(*digits)
