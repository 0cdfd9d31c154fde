from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skconv import CNNClassifier, KFoldEnsembleClassifier, OnnxClassifier, load_dataset
from skconv.estimators.ood import count_images, find_threshold
from skconv.exceptions import ModelFileError, ParameterError
from skconv.model_io.folder import OOD_NAME


@pytest.fixture(scope="module")
def digits():
    data = load_dataset("digits")
    return data.train_images[:1200], data.train_labels[:1200], data.train_images[1200:]


@pytest.fixture(scope="module")
def fitted(digits):
    classifier = CNNClassifier("fast", max_epochs=8, random_state=0, validation_fraction=0.3, n_threads=1)
    return classifier.fit(*digits[:2])


def test_score_separates_negatives_and_is_rarely_high_for_new_images(fitted, digits):
    assert (fitted.ood_.n, fitted.ood_.held_out) == (360, True)
    threshold = fitted.ood_.threshold
    assert (fitted.ood_score(digits[2]) > threshold).mean() < 0.04
    assert (fitted.ood_score(255 - digits[2]) > threshold).mean() > 0.95
    assert (fitted.ood_score(np.zeros_like(digits[2])) > threshold).all()


def test_threshold_without_validation_images_allows_for_new_images(digits):
    classifier = CNNClassifier("fast", max_epochs=12, random_state=0, n_threads=1).fit(*digits[:2])
    assert (classifier.ood_.n, classifier.ood_.held_out) == (600, False)
    assert (classifier.ood_score(digits[2]) > classifier.ood_.threshold).mean() < 0.03


def test_score_does_not_change_weights_or_random_state(digits):
    weights = []
    for rate in (0.01, None):
        torch.manual_seed(3)
        classifier = CNNClassifier("fast", max_epochs=1, random_state=0, false_alarm_rate=rate, n_threads=1)
        classifier.fit(*digits[:2])
        weights.append([*classifier.net_.module_.state_dict().values(), torch.rand(2)])
    for with_score, without in zip(*weights, strict=True):
        torch.testing.assert_close(with_score, without, rtol=0, atol=0)


def test_score_does_not_depend_on_the_order_of_the_rows(digits):
    images, labels, new = digits
    order = np.random.default_rng(0).permutation(len(images))
    settings = {"max_epochs": 1, "random_state": 0, "precision": "fp32", "n_threads": 1}
    first = CNNClassifier("fast", **settings).fit(images, labels)
    second = CNNClassifier("fast", **settings).fit(images[order], labels[order])
    assert second.ood_.threshold == pytest.approx(first.ood_.threshold, rel=1e-4)
    np.testing.assert_allclose(second.ood_score(new), first.ood_score(new), rtol=1e-3, atol=1e-3)


def test_rate_none_partial_fit_and_few_images_give_no_score(fitted, digits):
    images, labels, _ = digits
    arguments = {"max_epochs": 1, "n_threads": 1, "random_state": 0}
    none = CNNClassifier("fast", false_alarm_rate=None, **arguments).fit(images, labels)
    few = CNNClassifier("fast", **arguments).fit(images[:190], labels[:190])
    later = CNNClassifier("fast", **arguments).fit(images, labels).partial_fit(images[:50], labels[:50])
    for classifier in (none, few, later):
        assert classifier.ood_ is None
        with pytest.raises(ParameterError, match="no out-of-distribution score"):
            classifier.ood_score(images[:2])
    with pytest.raises(ParameterError, match="false_alarm_rate"):
        CNNClassifier("fast", false_alarm_rate=0).fit(images, labels)


def test_threshold_is_exceeded_at_the_chosen_rate():
    scores = np.random.default_rng(0).permutation(999).astype(float)
    assert find_threshold(scores, 0.05) == 949
    with pytest.warns(UserWarning, match="maximum of 50 images"):
        assert find_threshold(scores[:50], 0.01) == scores[:50].max()
    with pytest.warns(UserWarning, match="larger false_alarm_rate or more validation images"):
        find_threshold(scores, 1e-4)
    with pytest.warns(UserWarning, match=r"larger false_alarm_rate\.$"):  # more images would not be used
        find_threshold(np.arange(2000.0), 1e-4)


def test_scored_images_are_counted_by_classes_and_by_the_half_without_validation():
    assert count_images(10_000, 5000, 200) == 3000 + 2000
    assert count_images(1500, 0, 10) == count_images(1500, 99, 10) == 750 + 750
    assert count_images(150, 0, 10) == 0


