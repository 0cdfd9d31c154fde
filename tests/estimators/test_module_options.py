"""Users' modules: adaptation of images, options, loading, and errors in one line."""

import functools
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skconv import CNNClassifier, KFoldEnsembleClassifier, OnnxClassifier
from skconv.exceptions import ModelFileError, ParameterError, UnknownNameError
from skconv.networks.custom import wrap_module
from skconv.networks.spec import import_network

from .conftest import weights_of
from .foreign_modules import Perceptron, PlainNet, SizedNet, TinyTransformer


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.integers(0, 120, (160, 8, 8), dtype=np.uint8)
    images[np.arange(160), 2 * labels, 2 * labels] = 255
    return images, labels


def test_ensemble_of_a_users_class_is_saved_and_loaded(images, tmp_path):
    member = CNNClassifier(SizedNet, network__width=4, max_epochs=1, random_state=0)
    ensemble = KFoldEnsembleClassifier(member, cv=2, random_state=0).fit(*images)
    ensemble.save(tmp_path / "model")
    loaded = KFoldEnsembleClassifier.load(tmp_path / "model", network=SizedNet)
    expected = ensemble.predict_proba(images[0])
    assert np.array_equal(loaded.predict_proba(images[0]), expected)
    assert np.abs(OnnxClassifier(tmp_path / "model").predict_proba(images[0]) - expected).max() < 1e-4
    with pytest.raises(ParameterError, match="network=SizedNet"):
        KFoldEnsembleClassifier.load(tmp_path / "model")


def test_an_instance_is_not_changed_by_fit(images):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    before = module[1].weight.detach().clone()
    classifier = CNNClassifier(module, max_epochs=1, random_state=0).fit(*images)
    assert classifier.network is module
    assert torch.equal(module[1].weight, before)
    assert not torch.equal(classifier.net_.module_.module[1].weight, before)


def test_frozen_parameters_of_an_instance_remain_unchanged(images):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
    module[1].requires_grad_(False)
    classifier = CNNClassifier(module, max_epochs=2, random_state=0).fit(*images)
    assert torch.equal(classifier.net_.module_.module[1].weight, module[1].weight)


def test_lazy_layers_get_the_shape_of_the_images(images):
    classifier = CNNClassifier(nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), max_epochs=1, random_state=0).fit(*images)
    assert classifier.net_.module_.module[1].weight.shape == (4, 64)


def test_grey_images_are_repeated_for_a_colour_network(images):
    module = functools.partial(SizedNet, in_channels=3)
    with pytest.warns(UserWarning, match="repeated as three channels"):
        classifier = CNNClassifier(module, max_epochs=1, random_state=0).fit(*images)
    assert classifier.predict(images[0]).shape == (160,)


class ViewNet(nn.Module):
    """Network of colour images that requires contiguous images."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 64, 4)

    def forward(self, images):
        return self.layer(images.view(-1, 3 * 64))


def test_repeated_grey_images_are_contiguous(images):
    with pytest.warns(UserWarning, match="repeated as three channels"):
        CNNClassifier(ViewNet, max_epochs=1, random_state=0).fit(*images)


def test_colour_images_are_converted_for_a_grey_network(images):
    colour = np.stack([images[0]] * 3, axis=3)
    with pytest.warns(UserWarning, match="converted to grey"):
        classifier = CNNClassifier(PlainNet, max_epochs=1, random_state=0).fit(colour, images[1])
    assert classifier.image_shape_ == (3, 8, 8)


def test_rows_and_probabilities_are_reported(images):
    with pytest.warns(UserWarning, match="receives rows .* returns probabilities"):
        CNNClassifier(Perceptron, max_epochs=1, random_state=0).fit(*images)


def test_factory_with_keyword_arguments_only_gets_what_it_accepts(images):
    def create(**options):
        return SizedNet(in_channels=1, **options)

    classifier = CNNClassifier(create, max_epochs=1, random_state=0).fit(*images)
    assert classifier.net_.module_.module.head.out_features == 4


def test_class_derived_from_network_is_not_wrapped(images):
    from skconv.networks.plain import PlainNetwork

    def create(**shape):
        return PlainNetwork(stages=[[4]], **shape)

    classifier = CNNClassifier(create, max_epochs=1, random_state=0).fit(*images)
    assert isinstance(classifier.net_.module_, PlainNetwork)


class NoParameters(nn.Module):
    """Network whose layers are not registered."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Flatten(), nn.Linear(64, 4)]

    def forward(self, images):
        return self.layers[1](self.layers[0](images))


