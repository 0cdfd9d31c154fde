"""Out-of-distribution detection: AUROC and false alarms of `ood_score`, and AUROC of other scores.

    SKCONV_DATA=FOLDER python benchmarks/out_of_distribution.py RUN=SOURCE [RUN=SOURCE ...] [--images 1000] [--compare]

Each RUN is a run folder or model folder, and SOURCE its data: mnist, fashion-mnist, cifar10 or a folder of images. Test
images of each source are scored against those of the other sources, noise, printed letters and blank images; for data
without a test split, images that the model was not trained on. The threshold is that of the model.

--compare needs torch. It compares scores on validation images of each model and *training* images of the other sources,
and noise, letters and blank images with another seed, so that the score can be chosen without test images.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from background_images import make_background_images
from report import write_result

from skconv import OnnxClassifier, load_dataset, normalize_digit
from skconv.commands.scoring import choose_unseen, load_for_model
from skconv.evaluation.metrics import wilson_interval
from skconv.evaluation.ranking import measure_auroc

Score = Callable[[np.ndarray], np.ndarray]
_MAX_SIDE = 128  # pixels of images of other sources, which are then resized for the model
_SEEDS = {"test": 2, "validation": 1}


def make_others(classifier: OnnxClassifier, n: int, seed: int) -> dict[str, np.ndarray]:
    """Return noise, letters and blank images in the model's size; letters for grey models are normalised as digits."""
    rng, spec = np.random.default_rng(seed), classifier.image_spec
    shape = (n, *spec.shape)
    grey = rng.uniform(0, 255, (n, *[1] * (len(shape) - 1)))
    kinds = {
        "uniform noise": rng.uniform(0, 256, shape),
        "Gaussian noise": rng.normal(grey, rng.uniform(2, 80, grey.shape), shape),
        "blank": np.broadcast_to(grey, shape),
        "blank with noise": rng.normal(grey, rng.uniform(1, 12, grey.shape), shape),
    }
    images = {name: values.clip(0, 255).astype(np.uint8) for name, values in kinds.items()}
    letters = make_background_images("letters", 0, n // 4, load_dataset("mnist").test_images, seed)
    convert = normalize_digit if spec.shape == (28, 28) else spec.preprocess
    return {**images, "letters": np.stack([convert(each) for each in letters])}


@cache
def read_split(source: str, split: str) -> np.ndarray:
    """Return the training or test images of a source; all images of one without a test split."""
    is_folder = Path(source).is_dir()
    dataset = load_dataset(source, image_size=_MAX_SIDE) if is_folder else load_dataset(source)
    images = dataset.test_images if split == "test" else dataset.train_images
    return dataset.train_images if images is None else images


def read_other(classifier: OnnxClassifier, source: str, split: str, n: int, seed: int) -> np.ndarray:
    """Return at most n random images of another source, preprocessed for the model."""
    images = read_split(source, split)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:n])
    return np.stack([classifier.image_spec.preprocess(each) for each in images[chosen]])


def measure(classifier: OnnxClassifier, source: str, sources: list[str], n: int) -> dict:
    """Return false alarms on the images of `source`, and AUROC and share of flagged images of all others."""
    unseen = choose_unseen(classifier, load_for_model(classifier, source))
    inside = classifier.predict_with_ood(unseen.images)[1]
    ood = classifier.config.ood
    if inside is None or ood is None:
        raise SystemExit(f"{classifier.folder} has no out-of-distribution score. Train it with this version.")
    n_false = int((inside > ood.threshold).sum())
    low, high = wilson_interval(n_false, len(inside))
    others = {
        Path(other).name: read_other(classifier, other, "test", n, _SEEDS["test"])
        for other in sources
        if other != source
    }
    found = {}
    for name, images in {**others, **make_others(classifier, n, _SEEDS["test"])}.items():
        scores = classifier.predict_with_ood(images)[1]
        assert scores is not None
        found[name] = {
            "AUROC": measure_auroc(inside, scores),
            "flagged": float((scores > ood.threshold).mean()),
            "n": len(scores),
        }
        print(f"  {name:<20} " + "  ".join(f"{key} {value:.4g}" for key, value in found[name].items()), flush=True)
    print(f"  false alarms {100 * n_false / len(inside):.2f} % ({100 * low:.2f} to {100 * high:.2f})", flush=True)
    return {
        "network": classifier.config.network.name,
        "test accuracy": classifier.config.scores.get("test_accuracy"),
        "threshold set on": f"{ood.n} {'validation' if ood.held_out else 'shifted training'} images",
        "false alarms": {"share": n_false / len(inside), "low": low, "high": high, "n": len(inside)},
        "others": found,
    }


