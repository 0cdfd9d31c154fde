"""Entries of the catalog for the 2D data sets of MedMNIST v2 at 28×28 pixels.

Checksums and classes are those of the package medmnist 3.0.2, results those of the publication. ChestMNIST
is missing, because its images have several labels each.
"""

from __future__ import annotations

from typing import NamedTuple

from skconv.data.catalog.entry import CatalogEntry, CatalogFile, PublishedResult

MULTI_LABEL = "medmnist:chestmnist"
_ZENODO = "https://zenodo.org/records/10519652/files/"
_REFERENCE = "doi:10.1038/s41597-022-01721-8"
_METHODS = ("ResNet-18 (28)", "Google AutoML Vision")
_ORGANS = (
    "bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right", "liver", "lung-left", "lung-right",
    "pancreas", "spleen",
)  # fmt: skip


class _MedSet(NamedTuple):
    """Facts of a data set: images of each split, and test accuracies of the `_METHODS` or none."""

    name: str
    content: str
    md5: str
    n_images: tuple[int, int, int]
    class_names: tuple[str, ...]
    accuracies: tuple[float, ...]
    channels: int = 1
    licence: str = "CC BY 4.0"


_SETS = (
    _MedSet(
        "PathMNIST", "colon tissue", "a8b06965200029087d5bd730944a56c1", (89_996, 10_004, 7_180),
        (
            "adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
            "cancer-associated stroma", "colorectal adenocarcinoma epithelium",
        ),
        (0.907, 0.728), channels=3,
    ),
    _MedSet(
        "DermaMNIST", "skin lesions", "0744692d530f8e62ec473284d019b0c7", (7_007, 1_003, 2_005),
        (
            "actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma", "benign keratosis-like lesions",
            "dermatofibroma", "melanoma", "melanocytic nevi", "vascular lesions",
        ),
        (), channels=3, licence="CC BY-NC 4.0",
    ),
    _MedSet(
        "OCTMNIST", "retinal OCT", "c68d92d5b585d8d81f7112f81e2d0842", (97_477, 10_832, 1_000),
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        (0.743, 0.771),
    ),
    _MedSet(
        "PneumoniaMNIST", "chest X-rays of children", "28209eda62fecd6e6a2d98b1501bb15f", (4_708, 524, 624),
        ("normal", "pneumonia"), (0.854, 0.946),
    ),
    _MedSet(
        "RetinaMNIST", "fundus photos, five ordered grades of retinopathy", "bd4c0672f1bba3e3a89f0e4e876791e4",
        (1_080, 120, 400), tuple("01234"), (0.524, 0.531), channels=3,
    ),
    _MedSet(
        "BreastMNIST", "breast ultrasound", "750601b1f35ba3300ea97c75c52ff8f6", (546, 78, 156),
        ("malignant", "normal, benign"), (0.863, 0.861),
    ),
    _MedSet(
        "BloodMNIST", "blood cells", "7053d0359d879ad8a5505303e11de1dc", (11_959, 1_712, 3_421),
        (
            "basophil", "eosinophil", "erythroblast", "immature granulocytes", "lymphocyte", "monocyte", "neutrophil",
            "platelet",
        ),
        (), channels=3,
    ),
    _MedSet(
        "TissueMNIST", "kidney cortex cells", "ebe78ee8b05294063de985d821c1c34b", (165_466, 23_640, 47_280),
        (
            "collecting duct, connecting tubule", "distal convoluted tubule", "glomerular endothelial cells",
            "interstitial endothelial cells", "leukocytes", "podocytes", "proximal tubule segments",
            "thick ascending limb",
        ),
        (),
    ),
    _MedSet(
        "OrganAMNIST", "abdominal organs, axial CT", "68e3f8846a6bd62f0c9bf841c0d9eacc", (34_561, 6_491, 17_778),
        _ORGANS, (),
    ),
    _MedSet(
        "OrganCMNIST", "abdominal organs, coronal CT", "b9ceb9546e10131b32923c5bbeaea2b1", (12_975, 2_392, 8_216),
        _ORGANS, (),
    ),
    _MedSet(
        "OrganSMNIST", "abdominal organs, sagittal CT", "9ab87b696fb54e2a387ebe992d6ed5f1", (13_932, 2_452, 8_827),
        _ORGANS, (),
    ),
)  # fmt: skip


def _to_entry(each: _MedSet) -> CatalogEntry:
    file = f"{each.name.lower()}.npz"
    train, valid, test = each.n_images
    colour = "colour" if each.channels == 3 else "grey"
    results = zip(_METHODS, each.accuracies, strict=False)  # no accuracy is recorded for some sets
    return CatalogEntry(
        name=f"medmnist:{each.name.lower()}",
        title=f"{each.name}: {train:,} + {valid:,} + {test:,} images, {each.content}, 28×28 {colour}",
        licence=each.licence,
        class_names=each.class_names,
        form="npz",
        recipe="auto",
        files=(CatalogFile(file, addresses=(f"{_ZENODO}{file}?download=1",), checksum=f"md5:{each.md5}"),),
        folder="medmnist",
        n_images=each.n_images,
        image_shape=(28, 28) if each.channels == 1 else (28, 28, 3),
        published=tuple(PublishedResult(method, accuracy, _REFERENCE) for method, accuracy in results),
    )


MEDMNIST_ENTRIES = tuple(map(_to_entry, _SETS))
