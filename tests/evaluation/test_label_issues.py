import io
import sys

import numpy as np
import pytest
from PIL import Image

from skconv.evaluation.label_issues import find_blanks, find_duplicates, find_label_issues, find_near_duplicates
from skconv.exceptions import ParameterError


@pytest.fixture(scope="module")
def digits():
    from skconv import load_dataset

    return np.ascontiguousarray(load_dataset("mnist").train_images[:600])


def compress(image, quality=85):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def test_find_blanks_finds_images_without_contrast(digits):
    images = np.concatenate([digits[:5], np.full((1, 28, 28), 200, np.uint8), np.zeros((1, 28, 28), np.uint8)])
    images[5, 3, 3] = 207
    assert find_blanks(images).tolist() == [5, 6]


def test_find_duplicates_pairs_each_duplicate_with_the_first(digits):
    images = np.concatenate([digits[:50], digits[7:8], digits[7:8]])
    assert find_duplicates(images).tolist() == [[7, 50], [7, 51]]
    assert find_duplicates(digits[:50]).shape == (0, 2)


@pytest.mark.parametrize("quality", [95, 80, 60])
def test_find_near_duplicates_finds_compressed_images_only(digits, quality):
    planted = np.stack([compress(digits[number], quality) for number in range(0, 600, 30)])
    pairs = find_near_duplicates(np.concatenate([digits, planted]), tolerance=0.03 if quality > 60 else 0.05)
    assert {tuple(pair) for pair in pairs.tolist()} >= {(30 * number, 600 + number) for number in range(20)}
    if quality > 60:
        assert len(pairs) == 20


@pytest.mark.parametrize("shape", [(40, 9, 13), (40, 30, 21, 3), (40, 2, 2), (1500, 5, 5)])
def test_find_near_duplicates_agrees_with_a_full_comparison(shape):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 40, shape, dtype=np.uint8)
    flat = images.reshape(len(images), -1).astype(float)
    squares = (flat**2).mean(1)
    distances = np.sqrt((squares[:, None] + squares - 2 * flat @ flat.T / flat.shape[1]).clip(0)) / 255
    bound = float(np.quantile(distances[np.triu_indices(len(images), 1)], 0.01)) + 1e-6
    expected = [pair for pair in np.argwhere(distances <= bound).tolist() if pair[0] < pair[1]]
    assert find_near_duplicates(images, tolerance=bound).tolist() == expected


def test_find_label_issues_finds_flipped_labels():
    pytest.importorskip("cleanlab")
    generator = np.random.default_rng(0)
    truth = np.arange(2000) % 4
    probabilities = np.full((2000, 4), 0.02) + 0.92 * np.eye(4)[truth]
    labels = truth.copy()
    flipped = generator.choice(2000, 40, replace=False)
    labels[flipped] = (labels[flipped] + 1) % 4
    assert set(find_label_issues(labels, probabilities.astype(np.float32)).tolist()) == set(flipped.tolist())


def test_missing_cleanlab_raises_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[reliability\]'"):
        find_label_issues(np.array([0, 1]), np.eye(2))