def find_validation(classifier: OnnxClassifier, source: str) -> np.ndarray | None:
    """Return the model's validation images, or None if it has none."""
    import torch

    from skconv.estimators.splitting import hold_out
    from skconv.model_io.records import read_held_out
    from skconv.training.batches import ImageDataset

    parameters, held_out = classifier.config.parameters, read_held_out(classifier.folder, classifier.config)
    dataset = load_for_model(classifier, source)
    images = ImageDataset(
        torch.zeros(len(dataset.train_labels), 1), torch.tensor(dataset.train_labels.astype(np.int64))
    )
    random = np.random.RandomState(parameters["random_state"])
    valid = hold_out(images, parameters["validation_fraction"], random)[1]
    if valid is None or held_out is None or valid.positions is None:
        return None
    positions = valid.positions.numpy()
    is_same = np.array_equal(dataset.train_labels[positions], held_out.labels)
    return dataset.train_images[positions] if is_same else None


def make_scores(folder: Path, images: np.ndarray) -> dict[str, Score]:
    """Return scores by name: those of the probabilities, and the parts of `ood_score`; `images` are held out."""
    from skconv import CNNClassifier
    from skconv.evaluation.activations import collect_features

    classifier = CNNClassifier.load(folder, device="cpu")
    network, ood = classifier.net_.module_, classifier.ood_
    assert ood is not None
    known = collect_features(network, images[len(images) // 2 :])
    known = known / np.linalg.norm(known, axis=1, keepdims=True)
    parts = ood.score.scale.clone()

    def nearest(others: np.ndarray) -> np.ndarray:
        features = collect_features(network, others)
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.concatenate(
            [np.partition(1 - part @ known.T, 9, axis=1)[:, 9] for part in np.array_split(features, 20)]
        )

    def select(*names: str) -> Score:
        order = ("features", "statistics", "entropy")

        def score(others: np.ndarray) -> np.ndarray:
            for index, name in enumerate(order):
                ood.score.scale[index] = parts[index] if name in names else 0
            return classifier.ood_score(others)

        return score

    return {
        "1 - confidence": lambda others: 1 - classifier.predict_proba(others).max(1),
        "10th nearest features": nearest,
        "entropy": select("entropy"),
        "Mahalanobis of features": select("features"),
        "Mahalanobis of statistics": select("statistics"),
        "features and statistics": select("features", "statistics"),
        "ood_score": select("features", "statistics", "entropy"),
    }


def compare(classifier: OnnxClassifier, source: str, sources: list[str], n: int) -> dict | None:
    """Print and return the AUROC of each score for each kind of image; None for a model without validation images."""
    valid = find_validation(classifier, source)
    if valid is None:
        return None
    inside = valid[: len(valid) // 2][:n]
    others = {
        Path(other).name: read_other(classifier, other, "train", n, _SEEDS["validation"])
        for other in sources
        if other != source
    }
    others |= make_others(classifier, n, _SEEDS["validation"])
    aurocs = {}
    for name, score in make_scores(classifier.folder, valid).items():
        reference = score(inside)
        aurocs[name] = {kind: measure_auroc(reference, score(images)) for kind, images in others.items()}
        print(f"  {name:<26}" + "  ".join(f"{kind} {auroc:.4f}" for kind, auroc in aurocs[name].items()), flush=True)
    return aurocs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="RUN=SOURCE")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    pairs = [each.rsplit("=", 1) for each in options.models]
    sources = list(dict.fromkeys(source for _, source in pairs))
    measured, compared = {}, {}
    for run, source in pairs:
        classifier, name = OnnxClassifier(run), f"{Path(run).name}: {Path(source).name}"
        print(name)
        if options.compare:
            compared[name] = compare(classifier, source, sources, options.images // 2)
        measured[name] = measure(classifier, source, sources, options.images)
    aurocs = [each["AUROC"] for model in measured.values() for each in model["others"].values()]
    figures = {
        "median AUROC": statistics.median(aurocs),
        "pairs of a model and a kind of other images": len(aurocs),
        "test images": measured,
    }
    if compared:
        figures["AUROC of the scores compared, on validation images"] = compared
    write_result("out_of_distribution", figures)


if __name__ == "__main__":
    main()
