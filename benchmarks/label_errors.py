"""Recall and precision of `skconv audit` on label errors and duplicates inserted into MNIST.

    python benchmarks/label_errors.py [--share 0.01] [--planted 20] [--runs 1]

1 % of the training labels are changed to another class, uniformly. 20 training images are appended to the training
images, 20 more after JPEG compression of quality 75, and 20 test images. MNIST's own label errors count against
precision.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result

import skconv


def recode(image: np.ndarray) -> np.ndarray:
    """Return the image after JPEG compression."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=75)
    return np.asarray(Image.open(stream))


def insert_errors(
    share: float, n_planted: int, seed: int
) -> tuple[dict[str, np.ndarray], set[str], dict[str, set[str]]]:
    """Return the data, the names of the images with wrong labels, and the names of the duplicates by kind."""
    mnist, rng = skconv.load_dataset("mnist"), np.random.default_rng(seed)
    images, labels = np.array(mnist.train_images), np.array(mnist.train_labels)
    test_images, test_labels = np.array(mnist.test_images), np.array(mnist.test_labels)
    n = len(labels)
    wrong = rng.choice(n, round(share * n), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    copied = rng.choice(np.setdiff1d(np.arange(n), wrong), 2 * n_planted, replace=False)
    exact, near = copied[:n_planted], copied[n_planted:]
    tested = rng.choice(len(test_labels), n_planted, replace=False)
    recoded = np.stack([recode(each) for each in images[near]])
    starts = n + n_planted * np.arange(3)
    names = [{f"train {k}" for k in range(start, start + n_planted)} for start in starts[:2]]
    data = {
        "x_train": np.concatenate([images, images[exact], recoded, test_images[tested]]),
        "y_train": np.concatenate([labels, labels[exact], labels[near], test_labels[tested]]),
        "x_test": test_images,
        "y_test": test_labels,
    }
    planted = {"duplicate": names[0], "near duplicate": names[1], "overlap": {f"test {k}" for k in tested}}
    return data, {f"train {k}" for k in wrong}, planted


def run(share: float, n_planted: int, seed: int) -> dict[str, float]:
    """Insert errors, audit, and count."""
    data, wrong, planted = insert_errors(share, n_planted, seed)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "planted.npz"
        np.savez(file, **data)
        start = time.perf_counter()
        result = skconv.audit(file, out=Path(name) / "audit", seed=seed)
        seconds = time.perf_counter() - start
    reported = {each.image for each in result.issues if each.kind == "label" and each.image.startswith("train")}
    copies = {each.image for each in result.issues if each.kind in planted}
    figures = {
        "recall": len(reported & wrong) / len(wrong),
        "precision": len(reported & wrong) / max(len(reported), 1),
        "label issues reported": len(reported),
        "seconds": seconds,
    }
    return figures | {f"{kind} found": len(copies & names) for kind, names in planted.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--planted", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    runs = [run(options.share, options.planted, seed) for seed in range(options.runs)]
    write_result("label_errors", {"share": options.share, "planted per kind": options.planted, "runs": runs})


if __name__ == "__main__":
    main()
