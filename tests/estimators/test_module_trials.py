"""Users' modules that copies, training mode, single images or other number types make difficult."""

import functools
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skconv import CNNClassifier, OnnxClassifier
from skconv.exceptions import ModelFileError, ParameterError, UnknownNameError
from skconv.networks.spec import NetworkSpec, import_network

from .foreign_modules import SizedNet


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 4
    images = rng.integers(0, 120, (240, 8, 8), dtype=np.uint8)
    images[np.arange(240), 2 * labels, 2 * labels] = 255
    return images, labels


def fit(network, images, **parameters):
    return CNNClassifier(network, **{"max_epochs": 1, "n_threads": 1, "random_state": 0, **parameters}).fit(*images)


class Linear(nn.Module):
    """One linear layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 4)

    def forward(self, images):
        return self.layer(images.flatten(1))


class SoftmaxInEvaluation(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return logits if self.training else logits.softmax(1)


class SoftmaxInTraining(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return logits.softmax(1) if self.training else logits


class Auxiliary(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


class Detached(Linear):
    def forward(self, images):
        return super().forward(images).detach()


class FailsInTraining(Linear):
    def forward(self, images):
        if self.training:
            raise KeyError("labels")
        return super().forward(images)


class Squeezed(Linear):
    def forward(self, images):
        return super().forward(images).squeeze()


class PairsOnly(Linear):
    def forward(self, images):
        return super().forward(images.reshape(2, 64))


class Unflattened(Linear):
    def forward(self, images):
        return super().forward(images)[:, :, None, None].expand(-1, -1, 3, 3)


class WithLabels(Linear):
    def forward(self, images, labels):
        return super().forward(images)


class OnCuda(Linear):
    def forward(self, images):
        raise AssertionError("Torch not compiled with CUDA enabled")


class LargeColour(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 32 * 32, 4)

    def forward(self, images):
        if images.shape[1] != 3:
            raise ValueError("expected 3 channels")
        return self.layer(images.flatten(1))


class OfArea(nn.Module):
    """Network that expects one number as image_size."""

    def __init__(self, num_classes, image_size=8):
        super().__init__()
        self.layer = nn.Linear(image_size // 2 * 2 * image_size, num_classes)

    def forward(self, images):
        return self.layer(images.flatten(1))


def create(n_classes, in_chans, width=3):
    return SizedNet(in_chans, n_classes, width)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (SoftmaxInEvaluation, "in training mode, returned logits, but probabilities in evaluation mode"),
        (SoftmaxInTraining, "in training mode, returned probabilities, but logits in evaluation mode"),
        (Auxiliary, "in training mode, returned a tuple"),
        (Detached, r"without a gradient\. Remove torch\.no_grad"),
        (FailsInTraining, "in training mode, failed .*labels"),
        (Squeezed, r"shape \(4,\) for 1 image;.*Pass dimensions to squeeze"),
        (PairsOnly, "failed for a single image .*batches of any size"),
        (Unflattened, r"\(2, 4, 3, 3\).* return logits\.flatten\(2\)\.mean\(2\)"),
        (WithLabels, "further arguments need a default"),
        (OnCuda, "Use images.device in forward"),
        (lambda: Linear().double(), r"float32 images \(2, 1, 8, 8\).* parameters are torch\.float64: call float\(\)"),
        (LargeColour, "expected 3 channels.* With grey images repeated as three channels, it failed .*192"),
        (OfArea, r"called with .*image_size=\(8, 8\); pass network__NAME=…"),
        (create, r"Pass network__n_classes=…, network__in_chans=… .*name the arguments in_channels"),
    ],
)
def test_fault_of_a_module_is_found_before_training(images, network, words):
    with pytest.raises(ParameterError, match=words) as caught:
        fit(network, images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [Linear().state_dict(), "weights/linear.pt"])
def test_weights_are_no_network(images, weights):
    with pytest.raises(
        (ParameterError, UnknownNameError), match="create the module, call its load_state_dict"
    ) as caught:
        fit(weights, images)
    assert "\n" not in str(caught.value)


def test_option_replaces_an_argument_of_the_data(images):
    assert fit(OfArea, images, network__image_size=8).net_.module_.module.layer.in_features == 64


class Dropout(Linear):
    def forward(self, images):
        return super().forward(F.dropout(images, 0.5))


def test_dropout_in_evaluation_mode_is_reported(images, tmp_path):
    with pytest.warns(UserWarning, match="predictions are random; pass training=self.training"):
        classifier = fit(Dropout, images)
    with pytest.warns(UserWarning, match="Check that the network returns the same logits"):
        classifier.save(tmp_path / "model")


class Centred(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return logits - logits.mean(0)


def test_logits_that_depend_on_the_batch_are_reported(images):
    with pytest.warns(UserWarning, match="depend on the other images of the batch"):
        fit(Centred, images)


class LazyNorm(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(num_classes))

    def forward(self, images):
        return self.layers(images)


class WeightNorm(Linear):
    def __init__(self):
        super().__init__()
        with pytest.warns(FutureWarning):
            self.layer = nn.utils.weight_norm(self.layer)


class Remembering(Linear):
    """Network with an activation that a hook stores, as for an explanation."""

    def __init__(self):
        super().__init__()
        self.stored = {}

    def forward(self, images):
        self.stored["logits"] = super().forward(images)
        return self.stored["logits"]


def script():
    with pytest.warns(DeprecationWarning):
        return torch.jit.script(Linear())


@pytest.mark.parametrize(
    ("network", "options"),
    [(LazyNorm, {}), (WeightNorm, {"time_limit": 20}), (Remembering, {"false_alarm_rate": None})],
)
def test_module_that_deepcopy_refuses_is_trained_and_saved(images, tmp_path, network, options):
    classifier = fit(network, images, **options)
    classifier.save(tmp_path / "model")
    expected = classifier.predict_proba(images[0])
    assert np.abs(OnnxClassifier(tmp_path / "model").predict_proba(images[0]) - expected).max() < 1e-4
    loaded = CNNClassifier.load(tmp_path / "model", network=network)
    assert np.array_equal(loaded.predict_proba(images[0]), expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:The model is saved without:UserWarning")
def test_instance_of_torch_jit_is_trained_and_saved(images, tmp_path):
    module = script()
    before = module.layer.weight.detach().clone()
    classifier = fit(module, images)
    assert torch.equal(module.layer.weight, before)
    assert not torch.equal(classifier.net_.module_.module.layer.weight, before)
    classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model", network=script)
    assert np.array_equal(loaded.predict_proba(images[0]), classifier.predict_proba(images[0]))


class Double(Linear):
    def __init__(self, dtype=torch.float64):
        super().__init__()
        self.to(dtype)

    def forward(self, images):
        return super().forward(images.to(self.layer.weight.dtype))


@pytest.mark.filterwarnings("ignore:The model is saved without model.onnx:UserWarning")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_keep_their_type(images, tmp_path, dtype):
    network = functools.partial(Double, dtype=dtype)
    classifier = fit(network, images)
    expected = classifier.predict_proba(images[0])
    assert expected.dtype == np.float32
    classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model", network=network)
    assert loaded.net_.module_.module.layer.weight.dtype == dtype
    assert np.array_equal(loaded.predict_proba(images[0]), expected)
    assert np.array_equal(loaded.ood_score(images[0]), classifier.ood_score(images[0]))


class Fourier(nn.Module):
    """Network with a complex weight, of four dimensions as that of a convolution."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1, 8, 5, dtype=torch.complex64))
        self.layer = nn.Linear(64, 4)

    def forward(self, images):
        return self.layer(torch.fft.irfft2(torch.fft.rfft2(images.float()) * self.weight, s=(8, 8)).flatten(1))


