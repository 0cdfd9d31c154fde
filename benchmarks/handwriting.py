"""Accuracy of a digit model on handwriting outside MNIST, and effect of the normalisation of images.

    SKCONV_DATA=FOLDER python benchmarks/handwriting.py [--model digits] [--quick] [--out FILE.json]

Measures the data sets present in the folder that SKCONV_DATA names, and images generated from MNIST's test digits.
--quick uses a twentieth of the large sets, to check that everything runs.
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
from background_images import MAKERS, make_background_images
from hard_cases import make_hard_cases
from joblib import Parallel, delayed
from PIL import Image
from report import write_result

from skconv import load_dataset, normalize_digit, read
from skconv.images.opening import open_image
from skconv.images.resizing import convert_image
from skconv.images.spec import map_in_threads
from skconv.inference import OnnxClassifier

CONFIDENT = 0.99  # a prediction that would not be checked
ENLARGEMENTS = {"nearest": 0, "bilinear": 2, "bicubic": 3}  # Pillow's numbers
CHUNK = 100  # images per task of a process
Images = Sequence[np.ndarray]


class DigitModel:
    """Digit probabilities of a model, with or without a background class."""

    def __init__(self, path: str) -> None:
        self.classifier = OnnxClassifier(path)
        names = list(self.classifier.class_names)
        self.columns = [names.index(str(digit)) for digit in range(10)]

    def score(self, images: Images) -> np.ndarray:
        """Return the probability of each digit for images (n, 28, 28); with a background class they do not sum to 1."""
        return self.classifier.predict_proba(np.stack(images))[:, self.columns]


def normalize_all(images: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Normalise images one by one, so that those of a generator are not all in memory."""
    return list(map_in_threads(normalize_digit, images))


