"""Which score of an image tells images of none of the classes best, and how well does the chosen one?

    SKCONV_DATA=FOLDER python benchmarks/out_of_distribution.py MODEL [--images 2000] [--features]

MODEL is a run of `skconv train mnist --recipe standard`. The scores are compared by their AUROC between half of the
model's validation images (the other half are the answers it knows) and Fashion-MNIST's *training* images, noise,
and images without a digit. The one that `skconv evaluate --against` takes is then measured between all of MNIST's
test images and Fashion-MNIST's, and noise made with another seed. With --features, distances in the space of the
features before the last linear layer are compared too; they need torch and 10,000 training images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from no_digits import MAKERS, make_no_digits
from report import write_result

from skconv import OnnxClassifier, load_dataset
from skconv.data.dataset import Dataset
from skconv.evaluation.ood import DEFINITION, measure_auroc, ood_score
from skconv.model_io.held_out import HeldOut, read_held_out

N_TRAINING = 10_000  # images that features are compared with
Score = Callable[[np.ndarray], np.ndarray]


def make_noise(n: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (n, 28, 28)
    grey = random.uniform(0, 255, (n, 1, 1))
    kinds = {
        "uniform noise": random.uniform(0, 256, shape),
        "Gaussian noise": random.normal(128, 64, shape),
        "Gaussian noise of any mean and spread": random.normal(grey, random.uniform(2, 80, (n, 1, 1)), shape),
        "blank with noise": random.normal(grey, random.uniform(1, 12, (n, 1, 1)), shape),
    }
    return {name: images.clip(0, 255).astype(np.uint8) for name, images in kinds.items()}


def make_others(reader: OnnxClassifier, digits: np.ndarray, n: int, seed: int) -> dict[str, np.ndarray]:
    """Noise, and images as users have them, brought to the model's size; letters and fragments as MNIST was made."""
    from skconv import normalize_digit

    found = make_noise(n, seed)
    for kind in MAKERS:
        images = make_no_digits(kind, 0, n // 4, digits, seed)
        written = kind in ("letters", "ink fragments")
        found[kind] = np.stack(
            [normalize_digit(each) if written else reader.image_spec.preprocess(each) for each in images]
        )
    return found


def find_validation(reader: OnnxClassifier, dataset: Dataset, held_out: HeldOut) -> np.ndarray:
    """Return the positions of the images that the model's training was validated on."""
    import torch

    from skconv.estimators.validation import hold_out
    from skconv.training.batches import ImageDataset

    parameters = reader.config.parameters
    labels = torch.from_numpy(np.array(dataset.train_labels))
    images = ImageDataset(torch.from_numpy(np.array(dataset.train_images)).unsqueeze(1), labels)
    random = np.random.RandomState(parameters["random_state"])
    positions = hold_out(images, parameters["validation_fraction"], random)[1].positions.numpy()
    if not np.array_equal(dataset.train_labels[positions], held_out.labels):
        raise SystemExit("The model was not trained by skconv train mnist with a validation split.")
    return positions


def make_scores(reader: OnnxClassifier, known: np.ndarray) -> dict[str, Score]:
    """Scores that need onnxruntime alone, each high for images of none of the classes."""

    def logits(images: np.ndarray) -> np.ndarray:
        batches = np.array_split(images[:, None].astype(np.float32), -(-len(images) // 256))
        return np.concatenate([reader._session.run(["logits"], {"images": each})[0] for each in batches]).astype(float)

    def entropy(images: np.ndarray) -> np.ndarray:
        probabilities = reader.predict_proba(images).astype(float)
        return -(probabilities * np.log(probabilities.clip(1e-12))).sum(1)

    return {
        "1 - confidence": lambda images: 1 - reader.predict_proba(images).max(1),
        "entropy": entropy,
        "energy": lambda images: -np.log(np.exp(logits(images)).sum(1)),
        "- largest logit": lambda images: -logits(images).max(1),
        "ood_score": lambda images: ood_score(known, reader.predict_proba(images)),
    }


def make_feature_scores(model: str, images: np.ndarray, labels: np.ndarray) -> dict[str, Score]:
    """Distances to the features of training images."""
    from skconv import CNNClassifier
    from skconv.evaluation.features import collect_features

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
        apart = collect_features(network, images)[:, None] - means
        return np.einsum("ncd,de,nce->nc", apart, inverse, apart).min(1)

    return {"10th nearest features": nearest, "Mahalanobis of features": mahalanobis}


def compare(inside: np.ndarray, others: dict[str, np.ndarray], scores: dict[str, Score]) -> dict[str, dict[str, float]]:
    """Return the AUROC of each score for each kind of image, and print it."""
    found = {}
    for name, score in scores.items():
        usual = score(inside)
        found[name] = {kind: measure_auroc(usual, score(images)) for kind, images in others.items()}
        print(f"{name:<24}" + "  ".join(f"{kind} {auroc:.4f}" for kind, auroc in found[name].items()), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--features", action="store_true")
    options = parser.parse_args()
    reader, mnist, garments = OnnxClassifier(options.model), load_dataset("mnist"), load_dataset("fashion-mnist")
    held_out = read_held_out(reader.folder, reader.config)
    if held_out is None:
        raise SystemExit(f"{options.model} was saved without answers to held-out images.")
    validation = find_validation(reader, mnist, held_out)
    n = options.images
    chosen = np.random.default_rng(0).permutation(len(validation))
    inside, rest = np.sort(chosen[: len(chosen) // 2][:n]), np.sort(chosen[len(chosen) // 2 :])
    scores = make_scores(reader, held_out.probabilities[rest])
    if options.features:
        trained = np.setdiff1d(np.arange(len(mnist.train_labels)), validation)[:N_TRAINING]
        scores |= make_feature_scores(options.model, mnist.train_images[trained], mnist.train_labels[trained])
    others = {"Fashion-MNIST": garments.train_images[:n], **make_others(reader, mnist.train_images, n, seed=1)}
    compared = compare(mnist.train_images[validation[inside]], others, scores)
    finished = {"ood_score": make_scores(reader, held_out.probabilities)["ood_score"]}
    others = {"Fashion-MNIST": garments.test_images, **make_others(reader, mnist.test_images, n, seed=2)}
    measured = compare(mnist.test_images, others, finished)["ood_score"]
    write_result(
        "out_of_distribution",
        {
            "model": {"recipe": "standard", "test accuracy": reader.config.scores["test_accuracy"]},
            "score": DEFINITION,
            "AUROC on test images": measured,
            "test images": {"MNIST": len(mnist.test_labels), **{kind: len(each) for kind, each in others.items()}},
            "AUROC of the scores compared, on validation images": compared,
            "validation images": {"MNIST": len(inside), "held-out answers": len(rest), "of each other kind": n},
        },
    )


if __name__ == "__main__":
    main()
