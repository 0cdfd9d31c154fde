"""Entries of the catalog for CIFAR, SVHN, KMNIST, EMNIST and GTSRB.

The checksums are those that TensorFlow Datasets records for the same addresses; those of CIFAR-10 and the md5 sums of
GTSRB are published by several projects.
"""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase, digits

from skconv.data.catalog.entry import CatalogEntry, CatalogFile, PublishedResult

_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_KMNIST = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
_SVHN = "http://ufldl.stanford.edu/housenumbers/"
_GTSRB = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
_KMNIST_PAGE = "https://github.com/rois-codh/kmnist"

_CIFAR100_CLASSES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
"""
# Lower-case letters that differ from the upper-case letter, so that EMNIST has a class for both.
_MERGED = (*digits, *ascii_uppercase, *"abdefghnqrt")
_EMNIST_FILE = CatalogFile(
    "gzip.zip",
    addresses=("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
    checksum="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
)


def _name_emnist(subset: str, what: str, n_train: int, n_test: int, class_names: tuple[str, ...]) -> CatalogEntry:
    return CatalogEntry(
        name=f"emnist-{subset}",
        title=f"EMNIST {what}: {n_train:,} + {n_test:,} characters, {len(class_names)} classes, 28×28 grey",
        licence="unknown",
        class_names=class_names,
        form="emnist",
        files=(_EMNIST_FILE,),
        folder="emnist",
        n_images=(n_train, 0, n_test),
        image_shape=(28, 28),
    )


IMAGE_ENTRIES = (
    CatalogEntry(
        name="cifar10",
        title="CIFAR-10: 50,000 + 10,000 photos of animals and vehicles, 32×32 colour",
        licence="unknown",
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        form="cifar",
        recipe="auto",
        files=(
            CatalogFile(
                "cifar-10-binary.tar.gz",
                addresses=(f"{_TORONTO}cifar-10-binary.tar.gz",),
                checksum="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        n_images=(50_000, 0, 10_000),
        image_shape=(32, 32, 3),
        published=(
            PublishedResult("ResNet-20", 0.9125, "arXiv:1512.03385"),
            PublishedResult("ResNet-56", 0.9303, "arXiv:1512.03385"),
            PublishedResult("airbench94", 0.94, "arXiv:2404.00498"),
        ),
    ),
    CatalogEntry(
        name="cifar100",
        title="CIFAR-100: 50,000 + 10,000 photos of 100 classes, 32×32 colour",
        licence="unknown",
        class_names=tuple(name.replace("_", " ") for name in _CIFAR100_CLASSES.split()),
        form="cifar",
        recipe="auto",
        files=(
            CatalogFile(
                "cifar-100-binary.tar.gz",
                addresses=(f"{_TORONTO}cifar-100-binary.tar.gz",),
                checksum="sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
        n_images=(50_000, 0, 10_000),
        image_shape=(32, 32, 3),
    ),
    CatalogEntry(
        name="svhn",
        title="SVHN: 73,257 + 26,032 digits of house numbers, cropped from photos, 32×32 colour",
        licence="non-commercial use",
        class_names=tuple(digits),
        form="svhn",
        recipe="auto",
        files=(
            CatalogFile(
                "train_32x32.mat",
                addresses=(f"{_SVHN}train_32x32.mat",),
                checksum="sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            CatalogFile(
                "test_32x32.mat",
                addresses=(f"{_SVHN}test_32x32.mat",),
                checksum="sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
        ),
        n_images=(73_257, 0, 26_032),
        image_shape=(32, 32, 3),
    ),
    CatalogEntry(
        name="kmnist",
        title="Kuzushiji-MNIST: 60,000 + 10,000 handwritten Japanese characters, 28×28 grey",
        licence="CC BY-SA 4.0",
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        form="idx",
        files=tuple(
            CatalogFile(f"{name}.gz", addresses=(f"{_KMNIST}{name}.gz",), checksum=f"sha256:{digest}")
            for name, digest in (
                ("train-images-idx3-ubyte", "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
                ("train-labels-idx1-ubyte", "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
                ("t10k-images-idx3-ubyte", "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
                ("t10k-labels-idx1-ubyte", "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
            )
        ),
        n_images=(60_000, 0, 10_000),
        image_shape=(28, 28),
        published=(
            PublishedResult("4 nearest neighbours", 0.9156, _KMNIST_PAGE),
            PublishedResult("Keras' simple CNN", 0.9512, _KMNIST_PAGE),
            PublishedResult("PreActResNet-18", 0.9782, _KMNIST_PAGE),
            PublishedResult("PreActResNet-18 with manifold mixup", 0.9883, _KMNIST_PAGE),
        ),
    ),
    _name_emnist("balanced", "balanced", 112_800, 18_800, _MERGED),
    _name_emnist("letters", "letters, both cases merged", 124_800, 20_800, tuple(ascii_uppercase)),
    _name_emnist("digits", "digits", 240_000, 40_000, tuple(digits)),
    _name_emnist("byclass", "by class", 697_932, 116_323, (*digits, *ascii_uppercase, *ascii_lowercase)),
    _name_emnist("bymerge", "by merge", 697_932, 116_323, _MERGED),
    _name_emnist("mnist", "MNIST", 60_000, 10_000, tuple(digits)),
    CatalogEntry(
        name="gtsrb",
        title="GTSRB: 39,209 + 12,630 German traffic signs of 43 classes, photos of 15 to 250 pixels as 48×48 colour",
        licence="unknown",
        class_names=tuple(str(number) for number in range(43)),
        form="gtsrb",
        recipe="auto",
        files=tuple(
            CatalogFile(name, addresses=(f"{_GTSRB}{name}",), checksum=f"md5:{digest}")
            for name, digest in (
                ("GTSRB_Final_Training_Images.zip", "f33fd80ac59bff73c82d25ab499e03a3"),
                ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
                ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
            )
        ),
        n_images=(39_209, 0, 12_630),
        image_shape=(48, 48, 3),
    ),
)