def in_processes(make: Callable[[int, int], list], n: int) -> list:
    """Concatenate make(start, stop) over chunks of n, one process per core: drawing holds the interpreter lock."""
    chunks = [(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    return list(chain.from_iterable(Parallel(n_jobs=-1)(delayed(make)(*chunk) for chunk in chunks)))


def resize_only(image: np.ndarray) -> np.ndarray:
    return convert_image(image, 28, 28, 1)


def correct_polarity(image: np.ndarray) -> np.ndarray:
    """Resize, and invert images whose border has a light median."""
    small = resize_only(image)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    return 255 - small if np.median(border) > 127 else small


def measure_own_images(model: DigitModel, folder: Path) -> dict:
    """Return accuracies on labelled images: resized only, polarity corrected, normalised."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    images = [open_image(folder / "images" / row["file"]) for row in rows]
    labels = np.array([int(row["label"]) for row in rows])
    photos = np.array(["phone_photo" in row["flags"] for row in rows])
    preparations: dict[str, Callable[[], list[np.ndarray]]] = {
        "resized only": lambda: [resize_only(image) for image in images],
        "polarity corrected": lambda: [correct_polarity(image) for image in images],
        "normalised": lambda: normalize_all(images),
    }
    table = {}
    for name, prepare in preparations.items():
        probabilities = model.score(prepare())
        correct = probabilities.argmax(1) == labels
        table[name] = {
            "correct": int(correct.sum()),
            "n": len(rows),
            "phone photos correct": int(correct[photos].sum()),
            "phone photos": int(photos.sum()),
            "wrong with confidence above 0.99": int((~correct & (probabilities.max(1) > CONFIDENT)).sum()),
            "wrong": [row["file"] for row, is_correct in zip(rows, correct, strict=True) if not is_correct][:10],
        }
    return table


def measure_numbers(model: str, folder: Path) -> dict:
    """Return the numbers read correctly, and the errors among the more confident half."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    readings = read([folder / "images" / row["file"] for row in rows], model=model).readings
    correct = np.array([reading.text == row["digits"] for reading, row in zip(readings, rows, strict=True)])
    confident = np.argsort([-reading.confidence for reading in readings])[: len(rows) // 2]
    return {
        "correct": int(correct.sum()),
        "n": len(rows),
        "wrong in the more confident half": int((~correct[confident]).sum()),
    }


def measure_accuracy(model: DigitModel, images: Images, labels: np.ndarray) -> dict:
    correct = model.score(normalize_all(images)).argmax(1) == labels
    return {"accuracy": float(correct.mean()), "n": len(labels)}


def measure_hard_cases(model: DigitModel, digits: np.ndarray, labels: np.ndarray) -> dict:
    def make(start: int, stop: int) -> list:
        return [(kind, normalize_digit(image)) for kind, image in make_hard_cases(digits, start, stop)]

    made = in_processes(make, len(digits))
    kinds = np.array([kind for kind, _ in made])
    correct = model.score([image for _, image in made]).argmax(1) == labels
    figures = {"all": {"accuracy": float(correct.mean()), "n": len(labels)}}
    figures |= {kind: {"accuracy": float(correct[kinds == kind].mean()), "n": int((kinds == kind).sum())}
                for kind in sorted(set(kinds))}  # fmt: skip
    plain = (model.score(digits).argmax(1) == labels).mean()
    return {"kinds": figures, "same MNIST digits, unchanged": float(plain)}


def draw_large(digit: np.ndarray, method: int, shaded: bool, random: np.random.Generator) -> np.ndarray:
    """Draw a digit of MNIST 3 to 12 times as large, dark on light, off-centre, on clean or shaded paper."""
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


def measure_round_trip(model: DigitModel, digits: np.ndarray, labels: np.ndarray) -> dict:
    """Return difference (grey levels of 255) and accuracy of digits that were enlarged on paper and normalised.

    The methods of `ENLARGEMENTS` alternate.
    """
    correct_before = model.score(digits).argmax(1) == labels
    figures: dict = {
        "accuracy before": float(correct_before.mean()),
        "unchanged by normalisation": float(
            np.mean([np.array_equal(normalize_digit(digit), digit) for digit in digits])
        ),
    }
    method_index = np.arange(len(digits)) % len(ENLARGEMENTS)
    for paper in ("clean", "shaded"):

        def make(start: int, stop: int, shaded: bool = paper == "shaded") -> list[np.ndarray]:
            methods = list(ENLARGEMENTS.values())
            return [
                normalize_digit(draw_large(digits[i], methods[method_index[i]], shaded, np.random.default_rng([0, i])))
                for i in range(start, stop)
            ]

        images = np.stack(in_processes(make, len(digits)))
        correct = model.score(images).argmax(1) == labels
        differences = np.abs(images.astype(float) - digits).mean(axis=(1, 2))
        for number, name in enumerate(["all", *ENLARGEMENTS], start=-1):
            selected = np.full(len(digits), True) if number < 0 else method_index == number
            figures[f"{paper}, {name}"] = {
                "mean difference": float(differences[selected].mean()),
                "accuracy": float(correct[selected].mean()),
                "points lost": 100 * float(correct_before[selected].mean() - correct[selected].mean()),
                "n": int(selected.sum()),
            }
    return figures


def measure_separation(model: DigitModel, digits: dict[str, Images], others: dict[str, Images]) -> dict:
    """Return the AUROC of the max digit probability, digits against each of the others."""
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
    """Return images normalised per second, one thread per core."""
    rng = np.random.default_rng(0)
    small = [draw_large(digit, 2, bool(position % 2), rng)[:200, :200] for position, digit in enumerate(digits[:60])]
    small += list(255 - digits[60:120])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{position}.jpg" for position in range(4)]
        for path, digit in zip(paths, digits, strict=False):
            photo = np.full((2048, 1536), 255, np.uint8)
            photo[400:1408, 200:1208] = 255 - np.kron(digit, np.ones((36, 36), np.uint8))
            shade = np.linspace(0.5, 0.9, 1536)[None, :, None] * np.float64([1, 0.97, 0.9])
            pixels = photo[..., None] * shade + rng.normal(0, 4, (2048, 1536, 1))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        return {
            "28×28 to 200×200": _count_per_second(small, seconds),
            "photos of 3 megapixels, opened and normalised": _count_per_second(paths, seconds),
        }


def _count_per_second(images: Sequence, seconds: float) -> dict:
    n = 0
    start, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        n += sum(1 for _ in map_in_threads(normalize_digit, images))
    elapsed = time.perf_counter() - start
    return {
        "images per second": n / elapsed,
        "processor milliseconds per image": 1000 * (time.process_time() - used) / n,
        "n": n,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="digits", help="a model folder; default: the bundled digit model")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the large sets")
    parser.add_argument("--out", type=Path, help="where to write the figures instead of results/handwriting.json")
    arguments = parser.parse_args()
    part = 20 if arguments.quick else 1
    model = DigitModel(arguments.model)
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
            return make_background_images(kind, start, stop, digits)

        others[kind] = in_processes(make, 2000 // part)
    if (home / "fashion-mnist").is_dir():
        others["Fashion-MNIST"] = list(load_dataset("fashion-mnist").test_images[::part])
    figures["AUROC of digits against background"] = measure_separation(model, sets, others)
    figures["speed"] = measure_speed(digits, 2 if arguments.quick else 10)

    write_result("handwriting", figures, arguments.out)


if __name__ == "__main__":
    main()
