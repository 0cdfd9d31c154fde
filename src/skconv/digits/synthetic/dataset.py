"""The data set `digits-with-background`: MNIST, synthetic digits, and images without a digit as an eleventh class."""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL

import skconv.images
from skconv.data.catalog import CatalogEntry, get_entry
from skconv.data.locations import cache_folder
from skconv.data.named import read_named
from skconv.data.splits import Splits
from skconv.digits.preprocess.normalization import normalize_digit, normalize_strokes
from skconv.digits.synthetic.background_class import make_nothing, normalize_garments
from skconv.digits.synthetic.drawn_digits import draw_styled_digit
from skconv.digits.synthetic.joined_digits import make_digit_in_row, make_near_digit
from skconv.digits.synthetic.paper import draw_on_paper, resize
from skconv.digits.synthetic.pen import draw_glyph
from skconv.exceptions import OutputError, SourceNotFoundError
from skconv.files import atomic_write

NOTHING = "nothing"
SEED = 2026

# How many are made for training; for testing a sixth of those without a digit.
DIGITS = {"near": 7_000, "on paper": 16_000, "styled": 14_000, "printed": 2_500}
NO_DIGITS = {"wrong cut": 8_000, "scribble": 4_000, "letter": 3_500, "texture": 2_000, "blank": 2_000}
GARMENTS = 5_000
TEST_SHARE = 6


def read_digits_with_background(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> tuple[Splits, str]:
    """Return the splits of the data set, and where the digits came from.

    The training split is MNIST's 60,000 training digits, 39,500 digits made of them or drawn, and 24,500 images
    without a digit. The test split is MNIST's 10,000 test digits, and images without a digit made apart: of other
    digits, other garments, with another seed. What is made is kept in the cache; it is the same every time.

    Parameters and errors are those of `load_dataset`.

    Warns
    -----
    UserWarning
        Fashion-MNIST was not found: there are no garments among the images without a digit.
    """
    mnist, source = read_named(get_entry(entry.made_from), data_home=data_home, download=download, progress=progress)
    garments = _read_garments(data_home, download, progress)
    assert mnist.test_images is not None and mnist.test_labels is not None
    kept = _name_entry(mnist, garments)
    made = _read_kept(kept)
    if made is None:
        made = make_images(mnist, garments)
        _keep(kept, made)
    train_images = np.concatenate([mnist.train_images, made["train_images"]])
    test_images = np.concatenate([mnist.test_images, made["test_images"]])
    train_labels = [*mnist.train_labels, *made["train_labels"].tolist()]
    test_labels = [*mnist.test_labels, *[NOTHING] * len(made["test_images"])]
    return Splits(train_images, train_labels, test_images, test_labels), source


def make_images(mnist: Splits, garments: Splits | None, *, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Make all images that MNIST has not; `scale` makes so large a share of them.

    Returns
    -------
    dict
        ``train_images`` and ``test_images`` uint8 (n, 28, 28), ``train_labels`` text (n,); the test images are
        all without a digit.
    """
    rng = np.random.default_rng(SEED)
    labels = np.array(mnist.train_labels)
    images: list[np.ndarray] = []
    names: list[np.ndarray] = []
    for kind, count in DIGITS.items():
        made, values = _make_digits(kind, mnist.train_images, labels, round(scale * count), rng)
        images.append(made)
        names.append(values)
    nothing = _make_without(mnist.train_images, garments and garments.train_images, scale, rng)
    images.append(nothing)
    names.append(np.full(len(nothing), NOTHING))
    assert mnist.test_images is not None
    test = _make_without(mnist.test_images, garments and garments.test_images, scale / TEST_SHARE, rng)
    return {"train_images": np.concatenate(images), "train_labels": np.concatenate(names), "test_images": test}


def _make_digits(
    kind: str, digits: np.ndarray, labels: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    images, values = np.empty((n, 28, 28), np.uint8), []
    for number in range(n):
        image, value = _make_digit(kind, digits, labels, rng)
        while not image.any():  # nothing is left of some images that are all but unreadable
            image, value = _make_digit(kind, digits, labels, rng)
        images[number] = image
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
    if kind == "near":
        return normalize_strokes(make_near_digit(digits, rng, index)), str(labels[index])
    strokes = make_digit_in_row(digits, rng, index)
    height = round(float(np.exp(rng.uniform(np.log(14), np.log(60)))))
    width = max(8, round(strokes.shape[1] * height / strokes.shape[0]))
    return normalize_digit(draw_on_paper(resize(strokes, height, width), rng)), str(labels[index])


def _make_without(
    digits: np.ndarray, garments: np.ndarray | None, scale: float, rng: np.random.Generator
) -> np.ndarray:
    parts = [make_nothing(kind, digits, max(1, round(scale * count)), rng) for kind, count in NO_DIGITS.items()]
    if garments is not None:
        chosen = rng.choice(len(garments), max(1, round(scale * GARMENTS)), replace=False)
        parts.append(normalize_garments(garments[chosen], rng))
    return np.concatenate(parts)


def _read_garments(data_home: str | os.PathLike[str] | None, download: bool, progress: bool) -> Splits | None:
    try:
        return read_named(get_entry("fashion-mnist"), data_home=data_home, download=download, progress=progress)[0]
    except SourceNotFoundError as error:
        warnings.warn(f"There will be no garments among the images without a digit. {error}", stacklevel=4)
        return None


def _name_entry(mnist: Splits, garments: Splits | None) -> Path:
    """Return where the images are kept: named after their origin, and after the code that makes them."""
    digest = hashlib.sha256(repr((np.__version__, PIL.__version__, SEED)).encode())
    makers = [
        Path(__file__).with_name(f"{name}.py") for name in ("nothing", "paper", "joined_digits", "drawn_digits", "pen")
    ]
    images = [Path(folder) for folder in skconv.images.__path__]
    normaliser = sorted(path for folder in images for path in folder.glob("*.py"))
    for path in (Path(__file__), *makers, *normaliser):
        digest.update(path.read_bytes())
    for splits in (mnist, garments):
        digest.update(b"none" if splits is None else np.ascontiguousarray(splits.train_images).data)
    return cache_folder() / "digits-with-background" / f"{digest.hexdigest()}.npz"


def _read_kept(kept: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(kept, allow_pickle=False) as made:
            return {name: made[name] for name in ("train_images", "train_labels", "test_images")}
    except Exception:  # a damaged file makes NumPy raise nearly anything
        return None


def _keep(kept: Path, made: dict[str, np.ndarray]) -> None:
    """Keep what was made, and drop what an earlier version made; a cache that cannot be written is done without."""
    with suppress(OSError, OutputError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as beside, beside.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **made)
        for older in set(kept.parent.glob("*.npz")) - {kept}:
            older.unlink(missing_ok=True)
