"""People's own handwriting: what does a model read, and what does the normalisation of images give?

    SKCONV_DATA=FOLDER python benchmarks/handwriting.py [--model digits] [--quick] [--out FILE.json]

Measures, of the data sets in the folder that SKCONV_DATA names, those that are there; and images generated from
MNIST's test digits. --quick takes a twentieth of the large sets: a trial that everything runs.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from hard_cases import make_hard_cases
from joblib import Parallel, delayed
from no_digits import MAKERS, make_no_digits
from PIL import Image
from report import write_result

from skconv import load_dataset, normalize_digit, read
from skconv.images.opening import convert_image, open_image
from skconv.images.spec import map_in_threads
from skconv.inference import OnnxClassifier

SURE = 0.99  # a confidence nobody looks behind
ENLARGEMENTS = {"nearest": 0, "bilinear": 2, "bicubic": 3}  # Pillow's numbers
SHARE = 100  # images that a process makes and normalises before it asks for more
Images = Sequence[np.ndarray]


class DigitReader:
    """A model's answers about digits, whether or not it can also say that there is none."""

    def __init__(self, path: str) -> None:
        self.reader = OnnxClassifier(path)
        names = list(self.reader.class_names)
        self.columns = [names.index(str(digit)) for digit in range(10)]

    def score(self, images: Images) -> np.ndarray:
        """Return the probability of each digit for images (n, 28, 28); with "nothing" they do not sum to 1."""
        return self.reader.predict_proba(np.stack(images))[:, self.columns]


