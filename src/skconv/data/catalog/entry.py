"""Records of the catalog: a named data set, its files with checksums and URLs, and published results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CatalogFile:
    """A file of a named data set, with the checksum of its decompressed bytes or of the file as published."""

    name: str  # with `sha256` without .gz, because compression is detected; with `checksum` as published
    sha256: str = ""  # of the decompressed bytes, because compression differs between distributions
    addresses: tuple[str, ...] = ()  # URLs, tried in order; a key of the JSON of `skconv data`
    checksum: str = ""  # of the file as published, "sha256:…" or "md5:…", if there is no `sha256`


@dataclass(frozen=True)
class PublishedResult:
    """Test accuracy of a method, as published."""

    method: str
    accuracy: float  # in [0, 1]
    reference: str  # publication or address


@dataclass(frozen=True)
class CatalogEntry:
    """A named data set.

    A data set of the form "competition" or "made" is built from another one by a function registered in `DATASETS`.
    """

    name: str  # as passed to `load_dataset`
    title: str  # one line: content, number and size of the images
    licence: str  # "unknown" if the publisher states none
    class_names: tuple[str, ...]  # in the order of the labels
    form: Literal[
        "idx", "npz", "zipcode-text", "scikit-learn", "competition", "made", "cifar", "svhn", "emnist", "gtsrb"
    ]
    files: tuple[CatalogFile, ...] = ()
    folder: str = ""  # subfolder of the data home and of the cache; by default the name
    system_folders: tuple[str, ...] = ()  # installed by packages of the operating system
    openml: str = ""  # name on OpenML, if the files have no URL
    made_from: str = ""  # source data set of the forms "competition" and "made"
    # Number of training, validation and test images, and shape of one image. If they are known, an unpacked or
    # converted copy in the data home is used, too: see `skconv.data.published.files`.
    n_images: tuple[int, int, int] | None = None
    image_shape: tuple[int, ...] = ()
    published: tuple[PublishedResult, ...] = ()
    recipe: str = "standard"  # default recipe of `skconv train`

    def __post_init__(self) -> None:
        if not self.folder:
            object.__setattr__(self, "folder", self.name)

    @property
    def file_name(self) -> str:
        """Name of files and folders of the data set: ``breastmnist`` for ``medmnist:breastmnist``."""
        return self.name.rpartition(":")[2]

    @property
    def path_name(self) -> str:
        """Name of the data set as part of the name of a run folder: ``medmnist-breastmnist``."""
        return self.name.replace(":", "-")
