"""Catalog of named data sets: titles, licences, class names, and files with checksums and URLs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from skconv.exceptions import UnknownNameError
from skconv.registry import Registry

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset


@dataclass(frozen=True)
class CatalogFile:
    """A file of a named data set."""

    name: str  # without .gz; compression is detected from the content
    sha256: str  # of the decompressed bytes, because compression differs between distributions
    addresses: tuple[str, ...] = ()  # URLs, tried in order; a key of the JSON of `skconv data`


@dataclass(frozen=True)
class CatalogEntry:
    """A named data set.

    A data set of the form "competition" or "made" is built from another one by a function registered in `DATASETS`.
    """

    name: str  # as passed to `load_dataset`
    title: str  # one line: content, number and size of the images
    licence: str  # "unknown" if the publisher states none
    class_names: tuple[str, ...]  # in the order of the labels
    form: Literal["idx", "npz", "zipcode-text", "scikit-learn", "competition", "made"]
    files: tuple[CatalogFile, ...] = ()
    folder: str = ""  # subfolder of the data home and of the cache; by default the name
    system_folders: tuple[str, ...] = ()  # installed by packages of the operating system
    openml: str = ""  # name on OpenML, if the files have no URL
    made_from: str = ""  # source data set of the forms "competition" and "made"

    def __post_init__(self) -> None:
        if not self.folder:
            object.__setattr__(self, "folder", self.name)


class BuiltDataset(NamedTuple):
    """A data set built from another one by the function ``build(entry, data_home=, download=, progress=)``."""

    entry: CatalogEntry
    build: Callable[..., Dataset]


DATASETS: Registry[BuiltDataset] = Registry("datasets", "data set")

# File names of the images and labels of each split, for MNIST and the data sets in its format.
IDX_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
DIGIT_NAMES = tuple("0123456789")
_CLOTHING = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def _idx_files(base: str, *sha256: str) -> tuple[CatalogFile, ...]:
    names = [name for pair in IDX_NAMES.values() for name in pair]
    return tuple(CatalogFile(name, digest, (f"{base}{name}.gz",)) for name, digest in zip(names, sha256, strict=True))


_ENTRIES = (
    CatalogEntry(
        name="mnist",
        title="MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey",
        licence="CC BY-SA 3.0",
        class_names=DIGIT_NAMES,
        form="idx",
        files=_idx_files(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    CatalogEntry(
        name="fashion-mnist",
        title="Fashion-MNIST: 60,000 + 10,000 images of clothing, 28×28 grey",
        licence="MIT",
        class_names=_CLOTHING,
        form="idx",
        files=_idx_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        system_folders=("/usr/share/datasets/fashion-mnist",),
    ),
    CatalogEntry(
        name="usps",
        title="USPS: 7,291 + 2,007 digits from envelopes, 16×16 grey, pixel values of LIBSVM and OpenML",
        licence="unknown",
        class_names=DIGIT_NAMES,
        form="npz",
        files=(
            CatalogFile("usps_libsvm_u8_9298.npz", "e869cd9db8d06c195840b97399060f12ff20624775956dcb4fe9f887b9d22021"),
        ),
        openml="USPS",
    ),
    CatalogEntry(
        name="usps-esl",
        title="USPS: the digits of usps with the grey values of The Elements of Statistical Learning, 16×16",
        licence="unknown",
        class_names=DIGIT_NAMES,
        form="zipcode-text",
        files=(
            CatalogFile(
                "zip.train",
                "abc9f5c75b997cabe66b5d01727d5a681c69298e1641a8d37b55433a52129dc0",
                ("https://hastie.su.domains/ElemStatLearn/datasets/zip.train.gz",),
            ),
            CatalogFile(
                "zip.test",
                "6bde17b4f1cd68e0630cd2751d6495b5795d9165ab2dc4a0be8b7002b732f4cc",
                ("https://hastie.su.domains/ElemStatLearn/datasets/zip.test.gz",),
            ),
        ),
        folder="usps",
    ),
    CatalogEntry(
        name="digits",
        title="scikit-learn's digits: 1,797 handwritten digits, 8×8 grey, 17 levels scaled to 0..255, no test split",
        licence="CC BY 4.0",
        class_names=DIGIT_NAMES,
        form="scikit-learn",
    ),
)


def list_datasets() -> list[str]:
    """Return the names of all known data sets, sorted.

    Examples
    --------
    >>> list_datasets()[:4]
    ['digits', 'digits-with-background', 'fashion-mnist', 'identify-the-apparels']
    """
    return sorted({*(entry.name for entry in _ENTRIES), *DATASETS.names()})


def get_entry(name: str) -> CatalogEntry:
    """Return the catalog entry of a named data set; for other names, raise `UnknownNameError` with the nearest one.

    Examples
    --------
    >>> get_entry("mnist").licence
    'CC BY-SA 3.0'
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    if name in DATASETS:
        return DATASETS.get(name).entry
    raise UnknownNameError("data set", name, list_datasets())
