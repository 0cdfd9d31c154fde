"""Data set `digits-with-background`: MNIST, synthetic digits, and images without a digit as an eleventh class."""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL

from skconv.data.catalog.lookup import DATASETS, DIGIT_NAMES, BuiltDataset, CatalogEntry, get_entry
from skconv.data.content import cache_folder
from skconv.data.dataset import Dataset, Splits
from skconv.data.published.named import read_named
from skconv.digits import BACKGROUND_LABEL
from skconv.digits.preprocess.normalization import normalize_digit, normalize_strokes
from skconv.digits.synthetic.background_class import make_background, normalize_clothing
from skconv.digits.synthetic.drawn_digits import draw_glyph, draw_styled_digit
from skconv.digits.synthetic.scanned_digits import draw_on_paper, make_digit_in_row, make_imprecise_cut, resize
from skconv.exceptions import OutputError, SourceNotFoundError
from skconv.files import atomic_write

SEED = 2026
VERSION = 1  # increase when the generated images change, to invalidate the cache

_ENTRY = CatalogEntry(
    name="digits-with-background",
    title="MNIST, synthetic digits, and images without a digit as an eleventh class, 28×28 grey",
    licence="CC BY-SA 3.0; clothing MIT",
    class_names=(*DIGIT_NAMES, BACKGROUND_LABEL),
    form="made",
    made_from="mnist",
)

# Numbers of training images. The test split has a sixth of these numbers of images without a digit.
N_DIGITS = {"imprecise cut": 7_000, "on paper": 16_000, "styled": 14_000, "printed": 2_500}
N_BACKGROUND = {"wrong cut": 8_000, "scribble": 4_000, "letter": 3_500, "texture": 2_000, "blank": 2_000}
N_CLOTHING = 5_000
TEST_FRACTION = 1 / 6


def load_digits_with_background(
    entry: CatalogEntry, *, data_home: str | os.PathLike[str] | None, download: bool, progress: bool
) -> Dataset:
    """Load the data set `digits-with-background`; parameters and errors as in `load_dataset`.

    The training split has MNIST's 60,000 training digits, 39,500 synthetic digits and 24,500 images without a digit.
    The test split has MNIST's 10,000 test digits and 4,082 images without a digit, made from the test splits of MNIST
    and Fashion-MNIST. The synthetic images are reproducible and cached. The data set's `source` is that of MNIST.
    """
    mnist, source = read_named(get_entry(entry.made_from), data_home=data_home, download=download, progress=progress)
    clothing = _read_clothing(data_home, download, progress)
    assert mnist.test_images is not None and mnist.test_labels is not None
    made = _make_or_read_images(mnist, clothing)
    train_images = np.concatenate([mnist.train_images, made["train_images"]])
    test_images = np.concatenate([mnist.test_images, made["test_images"]])
    train_labels = [*mnist.train_labels, *made["train_labels"].tolist()]
    test_labels = [*mnist.test_labels, *[BACKGROUND_LABEL] * len(made["test_images"])]
    dataset = Splits(train_images, train_labels, test_images, test_labels).to_dataset(entry.name, source)
    return replace(dataset, preprocessing="digit")


def make_images(mnist: Splits, clothing: Splits | None, *, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Make the synthetic ``train_images`` and ``test_images``, uint8 (n, 28, 28), and ``train_labels``, str (n,).

    All test images are of the background class. `scale` multiplies the numbers of images.
    """
    rng = np.random.default_rng(SEED)
    labels = np.array(mnist.train_labels)
    images: list[np.ndarray] = []
    names: list[np.ndarray] = []
    for kind, count in N_DIGITS.items():
        made, values = _make_digits(kind, mnist.train_images, labels, round(scale * count), rng)
        images.append(made)
        names.append(values)
    background = _make_background(mnist.train_images, clothing and clothing.train_images, scale, rng)
    images.append(background)
    names.append(np.full(len(background), BACKGROUND_LABEL))
    assert mnist.test_images is not None
    test = _make_background(mnist.test_images, clothing and clothing.test_images, scale * TEST_FRACTION, rng)
    return {"train_images": np.concatenate(images), "train_labels": np.concatenate(names), "test_images": test}


def _make_digits(
    kind: str, digits: np.ndarray, labels: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    images, values = np.empty((n, 28, 28), np.uint8), []
    for index in range(n):
        image, value = _make_digit(kind, digits, labels, rng)
        while not image.any():  # normalisation may remove the strokes of a faint digit
            image, value = _make_digit(kind, digits, labels, rng)
        images[index] = image
        values.append(value)
    return images, np.array(values)


def _make_digit(kind: str, digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    if kind == "styled":
        strokes, value = draw_styled_digit(rng)
        return normalize_strokes(strokes), str(value)
    if kind == "printed":
        text = str(rng.integers(10))
        return normalize_strokes(draw_glyph(text, rng)), text
    index = int(rng.integers(len(digits)))
    if kind == "imprecise cut":
        return normalize_strokes(make_imprecise_cut(digits, rng, index)), str(labels[index])
    strokes = make_digit_in_row(digits, rng, index)
    height = round(float(np.exp(rng.uniform(np.log(14), np.log(60)))))
    width = max(8, round(strokes.shape[1] * height / strokes.shape[0]))
    return normalize_digit(draw_on_paper(resize(strokes, height, width), rng)), str(labels[index])


def _make_background(
    digits: np.ndarray, clothing: np.ndarray | None, scale: float, rng: np.random.Generator
) -> np.ndarray:
    parts = [make_background(kind, digits, max(1, round(scale * count)), rng) for kind, count in N_BACKGROUND.items()]
    if clothing is not None:
        selected = rng.choice(len(clothing), max(1, round(scale * N_CLOTHING)), replace=False)
        parts.append(normalize_clothing(clothing[selected], rng))
    return np.concatenate(parts)


def _read_clothing(data_home: str | os.PathLike[str] | None, download: bool, progress: bool) -> Splits | None:
    try:
        return read_named(get_entry("fashion-mnist"), data_home=data_home, download=download, progress=progress)[0]
    except SourceNotFoundError as error:
        warnings.warn(f"The images without a digit do not include clothing. {error}", stacklevel=4)
        return None


def _make_or_read_images(mnist: Splits, clothing: Splits | None) -> dict[str, np.ndarray]:
    """Return the synthetic images from the cache, or make and cache them and remove those of other versions."""
    digest = hashlib.sha256(repr((np.__version__, PIL.__version__, SEED, VERSION)).encode())
    for splits in (mnist, clothing):
        digest.update(b"none" if splits is None else np.ascontiguousarray(splits.train_images).data)
    file = Path("digits-with-background", f"{digest.hexdigest()}.npz")
    # Damaged files raise many exception types; without a home there is no cache.
    with suppress(Exception), np.load(cache_folder() / file, allow_pickle=False) as cached:
        return {name: cached[name] for name in ("train_images", "train_labels", "test_images")}
    made = make_images(mnist, clothing)
    with suppress(OSError, OutputError):  # the cache may be read-only
        file = cache_folder() / file
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **made)
        for older in set(file.parent.glob("*.npz")) - {file}:
            older.unlink(missing_ok=True)
    return made


DATASETS.register(_ENTRY.name, BuiltDataset(_ENTRY, load_digits_with_background))
