"""Out-of-distribution detection: AUROC of several scores, and of the one that skconv uses.

    SKCONV_DATA=FOLDER python benchmarks/out_of_distribution.py MODEL [--images 2000] [--features]

MODEL is a run of `skconv train mnist --recipe standard`. Scores are compared by their AUROC between half of the model's
validation images (the predictions of the other half are the reference) and Fashion-MNIST's *training* images, noise,
and images without a digit. `ood_score`, which `skconv evaluate --against` uses, is then measured between MNIST's test
images and Fashion-MNIST's, and noise with another seed. --features also compares distances of the features before the
last linear layer, which needs torch and 10,000 training images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from background_images import MAKERS, make_background_images
from report import write_result

from skconv import OnnxClassifier, load_dataset
from skconv.data.dataset import Dataset
from skconv.evaluation.ood import DEFINITION, measure_auroc, ood_score
from skconv.model_io.records import HeldOut, read_held_out

N_TRAINING = 10_000  # reference images of the feature scores
Score = Callable[[np.ndarray], np.ndarray]


def make_noise(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (n, 28, 28)
    grey = rng.uniform(0, 255, (n, 1, 1))
    kinds = {
        "uniform noise": rng.uniform(0, 256, shape),
        "Gaussian noise": rng.normal(128, 64, shape),
        "Gaussian noise of any mean and spread": rng.normal(grey, rng.uniform(2, 80, (n, 1, 1)), shape),
        "blank with noise": rng.normal(grey, rng.uniform(1, 12, (n, 1, 1)), shape),
    }
    return {name: images.clip(0, 255).astype(np.uint8) for name, images in kinds.items()}


def make_others(classifier: OnnxClassifier, digits: np.ndarray, n: int, seed: int) -> dict[str, np.ndarray]:
    """Return noise and background images in the model's size; letters and fragments are normalised as digits."""
    from skconv import normalize_digit

    images_by_kind = make_noise(n, seed)
    for kind in MAKERS:
        images = make_background_images(kind, 0, n // 4, digits, seed)
        is_ink = kind in ("letters", "ink fragments")
        images_by_kind[kind] = np.stack(
            [normalize_digit(each) if is_ink else classifier.image_spec.preprocess(each) for each in images]
        )
    return images_by_kind


def find_validation(classifier: OnnxClassifier, dataset: Dataset, held_out: HeldOut) -> np.ndarray:
    """Return the positions of the model's validation images."""
    import torch

    from skconv.estimators.validation import hold_out
    from skconv.training.batches import ImageDataset

    parameters = classifier.config.parameters
    labels = torch.from_numpy(np.array(dataset.train_labels))
    images = ImageDataset(torch.from_numpy(np.array(dataset.train_images)).unsqueeze(1), labels)
    random = np.random.RandomState(parameters["random_state"])
    positions = hold_out(images, parameters["validation_fraction"], random)[1].positions.numpy()
    if not np.array_equal(dataset.train_labels[positions], held_out.labels):
        raise SystemExit(
            "The model's validation labels differ from MNIST's. Train it with: skconv train mnist --recipe standard"
        )
    return positions


def make_scores(classifier: OnnxClassifier, known: np.ndarray) -> dict[str, Score]:
    """Return scores computed with onnxruntime alone, each high for out-of-distribution images."""

    def logits(images: np.ndarray) -> np.ndarray:
        batches = np.array_split(images[:, None].astype(np.float32), -(-len(images) // 256))
        return np.concatenate([classifier._session.run(["logits"], {"images": each})[0] for each in batches]).astype(
            float
        )

    def entropy(images: np.ndarray) -> np.ndarray:
        probabilities = classifier.predict_proba(images).astype(float)
        return -(probabilities * np.log(probabilities.clip(1e-12))).sum(1)

    return {
        "1 - confidence": lambda images: 1 - classifier.predict_proba(images).max(1),
        "entropy": entropy,
        "energy": lambda images: -np.log(np.exp(logits(images)).sum(1)),
        "- largest logit": lambda images: -logits(images).max(1),
        "ood_score": lambda images: ood_score(known, classifier.predict_proba(images)),
    }


def make_feature_scores(model: str, images: np.ndarray, labels: np.ndarray) -> dict[str, Score]:
    """Return distances to the features of training images."""
    from skconv import CNNClassifier
    from skconv.evaluation.activations import collect_features

    network = CNNClassifier.load(model, device="cpu").net_.module_
    known = collect_features(network, images)
    means = np.stack([known[labels == label].mean(0) for label in np.unique(labels)])
    inverse = np.linalg.pinv(np.cov((known - means[labels]).T))
    known = known / np.linalg.norm(known, axis=1, keepdims=True)

    def nearest(images: np.ndarray) -> np.ndarray:
        features = collect_features(network, images)
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.concatenate(
            [np.partition(1 - part @ known.T, 9, axis=1)[:, 9] for part in np.array_split(features, 20)]
        )

    def mahalanobis(images: np.ndarray) -> np.ndarray:
        difference = collect_features(network, images)[:, None] - means
        return np.einsum("ncd,de,nce->nc", difference, inverse, difference).min(1)

    return {"10th nearest features": nearest, "Mahalanobis of features": mahalanobis}


def compare(inside: np.ndarray, others: dict[str, np.ndarray], scores: dict[str, Score]) -> dict[str, dict[str, float]]:
    """Print and return the AUROC of each score for each kind of image."""
    aurocs = {}
    for name, score in scores.items():
        reference = score(inside)
        aurocs[name] = {kind: measure_auroc(reference, score(images)) for kind, images in others.items()}
        print(f"{name:<24}" + "  ".join(f"{kind} {auroc:.4f}" for kind, auroc in aurocs[name].items()), flush=True)
    return aurocs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--features", action="store_true")
    options = parser.parse_args()
    classifier, mnist, clothing = OnnxClassifier(options.model), load_dataset("mnist"), load_dataset("fashion-mnist")
    held_out = read_held_out(classifier.folder, classifier.config)
    if held_out is None:
        raise SystemExit(f"{options.model} holds no predictions of held-out images. Train it with a validation split.")
    validation = find_validation(classifier, mnist, held_out)
    n = options.images
    chosen = np.random.default_rng(0).permutation(len(validation))
    inside, rest = np.sort(chosen[: len(chosen) // 2][:n]), np.sort(chosen[len(chosen) // 2 :])
    scores = make_scores(classifier, held_out.probabilities[rest])
    if options.features:
        trained = np.setdiff1d(np.arange(len(mnist.train_labels)), validation)[:N_TRAINING]
        scores |= make_feature_scores(options.model, mnist.train_images[trained], mnist.train_labels[trained])
    others = {"Fashion-MNIST": clothing.train_images[:n], **make_others(classifier, mnist.train_images, n, seed=1)}
    compared = compare(mnist.train_images[validation[inside]], others, scores)
    selected = {"ood_score": make_scores(classifier, held_out.probabilities)["ood_score"]}
    others = {"Fashion-MNIST": clothing.test_images, **make_others(classifier, mnist.test_images, n, seed=2)}
    measured = compare(mnist.test_images, others, selected)["ood_score"]
    write_result(
        "out_of_distribution",
        {
            "model": {"recipe": "standard", "test accuracy": classifier.config.scores["test_accuracy"]},
            "score": DEFINITION,
            "AUROC on test images": measured,
            "test images": {"MNIST": len(mnist.test_labels), **{kind: len(each) for kind, each in others.items()}},
            "AUROC of the scores compared, on validation images": compared,
            "validation images": {"MNIST": len(inside), "held-out predictions": len(rest), "other images per kind": n},
        },
    )


if __name__ == "__main__":
    main()