class Untraceable(nn.Module):
    """A module that can only be exported by torch.export, because the kernel of its convolution is computed."""

    def __init__(self, num_classes):
        super().__init__()
        self.kernel, self.last = nn.Parameter(torch.randn(4, 1, 3, 3)), nn.Linear(144, num_classes)

    def forward(self, images):
        kernel = torch.stack(list(self.kernel)) - self.kernel.mean()
        return self.last(F.conv2d(images, kernel.repeat(images.shape[1], 1, 1, 1)).relu().flatten(1))


AUGMENTED = {"name": "residual", "tta": "flip-shift", "width": 4}


@pytest.mark.parametrize("network", ["fast", AUGMENTED, Untraceable])
def test_saved_score_is_that_of_the_estimator_in_torch_and_onnx(network, digits, tmp_path):
    images, labels, new = digits[0][:400], digits[1][:400], digits[2][:200]
    classifier = CNNClassifier(network, max_epochs=2, random_state=0, n_threads=1).fit(images, labels)
    classifier.save(tmp_path / "model", images=images[:100])
    expected = classifier.ood_score(new)
    onnx = OnnxClassifier(tmp_path / "model")
    np.testing.assert_allclose(onnx.predict_with_ood(new)[1], expected, rtol=1e-3, atol=1e-3)
    assert onnx.ood_threshold == classifier.ood_.threshold
    loaded = CNNClassifier.load(tmp_path / "model", network=network if network is Untraceable else None)
    np.testing.assert_allclose(loaded.ood_score(new), expected, rtol=1e-5, atol=1e-5)
    assert "false-alarm rate of 1 %" in (tmp_path / "model" / "card.md").read_text()


def test_ensemble_has_the_score_of_its_first_member(digits, tmp_path):
    images, labels, new = digits
    template = CNNClassifier("fast", max_epochs=3, n_threads=1)
    ensemble = KFoldEnsembleClassifier(template, cv=3, random_state=0).fit(images, labels)
    first = ensemble.estimators_[0]
    assert (ensemble.ood_.n, ensemble.ood_.held_out) == (len(ensemble.held_out_indices_[0]), True)
    assert ensemble.estimators_[1].ood_ is None
    expected = first.ood_score(new)
    np.testing.assert_allclose(ensemble.ood_score(new), expected, rtol=1e-4, atol=1e-4)
    ensemble.save(tmp_path / "model")
    np.testing.assert_allclose(
        OnnxClassifier(tmp_path / "model").predict_with_ood(new)[1], expected, rtol=1e-3, atol=1e-3
    )
    loaded = KFoldEnsembleClassifier.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.ood_score(new), expected, rtol=1e-4, atol=1e-4)


def test_altered_tables_are_refused(fitted, tmp_path):
    from safetensors.torch import load_file, save_file

    from skconv.estimators.ood import read_ood
    from skconv.model_io.config import FileRecord
    from skconv.model_io.folder import hash_file, read_config

    fitted.save(tmp_path / "model")
    config, path = read_config(tmp_path / "model"), tmp_path / "model" / OOD_NAME
    tensors = load_file(path)
    for name, value in (("scale", None), ("features.basis", torch.zeros(2, 2)), ("shift", torch.full((3,), torch.nan))):
        altered = {key: each for key, each in tensors.items() if key != name}
        save_file(altered if value is None else {**altered, name: value}, path)
        config.files[OOD_NAME] = FileRecord(hash_file(path), path.stat().st_size)
        with pytest.raises(ModelFileError, match=OOD_NAME):
            read_ood(tmp_path / "model", config)


@pytest.mark.parametrize("missing", ["section", "file"])
def test_section_without_file_and_file_without_section_are_refused(fitted, tmp_path, missing):
    from skconv.estimators.ood import read_ood
    from skconv.model_io.folder import read_config

    fitted.save(tmp_path / "model")
    config = read_config(tmp_path / "model")
    if missing == "section":
        config = replace(config, ood=None)
    else:
        del config.files[OOD_NAME]
    with pytest.raises(ModelFileError, match="or neither"):
        read_ood(tmp_path / "model", config)


@pytest.mark.parametrize("fails_without", [True, False])
def test_score_is_dropped_only_if_the_export_succeeds_without_it(fitted, digits, tmp_path, monkeypatch, fails_without):
    from skconv.model_io import saving

    export = saving.export_onnx

    def fail(*arguments, score, **options):
        if fails_without or score is not None:
            raise RuntimeError("unsupported operator")
        return export(*arguments, score=score, **options)

    monkeypatch.setattr(saving, "export_onnx", fail)
    kind = "model.onnx" if fails_without else "an out-of-distribution score"
    with pytest.warns(UserWarning, match=f"saved without {kind}"):
        fitted.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model")
    if fails_without:
        np.testing.assert_allclose(loaded.ood_score(digits[2]), fitted.ood_score(digits[2]), rtol=1e-5, atol=1e-5)
    else:
        assert loaded.ood_ is None
