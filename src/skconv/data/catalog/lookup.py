"""Catalog of named data sets: titles, licences, class names, and files with checksums and URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from skconv.data.catalog.entry import CatalogEntry as CatalogEntry, CatalogFile as CatalogFile
from skconv.data.catalog.images import IMAGE_ENTRIES
from skconv.data.catalog.medmnist import MEDMNIST_ENTRIES, MULTI_LABEL
from skconv.exceptions import UnknownNameError
from skconv.registry import Registry

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset


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


_ENTRIES: tuple[CatalogEntry, ...] = (
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
    *IMAGE_ENTRIES,
    *MEDMNIST_ENTRIES,
)


def list_datasets() -> list[str]:
    """Return the names of all known data sets, sorted.

    Examples
    --------
    >>> list_datasets()[:4]
    ['cifar10', 'cifar100', 'digits', 'digits-with-background']
    """
    return sorted({*(entry.name for entry in _ENTRIES), *DATASETS.names()})


def list_collection(name: str) -> list[str]:
    """Return the names of the data sets of a collection, or an empty list if there is no such collection.

    Examples
    --------
    >>> list_collection("medmnist")[:2], list_collection("mnist")
    (['medmnist:bloodmnist', 'medmnist:breastmnist'], [])
    """
    return [each for each in list_datasets() if each.startswith(f"{name}:")]


def summarize_names(names: Iterable[str]) -> list[str]:
    """Return names of data sets with one entry for each collection.

    Examples
    --------
    >>> summarize_names(["digits", "medmnist:bloodmnist", "medmnist:breastmnist", "mnist"])
    ['digits', 'medmnist:NAME', 'mnist']
    """
    return list(dict.fromkeys(f"{name.partition(':')[0]}:NAME" if ":" in name else name for name in names))


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
    raise UnknownNameError("data set", name, list_datasets(), explain_name(name))


def explain_name(name: str) -> str:
    """Return a sentence on a name that is that of a collection, or of a data set that is left out; else ""."""
    if name == MULTI_LABEL:
        return "ChestMNIST has several labels per image, and a classifier predicts one: it is not supported."
    collection = list_collection(name)
    return f"'{name}' is a collection; pass one of {', '.join(collection)}." if collection else ""