class NotInitialised(nn.Module):
    """Network that does not call the constructor of its base class, with and without a layer."""

    def __init__(self, layer=True):
        if layer:
            self.layer = nn.Linear(64, 4)


class NoForward(nn.Module):
    """Network without `forward`."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 4)


FROZEN = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).requires_grad_(False)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_outputs_of_a_sigmoid_are_reported(n_classes):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, n_classes), nn.Sigmoid())
    with pytest.warns(UserWarning, match="between 0 and 1.* remove the sigmoid"):
        CNNClassifier(module, max_epochs=1, random_state=0).fit(images, np.arange(40) % n_classes)


class PositiveScale(nn.Module):
    """The cumulative distribution of one linear layer, whose scale must be positive."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(64, 4), nn.Parameter(torch.ones(4))

    def forward(self, images):
        return torch.distributions.Normal(torch.zeros(4), self.scale).cdf(self.layer(images.flatten(1)))


def test_module_that_fails_for_other_signs_of_its_parameters_is_accepted():
    assert not wrap_module(PositiveScale(), in_channels=1, image_size=(8, 8), num_classes=4).returns_fractions


class WithoutLayer(nn.Module):
    def forward(self, images):
        return self.layer(images)


def test_fault_of_the_code_is_no_advice_on_the_size_of_images():
    with pytest.raises(ParameterError, match=r"no attribute 'layer'.* Correct its forward\.$"):
        wrap_module(WithoutLayer(), in_channels=1, image_size=(8, 8), num_classes=4)


def test_logits_between_0_and_1_by_chance_are_not_reported():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    head = nn.Linear(64, 2)
    nn.init.normal_(head.weight, std=1e-4)
    nn.init.constant_(head.bias, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = nn.Sequential(nn.Flatten(), head)
        CNNClassifier(module, max_epochs=1, random_state=0).fit(images, np.arange(40) % 2)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"network": NoParameters}, "NoParameters has no parameters to train"),
        ({"network": FROZEN}, "no parameters to train: requires_grad"),
        ({"network": NotInitialised}, r"cannot be created .*Call super\(\)\.__init__\(\) first"),
        ({"network": NotInitialised, "network__layer": False}, r"Call super\(\)\.__init__\(\) first"),
        ({"network": NoForward}, r"missing .*1 channel\. Define forward\(self, images\)"),
        ({"network": "my_package.MyNet"}, r"import it and pass it: network=MyNet\."),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(64, 7))}, r"shape \(2, 7\).* \(2, 4\)"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Linear(65, 4))}, "failed .*8×8 pixels"),
        ({"network": nn.Identity()}, "one per class"),
        ({"network": nn.LSTM(8, 4, batch_first=True)}, "one tensor"),
        ({"network": nn.Linear}, "network__in_features"),
        ({"network": dict}, "returned a dict"),
        ({"network": 7}, "torch.nn.Module"),
        ({"network": "my_package.nets:Net"}, "Import the class"),
        ({"network": PlainNet, "network__hiden": 3}, "no option 'hiden'.*hidden"),
        ({"network": nn.Flatten(), "network__start_dim": 2}, "Pass its class Flatten"),
        ({"optimizer": torch.optim.SGD, "optimizer__momentums": 0.9}, "momentums"),
        ({"optimizer": nn.Linear}, "torch.optim.Optimizer"),
        ({"optimizer": "sgd"}, "'adamw', 'adam', 'muon'"),
        ({"criterion": nn.BCEWithLogitsLoss}, "BCEWithLogitsLoss fails"),
        ({"criterion": nn.CrossEntropyLoss, "criterion__reduction": "none"}, "expected a mean"),
    ],
)
def test_unusable_network_optimizer_or_criterion_is_one_line(images, parameters, words):
    with pytest.raises((ParameterError, UnknownNameError), match=words) as caught:
        CNNClassifier(**{"network": "fast", "max_epochs": 1, **parameters}).fit(*images)
    assert "\n" not in str(caught.value)


def test_unknown_argument_names_the_closest_parameter():
    with pytest.raises(TypeError, match=r"'epochs'.*'max_epochs'"):
        CNNClassifier(epochs=3)
    with pytest.raises(ValueError, match="epochs"):
        CNNClassifier().set_params(epochs=3)


def test_load_refuses_a_network_that_predicts_something_else(images, tmp_path):
    class Other(SizedNet):
        def forward(self, images):
            return -super().forward(images)

    CNNClassifier(SizedNet, max_epochs=1, random_state=0).fit(*images).save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="predicts something else"):
        CNNClassifier.load(tmp_path / "model", network=Other)
    with pytest.raises(ParameterError, match="network=SizedNet"):
        CNNClassifier.load(tmp_path / "model")


