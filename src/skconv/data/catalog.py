"""The data sets known by name: what they are, their licences, where their files are and how to verify them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skconv.exceptions import UnknownNameError


@dataclass(frozen=True)
class CatalogFile:
    """A file of a named data set.

    Parameters
    ----------
    name : str
        Without ``.gz``: whether a copy is compressed is told by its first bytes.
    sha256 : str
        Of the decompressed bytes, because distributors compress the same bytes differently.
    addresses : tuple of str
        Where it can be downloaded, tried in turn.
    """

    name: str
    sha256: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class CatalogEntry:
    """A data set that is known by name.

    Parameters
    ----------
    name : str
        What a user types.
    title : str
        One line: what it holds, how many, how large.
    licence : str
        ``"unknown"`` where the publisher does not say.
    class_names : tuple of str
        What each label means.
    form : {"idx", "npz", "zipcode-text", "scikit-learn", "competition", "made"}
        How its files are read; scikit-learn carries its own, and a competition's, and images "made" with a seed, come
        from another data set.
    files : tuple of CatalogFile
    folder : str
        The sub-folder of a data home, the cache and the bundled data that holds the files; `name` by default.
    system_folders : tuple of str
        Where packages of operating systems put the files.
    openml : str
        The name on OpenML, for a set whose files have no address of their own.
    made_from : str
        The data set whose images a competition has, or that images are made from.
    """

    name: str
    title: str
    licence: str
    class_names: tuple[str, ...]
    form: Literal["idx", "npz", "zipcode-text", "scikit-learn", "competition", "made"]
    files: tuple[CatalogFile, ...] = ()
    folder: str = ""
    system_folders: tuple[str, ...] = ()
    openml: str = ""
    made_from: str = ""

    def __post_init__(self) -> None:
        if not self.folder:
            object.__setattr__(self, "folder", self.name)


_DIGITS = tuple("0123456789")
_GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def _idx_files(base: str, *sha256: str) -> tuple[CatalogFile, ...]:
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    return tuple(
        CatalogFile(name, checksum, (f"{base}{name}.gz",)) for name, checksum in zip(names, sha256, strict=True)
    )


_ENTRIES = (
    CatalogEntry(
        name="mnist",
        title="MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey",
        licence="CC BY-SA 3.0",
        class_names=_DIGITS,
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
        title="Fashion-MNIST: 60,000 + 10,000 images of garments, 28×28 grey",
        licence="MIT",
        class_names=_GARMENTS,
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
        title="USPS: 7,291 + 2,007 digits from envelopes, 16×16 grey, the pixel values of LIBSVM and OpenML",
        licence="unknown",
        class_names=_DIGITS,
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
        class_names=_DIGITS,
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
        title="scikit-learn's digits: 1,797 handwritten digits, 8×8 grey, 17 levels spread over 0..255, no test split",
        licence="CC BY 4.0",
        class_names=_DIGITS,
        form="scikit-learn",
    ),
    CatalogEntry(
        name="kaggle-digits",
        title="Kaggle's Digit Recognizer, made from MNIST: 42,000 digits with labels, 28,000 to be named, 28×28 grey",
        licence="CC BY-SA 3.0",
        class_names=_DIGITS,
        form="competition",
        made_from="mnist",
    ),
    CatalogEntry(
        name="identify-the-apparels",
        title="Identify the Apparels, made from Fashion-MNIST: 60,000 garments with labels, 10,000 to be named, 28×28",
        licence="MIT",
        class_names=_GARMENTS,
        form="competition",
        made_from="fashion-mnist",
    ),
    CatalogEntry(
        name="digits-with-background",
        title="MNIST, digits that it lacks, and images without a digit as an eleventh class, 28×28 grey",
        licence="CC BY-SA 3.0; garments MIT",
        class_names=(*_DIGITS, "nothing"),
        form="made",
        made_from="mnist",
    ),
)


def list_datasets() -> list[str]:
    """Return the names of the known data sets, sorted.

    Examples
    --------
    >>> list_datasets()[:4]
    ['digits', 'digits-with-background', 'fashion-mnist', 'identify-the-apparels']
    """
    return sorted(entry.name for entry in _ENTRIES)


def get_entry(name: str) -> CatalogEntry:
    """Return what is known about a named data set.

    Raises
    ------
    UnknownNameError
        Nobody registered the name; the nearest one is suggested.

    Examples
    --------
    >>> get_entry("mnist").licence
    'CC BY-SA 3.0'
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    raise UnknownNameError("data set", name, list_datasets())
