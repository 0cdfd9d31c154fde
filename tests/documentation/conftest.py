"""Fixtures that run the pages of the documentation on small data and with short recipes."""

import functools
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from skconv.competitions import making as competitions
from skconv.data.catalog.lookup import get_entry
from skconv.data.dataset import Splits
from skconv.data.published import named
from skconv.data.published.named import read_named
from skconv.digits.synthetic import dataset as digits_with_background
from skconv.registry import MODELS, RECIPES

from .blocks import RUN, read_blocks
from .page_runner import PageRunner

N_TRAIN, N_TEST = 600, 60
NETWORK = """
from torch import nn


class ResidualNet(nn.Module):
    def __init__(self, in_channels, num_classes, width=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(in_channels, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.head(self.layers(images))
"""


@functools.cache
def read_digits() -> Splits:
    return read_named(get_entry("mnist"))[0]


def read_few(entry, **_):
    """Return a few MNIST digits in place of a named data set, in the size of its images."""
    if entry.form == "scikit-learn":
        return read_named(entry)
    size = {"usps": 16}.get(entry.folder, 28)
    splits = read_digits()

    def cut(images, n):
        return np.stack([np.asarray(Image.fromarray(image).resize((size, size))) for image in images[:n]])

    few = Splits(
        cut(splits.train_images, N_TRAIN),
        splits.train_labels[:N_TRAIN],
        cut(splits.test_images, N_TEST),
        splits.test_labels[:N_TEST],
    )
    return few, "a few digits of MNIST"


def shorten(text: str) -> str:
    """Return a recipe with one epoch and enough validation images for prediction sets."""
    for setting, quick in (
        (r"max_epochs = .*", "max_epochs = 1"),
        (r"min_steps = .*", "min_steps = 0"),
        (r"validation_fraction = .*", "validation_fraction = 0.2"),
        (r"\[training\]", '[training]\nprecision = "fp32"'),  # without validation images, scores are not measured
    ):
        text = re.sub(f"^{setting}", quick, text, flags=re.MULTILINE)
    return text


def write_images(folder, write_rows):
    """Write the files that the pages use."""
    digits = read_digits()
    one, some = digits.test_images[0], digits.test_images[:6]
    for name in ("photo.jpg", "image.png", "seven.png"):
        Image.fromarray(write_rows([[one]], scale=4)).save(folder / name)
    for name in ("page.jpg", "cheque.jpg"):
        Image.fromarray(write_rows([list(some)], scale=3)).save(folder / name)
    (folder / "nets.py").write_text(NETWORK, encoding="utf-8")
    rng = np.random.default_rng(0)
    for label in range(3):
        for kind, images in (
            ("scans", digits.train_images[np.array(digits.train_labels) == str(label)][:20]),
            ("flowers", rng.integers(60 * label, 60 * label + 90, (20, 36, 40, 3), dtype=np.uint8)),
        ):
            target = folder / kind / f"{kind[:-1]}-{label}"
            target.mkdir(parents=True)
            for number, image in enumerate(images):
                Image.fromarray(image).save(target / f"{number}.png")
    files = sorted(folder.glob("scans/*/*.png"))
    lines = [f"{file.relative_to(folder / 'scans').as_posix()},{file.parent.name}" for file in files]
    (folder / "labels.csv").write_text("\n".join(["file,label", *lines]) + "\n")
    rows = [
        f"{label},{','.join(map(str, image.ravel()))}"
        for label, image in zip(digits.train_labels[:200], digits.train_images, strict=False)
    ]
    header = ",".join(["label", *(f"pixel{number}" for number in range(784))])
    (folder / "train.csv").write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture(scope="module")  # not session-scoped, because later tests in the process need all of MNIST
def small_data(tmp_path_factory):
    """Provide small named data sets, recipes with one epoch, and an empty cache."""
    recipes = tmp_path_factory.mktemp("recipes")
    paths = {name: RECIPES.get(name) for name in RECIPES.names()}
    for path in paths.values():
        (recipes / path.name).write_text(shorten(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SKCONV_DATA", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for module in (named, competitions, digits_with_background):
            patch.setattr(module, "read_named", read_few)
        for name, path in paths.items():
            RECIPES.register(name, recipes / path.name)
        yield
    for name, path in paths.items():
        RECIPES.register(name, path)


@pytest.fixture(scope="module")
def get_runner(small_data, tmp_path_factory, write_rows):
    """Return a function that returns the runner of a page."""
    runners = {}

    def get(page):
        if page not in runners:
            folder = tmp_path_factory.mktemp(page.stem)
            write_images(folder, write_rows)
            if "--out runs/first" not in page.read_text(encoding="utf-8"):  # trained on another page
                shutil.copytree(MODELS.get("digits"), folder / "runs" / "first" / "model")
            blocks = [block for block in read_blocks(page) if block.language in RUN]
            runners[page] = PageRunner(folder, blocks)
        return runners[page]

    yield get
    for runner in runners.values():
        runner.end()