@pytest.mark.filterwarnings("ignore:The model is saved without:UserWarning")
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "muon"])
def test_complex_weights_are_trained(images, tmp_path, optimizer):
    classifier = fit(Fourier, images, optimizer=optimizer)
    weight = classifier.net_.module_.module.weight
    assert not torch.equal(weight.real, torch.ones(1, 1, 8, 5))
    assert bool(weight.imag.abs().max() > 0)
    classifier.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model", network=Fourier)
    assert np.array_equal(loaded.predict_proba(images[0]), classifier.predict_proba(images[0]))


class Projected(Linear):
    """Network with a random tensor that is not saved."""

    def __init__(self):
        super().__init__()
        self.projection = torch.randn(64, 64)

    def forward(self, images):
        return self.layer(images.flatten(1) @ self.projection)


def test_load_names_tensors_that_are_not_saved_as_a_possible_reason(images, tmp_path):
    fit(Projected, images).save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"draws tensors at random.* persistent buffers"):
        CNNClassifier.load(tmp_path / "model", network=Projected)


@pytest.mark.parametrize(
    ("network", "words"), [(Linear, "lacks the tensor"), (functools.partial(SizedNet, width=5), r"is torch\.float32")]
)
def test_load_refuses_the_weights_of_another_class(images, tmp_path, network, words):
    fit(SizedNet, images).save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=rf"{words}.* the network that was passed has .* with the same options"):
        CNNClassifier.load(tmp_path / "model", network=network)


def test_partial_of_a_class_is_imported(tmp_path, monkeypatch):
    (tmp_path / "partial_of_test.py").write_text(
        "import functools\nimport os\nfrom torch import nn\n"
        "Net = functools.partial(nn.Linear, 64, 4)\n"
        "list_files = functools.partial(os.listdir, '.')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    assert NetworkSpec.from_recipe({"name": "partial_of_test:Net"}).factory.func is nn.Linear
    with pytest.raises(ParameterError, match="expected a class"):
        import_network("partial_of_test:list_files")


class Branching(Linear):
    def forward(self, images):
        return super().forward(images) * (1.0 if images.mean() > 0 else 2.0)


class PerImage(Linear):
    def forward(self, images):
        return torch.stack([self.layer(image.flatten()) for image in images])


@pytest.mark.parametrize(("network", "words"), [(Branching, "data-dependent"), (PerImage, r"Got: .* Expected: 2")])
def test_failed_export_prints_nothing_and_reports_its_cause(images, tmp_path, capfd, network, words):
    classifier = fit(network, images)
    with pytest.warns(UserWarning, match=words) as caught:
        classifier.save(tmp_path / "model")
    message = str(caught[0].message)
    assert "\x1b" not in message
    assert "Copy the model folder" not in message
    assert tuple(capfd.readouterr()) == ("", "")
