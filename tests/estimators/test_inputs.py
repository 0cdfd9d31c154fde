"""Images and labels in the forms that users pass: accepted, or refused in one line that contains the fix."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from PIL import Image
from sklearn.datasets import load_digits

import skconv
from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.exceptions import DataError
from skconv.inference import OnnxClassifier

DIGITS = load_digits()
X, Y = DIGITS.images[:120], DIGITS.target[:120]
ROWS, COLOUR = X.reshape(120, 64), np.repeat(X[..., None], 3, axis=3)
PILLOW = [Image.fromarray((15 * image).astype(np.uint8)) for image in X]


def make(**changes):
    return CNNClassifier("fast", **{"max_epochs": 1, "precision": "fp32", "random_state": 0, **changes})


@pytest.fixture(scope="module")
def grey():
    return make().fit(X, Y)


@pytest.fixture(scope="module")
def colour():
    return make().fit(COLOUR, Y)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            [*X[:-1], np.zeros((9, 8))],
            r"different sizes: image 0 has shape \(8, 8\), and image 119 has shape \(9, 8\)\. Resize",
        ),
        ([PILLOW[0].resize((9, 8)), *PILLOW[1:]], "different sizes"),
        ([image.convert("P") for image in PILLOW], r"mode P.*convert\('RGB'\)"),
        (PILLOW[0], r"a single Pillow image.*\[image\]"),
        (pd.DataFrame({"image": list(X)}), r"np\.stack"),
        ([f"{number}.png" for number in range(120)], r"text.*skconv\.load_images"),
        ([Path(f"{number}.png") for number in range(120)], r"text.*skconv\.load_images"),
        (pd.DataFrame({"file": [f"{number}.png" for number in range(120)]}), r"text.*skconv\.load_images"),
        (pd.Series([f"{number}.png" for number in range(120)]), r"text.*skconv\.load_images"),
        ("folder", r"X is text, 'folder'.*skconv\.load_images"),
        (ROWS.astype(str), r"X\.astype\(float\)"),
        (None, "X is None"),
        ([None, *X[1:]], "."),
        (dict(DIGITS), "X is a dict"),
        (torch.utils.data.TensorDataset(torch.zeros(3, 8, 8)), "X is a TensorDataset"),
        (skconv.load_dataset("digits"), r"X is a Dataset.*dataset\.train_images"),
        (scipy.sparse.csr_matrix(ROWS), r"sparse.*X\.toarray"),
        (ROWS[0], r"Reshape your data"),
        (np.repeat(COLOUR[..., :1], 4, axis=3), r"transparency: X\[\.\.\., :3\]"),
        (np.where(np.arange(120)[:, None, None] == 77, np.nan, X), r"Image 77 contains NaN"),
        (1e300 * X, r"Image 0 contains .*too large"),
        (X.astype(complex), "Complex data not supported"),
        (X.astype("M8[s]"), "datetime64"),
        (np.c_[Y, ROWS], r"first column of X.* equal to y.*X\[:, 1:\]"),
        (np.c_[ROWS, Y], r"last column of X.* equal to y.*X\[:, :-1\]"),
    ],
)
def test_unusable_images_are_refused_in_one_line(images, message):
    with pytest.raises(DataError, match=message) as caught:
        make(max_epochs=1000).fit(images, Y)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_no_images_are_refused():
    with pytest.raises(DataError, match=r"0 sample"):
        make().fit(X[:0], Y[:0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([label if label % 2 else str(label) for label in Y.tolist()], r"several types.*str\(label\)"),
        (np.array([label if label % 2 else str(label) for label in Y], object), r"several types.*str\(label\)"),
        ([None, *map(str, Y[1:])], r"missing labels, None or NaN, for 1 of 120 images; the first is image 0"),
        ([*map(float, Y[1:]), np.nan], r"missing labels, .* image 119"),
        (pd.Series([*Y[:-1], pd.NA], dtype="Int64"), r"missing labels, .* image 119"),
        (pd.Series([*map(str, Y[:-1]), None], dtype="category"), r"missing labels, .* image 119"),
        (np.eye(10)[Y], r"one-hot.*y\.argmax\(axis=1\)"),
        (Y[1:], r"120 images, y 119 labels"),
        (0 * Y, "only one class"),
        (Y + 0.5, "Unknown label type: continuous"),
        (Y.astype("S"), r"y\.astype\(str\)"),
        (scipy.sparse.csr_matrix(np.eye(10)[Y]), "sparse"),
        (None, "y is None"),
        ("cat", "1d array"),
    ],
)
@pytest.mark.parametrize("estimator", [make(max_epochs=1000), KFoldEnsembleClassifier(make(), cv=2)])
def test_unusable_labels_are_refused_in_one_line(estimator, labels, message):
    with pytest.raises(DataError, match=message) as caught:
        estimator.fit(X, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.tensor(X, requires_grad=True), torch.tensor(Y)),
        (list(torch.tensor(X)), list(torch.tensor(Y))),
        (torch.tensor(X, dtype=torch.bfloat16), Y),
        (X.tolist(), Y.tolist()),
        ((image for image in X), tuple(Y)),
        (pd.DataFrame(ROWS), pd.Series(Y, index=np.arange(500, 620))),
        (X.astype(object), Y.astype(object)),
        (X.astype(np.float16), Y.astype(float)),
    ],
)
def test_other_types_give_the_same_predictions(images, labels, grey):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = make().fit(images, labels)
    np.testing.assert_array_equal(fitted.predict_proba(X), grey.predict_proba(X))


def test_images_of_pillow_are_read_by_the_estimators(grey):
    fitted = make().fit(PILLOW, Y)
    np.testing.assert_array_equal(fitted.predict(PILLOW), fitted.predict((15 * X).astype(np.uint8)))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.c_[ROWS, Y[::-1]], r"65 features.* 65×1 pixels.*is the label among the columns"),
        (COLOUR.reshape(120, -1), r"192 features.*X\.reshape\(-1, 8, 8, 3\)"),
        (ROWS[:, :62], r"62 features.*X\.reshape\(-1, height, width\)"),
        (ROWS[:, None], r"\(120, 1, 64\).*rows of pixels"),
        (ROWS[:, :, None], r"\(120, 64, 1\).*rows of pixels"),
        (COLOUR.reshape(120, 64, 3), r"grey images of 3×64.*X\.reshape\(-1, 8, 8, 3\)"),
        (COLOUR[:, :3], r"channels may be first or last"),
    ],
)
def test_a_guess_about_the_shape_is_a_warning_at_the_callers_line(images, message):
    with pytest.warns(UserWarning, match=message) as caught:
        fitted = make().fit(images, Y)
    assert caught[0].filename == __file__ and len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the same images are not reported again
        fitted.predict(images)


def test_labels_in_another_order_of_the_index_are_a_warning():
    labels = pd.Series(Y)
    with pytest.warns(UserWarning, match="same index in another order") as caught:
        make().fit(pd.DataFrame(ROWS), labels[::-1])
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(pd.DataFrame(ROWS)[::-1], labels[::-1])
        make().fit(pd.DataFrame(ROWS), Y.tolist())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (lambda channels: X[0] if channels == 1 else COLOUR[0], r"pass images\[None\]"),
        (lambda channels: COLOUR[0], r"pass images\[None\]"),
        (lambda channels: COLOUR if channels == 1 else X, r"convert the colour images|repeat the grey channel"),
        (lambda channels: np.repeat(COLOUR[..., :1], 4, axis=3), r"Remove the transparency"),
        (lambda channels: X[:, 1:], r"expects .*Resize"),
        (lambda channels: np.where(X == 3, np.inf, X) if channels == 1 else 1e39 * COLOUR, r"Image 0 contains"),
    ],
)
def test_estimator_and_onnx_refuse_the_same_images(images, message, grey, colour, tmp_path):
    for fitted, channels in ((grey, 1), (colour, 3)):
        with pytest.raises(DataError, match=message) as caught:
            fitted.predict(images(channels))
        assert "\n" not in str(caught.value)
        fitted.save(tmp_path / f"{channels}")
        with pytest.raises(DataError, match=message):
            OnnxClassifier(tmp_path / f"{channels}").predict(images(channels))