def normalize_all(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Normalise images as they come; those of a generator never all wait in memory."""
    return list(map_in_threads(normalize_digit, images))


def in_processes(make: Callable[[int, int], list], n: int) -> list:
    """Return what make(start, stop) returns for all shares of n, by a process a core: drawing holds Python's lock."""
    shares = [(start, min(start + SHARE, n)) for start in range(0, n, SHARE)]
    return list(chain.from_iterable(Parallel(n_jobs=-1)(delayed(make)(*share) for share in shares)))


def resize_only(image: np.ndarray) -> np.ndarray:
    return convert_image(image, 28, 28, 1)


def mend_polarity(image: np.ndarray) -> np.ndarray:
    """Resize, and turn light on dark what is dark on light by the median of the border."""
    small = resize_only(image)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return 255 - small if np.median(border) > 127 else small


def measure_own_images(model: DigitReader, folder: Path) -> dict:
    """Return the table "as is, polarity mended, normalised" of the labelled images that people made."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    images = [open_image(folder / "images" / row["file"]) for row in rows]
    labels = np.array([int(row["label"]) for row in rows])
    photos = np.array(["phone_photo" in row["flags"] for row in rows])
    ways: dict[str, Callable[[], list[np.ndarray]]] = {
        "as is": lambda: [resize_only(image) for image in images],
        "polarity mended": lambda: [mend_polarity(image) for image in images],
        "normalised": lambda: normalize_all(images),
    }
    table = {}
    for name, way in ways.items():
        probabilities = model.score(way())
        right = probabilities.argmax(1) == labels
        table[name] = {
            "right": int(right.sum()),
            "n": len(rows),
            "phone photos right": int(right[photos].sum()),
            "phone photos": int(photos.sum()),
            "wrong and sure": int((~right & (probabilities.max(1) > SURE)).sum()),
            "wrong": [row["file"] for row, good in zip(rows, right, strict=True) if not good][:10],
        }
    return table


def measure_numbers(model: str, folder: Path) -> dict:
    """Return how many numbers are read whole, and how many wrongly among the half that the model is surer of."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    readings = read([folder / "images" / row["file"] for row in rows], model=model).readings
    right = np.array([reading.text == row["digits"] for reading, row in zip(readings, rows, strict=True)])
    surer = np.argsort([-reading.confidence for reading in readings])[: len(rows) // 2]
    return {"right": int(right.sum()), "n": len(rows), "wrong in the surer half": int((~right[surer]).sum())}


def measure_accuracy(model: DigitReader, images: Images, labels: np.ndarray) -> dict:
    right = model.score(normalize_all(images)).argmax(1) == labels
    return {"accuracy": float(right.mean()), "n": len(labels)}


def measure_hard_cases(model: DigitReader, digits: np.ndarray, labels: np.ndarray) -> dict:
    def make(start: int, stop: int) -> list:
        return [(kind, normalize_digit(image)) for kind, image in make_hard_cases(digits, start, stop)]

    made = in_processes(make, len(digits))
    kinds = np.array([kind for kind, _ in made])
    right = model.score([image for _, image in made]).argmax(1) == labels
    figures = {"all": {"accuracy": float(right.mean()), "n": len(labels)}}
    figures |= {kind: {"accuracy": float(right[kinds == kind].mean()), "n": int((kinds == kind).sum())}
                for kind in sorted(set(kinds))}  # fmt: skip
    plain = (model.score(digits).argmax(1) == labels).mean()
    return {"kinds": figures, "the same digits of MNIST": float(plain)}


def write_large(digit: np.ndarray, method: int, shaded: bool, random: np.random.Generator) -> np.ndarray:
    """Write a digit of MNIST 3 to 12 times as large, dark on light, off-centre, on clean or on shaded paper."""
    side = 28 * int(random.integers(3, 13))
    ink = np.asarray(Image.fromarray(digit).resize((side, side), method)) / 255
    top, bottom, left, right = random.integers(0, side // 2, 4)
    ink = np.pad(ink, ((top, bottom), (left, right)))
    if not shaded:
        return np.rint(255 * (1 - ink)).astype(np.uint8)
    rows, columns = np.mgrid[: ink.shape[0], : ink.shape[1]]
    paper = 235 - 100 * (0.6 * columns / ink.shape[1] + 0.4 * rows / ink.shape[0])
    image = paper * (1 - 0.8 * ink) + random.normal(0, 2, ink.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def measure_round_trip(model: DigitReader, digits: np.ndarray, labels: np.ndarray) -> dict:
    """Return how far MNIST's digits come back from paper, in grey levels of 255, and how many are read.

    The digits are enlarged in the ways of `ENLARGEMENTS` by turns.
    """
    right_before = model.score(digits).argmax(1) == labels
    figures: dict = {
        "accuracy before": float(right_before.mean()),
        "come back exactly from their own form": float(
            np.mean([np.array_equal(normalize_digit(digit), digit) for digit in digits])
        ),
    }
    ways = np.arange(len(digits)) % len(ENLARGEMENTS)
    for paper in ("clean", "shaded"):

        def make(start: int, stop: int, shaded: bool = paper == "shaded") -> list[np.ndarray]:
            methods = list(ENLARGEMENTS.values())
            return [
                normalize_digit(write_large(digits[i], methods[ways[i]], shaded, np.random.default_rng([0, i])))
                for i in range(start, stop)
            ]

        images = np.stack(in_processes(make, len(digits)))
        right = model.score(images).argmax(1) == labels
        differences = np.abs(images.astype(float) - digits).mean(axis=(1, 2))
        for number, name in enumerate(["all", *ENLARGEMENTS], start=-1):
            of_these = np.full(len(digits), True) if number < 0 else ways == number
            figures[f"{paper}, {name}"] = {
                "mean difference": float(differences[of_these].mean()),
                "accuracy": float(right[of_these].mean()),
                "points lost": 100 * float(right_before[of_these].mean() - right[of_these].mean()),
                "n": int(of_these.sum()),
            }
    return figures


def measure_separation(model: DigitReader, digits: dict[str, Images], others: dict[str, Images]) -> dict:
    """Return the area under the ROC curve of the highest probability of a digit, digits against each of the others."""
    from sklearn.metrics import roc_auc_score

    scores = {name: model.score(normalize_all(images)).max(1) for name, images in (digits | others).items()}
    return {
        f"{name} against {other}": float(
            roc_auc_score(
                np.repeat([1, 0], [len(scores[name]), len(scores[other])]), np.r_[scores[name], scores[other]]
            )
        )
        for name in digits
        for other in others
    }


def measure_speed(digits: np.ndarray, seconds: float) -> dict:
    """Return how many images a second are normalised by as many threads as there are cores."""
    random = np.random.default_rng(0)
    small = [
        write_large(digit, 2, bool(position % 2), random)[:200, :200] for position, digit in enumerate(digits[:60])
    ]
    small += list(255 - digits[60:120])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{position}.jpg" for position in range(4)]
        for path, digit in zip(paths, digits, strict=False):
            photo = np.full((2048, 1536), 255, np.uint8)
            photo[400:1408, 200:1208] = 255 - np.kron(digit, np.ones((36, 36), np.uint8))
            shade = np.linspace(0.5, 0.9, 1536)[None, :, None] * np.float64([1, 0.97, 0.9])
            pixels = photo[..., None] * shade + random.normal(0, 4, (2048, 1536, 1))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        return {
            "28×28 to 200×200": _count_per_second(small, seconds),
            "photographs of 3 megapixels, opened and normalised": _count_per_second(paths, seconds),
        }


def _count_per_second(images: Sequence, seconds: float) -> dict:
    n = 0
    start, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        n += sum(1 for _ in map_in_threads(normalize_digit, images))
    elapsed = time.perf_counter() - start
    return {
        "images a second": n / elapsed,
        "processor milliseconds each": 1000 * (time.process_time() - used) / n,
        "n": n,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits", help="a model folder; default: the bundled digit model")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the large sets")
    parser.add_argument("--out", type=Path, help="where to write the figures instead of results/handwriting.json")
    arguments = parser.parse_args()
    part = 20 if arguments.quick else 1
    model = DigitReader(arguments.model)
    mnist = load_dataset("mnist")
    digits, labels = np.array(mnist.test_images[::part]), mnist.test_labels[::part]
    home = Path(os.environ.get("SKCONV_DATA", ""))
    figures: dict = {"model": arguments.model, "quick": arguments.quick}
    sets: dict[str, Images] = {"MNIST": list(digits)}

    if (home / "handwriting-dev").is_dir():
        figures["handwriting-dev"] = measure_own_images(model, home / "handwriting-dev")
        sets["handwriting-dev"] = [open_image(path) for path in sorted((home / "handwriting-dev/images").iterdir())]
    if (home / "church-records-dev").is_dir():
        paths = sorted((home / "church-records-dev").glob("*/*"))[::part]
        own = np.array([int(path.parent.name) for path in paths])
        figures["church-records-dev"] = measure_accuracy(model, [open_image(path) for path in paths], own)
    if (home / "cheque-amounts-dev").is_dir():
        figures["cheque-amounts-dev"] = measure_numbers(arguments.model, home / "cheque-amounts-dev")
    if (home / "usps").is_dir():
        usps = load_dataset("usps")
        figures["usps test"] = measure_accuracy(model, list(usps.test_images[::part]), usps.test_labels[::part])
    figures["hard cases"] = measure_hard_cases(model, digits, labels)
    figures["round trip"] = measure_round_trip(model, digits, labels)
    others: dict[str, Images] = {}
    for kind in MAKERS:

        def make(start: int, stop: int, kind: str = kind) -> list[np.ndarray]:
            return make_no_digits(kind, start, stop, digits)

        others[kind] = in_processes(make, 2000 // part)
    if (home / "fashion-mnist").is_dir():
        others["Fashion-MNIST"] = list(load_dataset("fashion-mnist").test_images[::part])
    figures["AUROC of digits against nothing"] = measure_separation(model, sets, others)
    figures["speed"] = measure_speed(digits, 2 if arguments.quick else 10)

    write_result("handwriting", figures, arguments.out)


if __name__ == "__main__":
    main()