def test_load_requires_options_that_json_cannot_represent(images, tmp_path):
    class Activated(SizedNet):
        def __init__(self, num_classes, activation=nn.ReLU):
            super().__init__(1, num_classes)
            self.layers[1] = activation()

    classifier = CNNClassifier(Activated, network__activation=nn.Tanh, max_epochs=1, random_state=0).fit(*images)
    classifier.save(tmp_path / "model")
    with pytest.raises(ParameterError, match=r"partial\(.*activation="):
        CNNClassifier.load(tmp_path / "model", network=Activated)
    loaded = CNNClassifier.load(tmp_path / "model", network=functools.partial(Activated, activation=nn.Tanh))
    assert np.array_equal(loaded.predict_proba(images[0]), classifier.predict_proba(images[0]))


def test_model_is_saved_if_the_graph_cannot_be_exported(images, tmp_path):
    class Branching(SizedNet):
        def forward(self, images):
            logits = super().forward(images)
            return logits if float(logits.detach().abs().max()) < 1e9 else torch.from_numpy(logits.numpy())

    classifier = CNNClassifier(Branching, max_epochs=1, random_state=0).fit(*images)
    with pytest.warns(UserWarning, match="without model.onnx"):
        classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model", network=Branching)
    assert np.array_equal(loaded.predict_proba(images[0]), classifier.predict_proba(images[0]))


class MeanLoss(nn.Module):
    """Loss without the option "reduction"."""

    def forward(self, logits, labels):
        return nn.functional.cross_entropy(logits, labels)


def test_criterion_without_a_loss_per_image_is_refused_with_weights(images):
    classifier = CNNClassifier(PlainNet, criterion=MeanLoss, max_epochs=1, random_state=0)
    classifier.fit(*images)
    with pytest.raises(ParameterError, match=r'MeanLoss fails .* reduction="none", for sample and class weights'):
        classifier.fit(*images, sample_weight=np.linspace(0.5, 1.5, 160))


def test_script_that_ends_is_not_a_network(tmp_path, monkeypatch):
    (tmp_path / "script_of_test.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    with pytest.raises(ParameterError, match=r"cannot be imported \(SystemExit"):
        import_network("script_of_test:Net")


def test_optimizer_and_criterion_of_torch_are_used_and_restored(images, tmp_path):
    weights = torch.ones(4)
    classifier = CNNClassifier(
        SizedNet,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        criterion=nn.CrossEntropyLoss,
        criterion__weight=weights,
        class_weight="balanced",
        validation_fraction=0.25,
        max_epochs=2,
        random_state=0,
    ).fit(*images)
    assert isinstance(classifier.net_.optimizer_, torch.optim.SGD)
    assert isinstance(classifier.net_.criterion_, nn.CrossEntropyLoss)
    classifier = clone(classifier).set_params(criterion__weight=None).fit(*images)
    classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model", network=SizedNet)
    assert loaded.optimizer is torch.optim.SGD
    assert loaded.criterion is nn.CrossEntropyLoss


def test_criterion_equals_the_default_loss(images):
    settings = {"max_epochs": 1, "label_smoothing": 0.0, "precision": "fp32", "random_state": 0}
    default = CNNClassifier(TinyTransformer, **settings).fit(*images)
    passed = CNNClassifier(TinyTransformer, criterion=nn.CrossEntropyLoss, **settings).fit(*images)
    assert weights_of(passed) == weights_of(default)


def test_export_of_an_unsupported_operator_prints_nothing(images, tmp_path, capfd):
    module = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9, 4))  # 8 is not a multiple of 3
    classifier = CNNClassifier(module, max_epochs=1, random_state=0).fit(*images)
    classifier.save(tmp_path / "model")
    assert tuple(capfd.readouterr()) == ("", "")
    difference = OnnxClassifier(tmp_path / "model").predict_proba(images[0]) - classifier.predict_proba(images[0])
    assert np.abs(difference).max() < 1e-4


def test_strided_convolution_of_one_channel_is_trained_with_two_threads(images):
    module = nn.Sequential(
        nn.Conv2d(1, 12, 1, 2, bias=False), nn.BatchNorm2d(12), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    classifier = CNNClassifier(nn.Sequential(module, nn.Linear(12, 4)), max_epochs=2, n_threads=2, random_state=0)
    classifier.fit(*images)
    assert classifier.net_.module_.module[0][0].weight.is_contiguous()
