"""Fit of the out-of-distribution score of a classifier, and of its threshold."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skconv.estimators.splitting import Splits
from skconv.exceptions import ModelFileError, ParameterError
from skconv.model_io.config import ModelConfig, OodConfig
from skconv.model_io.folder import OOD_NAME, read_optional
from skconv.model_io.serialization import FIX, parse_tensors
from skconv.networks.blocks import single_view
from skconv.networks.ensemble import first_member
from skconv.networks.ood_score import METHOD, OodScore, record_features, scores_single_view
from skconv.text import format_error
from skconv.training.batches import ImageDataset
from skconv.training.threads import use_threads
from skconv.training.torch_state import standard_torch_state

Classifier = Any  # a CNNClassifier; importing it would be circular

MIN_IMAGES = 100  # images to set the threshold on
_MAX_FITTED, _PER_CLASS, _MAX_THRESHOLD = 1000, 15, 2000  # images for means and covariances, and for the threshold
_MAX_ACTIVATED = 500  # images for the threshold if the activations of shifted copies must be computed
_SHIFT = 1 / 28  # of the longer side, by which training images are shifted for the threshold; at least one pixel
_DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # down and to the right
_BATCH = 256  # images


@dataclass(frozen=True, eq=False)  # because == of modules compares identities
class FittedOod:
    """Out-of-distribution score of a classifier, with its threshold.

    Parameters
    ----------
    score : OodScore
        Layer that computes the score.
    threshold : float
        Score above which an image is unlike the training images.
    false_alarm_rate : float
        Fraction of images like the training images with a score above the threshold, 0..1.
    n : int
        Number of images that the threshold was set on.
    held_out : bool
        Whether the network was not trained on these images.
    """

    score: OodScore
    threshold: float
    false_alarm_rate: float
    n: int
    held_out: bool

    def to_config(self) -> OodConfig:
        """Return the section of the model configuration."""
        return OodConfig(METHOD, self.threshold, self.false_alarm_rate, self.n, self.held_out)


class OodMixin:
    """Out-of-distribution score of an image classifier with the attribute `ood_`."""

    ood_: FittedOod | None

    @standard_torch_state()
    @torch.inference_mode()
    def ood_score(self, X: Any) -> np.ndarray:
        """Return the out-of-distribution score of images, higher for images less like the training images.

        Parameters
        ----------
        X : array-like
            Images in the form of those of `fit`.

        Returns
        -------
        ndarray of float32, shape (n,)
            An image with a score above ``ood_.threshold`` is unlike the training images.

        Raises
        ------
        DataError
            If the images do not have the shape of the training images.
        ParameterError
            If the classifier has no score, because of its `false_alarm_rate`, too few images or `partial_fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skconv import CNNClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> classifier = CNNClassifier("fast", max_epochs=4, random_state=0).fit(X, y)
        >>> negatives = 16 - X
        >>> bool((classifier.ood_score(negatives) > classifier.ood_.threshold).mean() > 0.95)
        True
        """
        images = self._read_images(X)  # type: ignore[attr-defined]
        if self.ood_ is None:
            raise ParameterError(
                "The classifier has no out-of-distribution score: it needs at least "
                f"{MIN_IMAGES} validation images, or {2 * MIN_IMAGES} training images, a 'false_alarm_rate' other than "
                "None, and no partial_fit after fit."
            )
        score = self.ood_.score
        return score.add(_measure(self, score, images.images, images)).numpy()


def count_activated(n_train: int, n_valid: int) -> int:
    """Return the maximum number of shifted images whose activations `fit_ood` computes."""
    n = min(n_train // 2, _MAX_ACTIVATED)
    return n if n_valid < MIN_IMAGES <= n else 0


def count_images(n_train: int, n_valid: int, n_classes: int) -> int:
    """Return the maximum number of images whose features `fit_ood` computes.

    Examples
    --------
    >>> count_images(10_000, 5000, 10), count_images(10_000, 5000, 200), count_images(1500, 0, 10)
    (3000, 5000, 1500)
    """
    n_fitted = _count_fitted(n_classes)
    if n_valid >= MIN_IMAGES:
        return min(n_train, n_fitted) + min(n_valid, _MAX_THRESHOLD)
    n_tested = min(_MAX_THRESHOLD, n_train // 2)
    return 0 if n_tested < MIN_IMAGES else min(n_train - n_tested, n_fitted) + n_tested


def _count_fitted(n_classes: int) -> int:
    """Return the maximum number of images for means and covariances."""
    return max(_MAX_FITTED, _PER_CLASS * n_classes)


@standard_torch_state()
@torch.inference_mode()
def fit_ood(
    classifier: Classifier,
    images: Splits,
    inputs: Splits,
    activate: Callable[[ImageDataset], ImageDataset] | None = None,
) -> None:
    """Set `ood_` of a classifier with the net `net_`: None if the rate is None, or for fewer than 100 images.

    `inputs` is what the net receives for `images`: the images themselves, or activations in the same order, which
    `activate` computes for other images.

    Means and covariances are those of training images. The threshold is a quantile of the scores of validation images.
    Without these, it is set on other training images, of which the net receives shifted copies, because the features
    and probabilities of the images that a network was trained on differ from those of new images.
    """
    classifier.ood_ = None
    rate = classifier.false_alarm_rate
    if rate is None:
        return
    train, tested, received = images.train, images.valid, inputs.valid
    held_out = tested is not None and len(tested) >= MIN_IMAGES
    rest = _order_images(train)
    if not held_out or tested is None or received is None:
        n_max = _MAX_THRESHOLD if activate is None else _MAX_ACTIVATED
        tested, received, chosen = train, inputs.train, rest[: min(n_max, len(rest) // 2)]
        rest = rest[len(chosen) :]
    else:
        chosen = _order_images(tested)[:_MAX_THRESHOLD]
    if len(chosen) < MIN_IMAGES:
        return
    fitted = rest[_balance(train.selected_labels[rest].numpy(), _count_fitted(len(classifier.classes_)))]
    known = _select(train, fitted)
    features, logits = _compute(classifier, _select(inputs.train, fitted), for_fit=True)
    if len(features) != len(logits):
        warnings.warn(
            f"The last linear layer of the network gets {len(features):,} vectors for {len(logits):,} images, so that "
            "there is no out-of-distribution score. Set false_alarm_rate=None to train without this warning.",
            stacklevel=5,
        )
        return
    score = OodScore.fit(known.images, features, known.labels)
    scored = _select(tested, chosen).images
    if held_out:
        received = _select(received, chosen)
    else:
        received = ImageDataset(_shift(scored))
        received = received if activate is None else activate(received)
    measures = _measure(classifier, score, scored, received)
    score.standardize(measures)
    scores = score.add(measures).double().numpy()
    classifier.ood_ = FittedOod(score, find_threshold(scores, rate), rate, len(chosen), held_out)


def find_threshold(scores: np.ndarray, false_alarm_rate: float) -> float:
    """Return the threshold that a new score exceeds with at most this probability; warn if there are too few scores.

    Examples
    --------
    >>> find_threshold(np.arange(1.0, 1000), 0.01)
    990.0
    """
    rank = math.ceil((len(scores) + 1) * (1 - false_alarm_rate))
    if rank > len(scores):
        more = "" if len(scores) >= _MAX_THRESHOLD else " or more validation images"
        warnings.warn(
            f"The threshold of the out-of-distribution score is the maximum of {len(scores):,} images, so that more "
            f"than {false_alarm_rate:g} of new images may exceed it. Use a larger false_alarm_rate{more}.",
            stacklevel=5,
        )
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def _order_images(dataset: ImageDataset) -> Tensor:
    """Return indices into a data set in random order, each image once."""
    # In the order of the data set, not of the images.
    first = np.sort(np.unique(dataset.indices.numpy(), return_index=True)[1])
    return torch.from_numpy(np.random.RandomState(0).permutation(first))


def _balance(labels: np.ndarray, n: int) -> np.ndarray:
    """Return the indices of at most n labels, with equal numbers per class as far as possible."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - starts  # position of each label among those of its class
    return np.sort(np.argsort(rank, kind="stable")[:n])


def _select(dataset: ImageDataset, indices: Tensor) -> ImageDataset:
    """Return a copy of some items of a data set, without weights."""
    positions = dataset.indices[indices]
    return ImageDataset(dataset.images[positions], dataset.labels[positions])


def _shift(images: Tensor) -> Tensor:
    """Return images (n, c, h, w), shifted in one of eight directions; pixels outside an image repeat its border."""
    height, width = images.shape[2:]
    step = max(1, round(_SHIFT * max(height, width)))
    shifted = torch.empty_like(images)
    for number, (down, right) in enumerate(_DIRECTIONS):
        rows, columns = (
            (torch.arange(side) - step * move).clamp(0, side - 1) for side, move in ((height, down), (width, right))
        )
        shifted[number :: len(_DIRECTIONS)] = images[number :: len(_DIRECTIONS), :, rows[:, None], columns]
    return shifted


def _measure(classifier: Classifier, score: OodScore, images: Tensor, inputs: ImageDataset) -> Tensor:
    """Return the three measures of images (n, c, h, w), (n, 3), in batches, because large images need much memory."""
    vectors = zip(*(each.split(_BATCH) for each in _compute(classifier, inputs)), strict=True)
    return torch.cat(
        [score.measure(part.float(), *each) for part, each in zip(images.split(_BATCH), vectors, strict=True)]
    )


def _compute(classifier: Classifier, dataset: ImageDataset, *, for_fit: bool = False) -> tuple[Tensor, Tensor]:
    """Return features and logits of the inputs of a classifier's net, on the CPU.

    The fit of the score needs the features only, which are those of the image without test-time augmentation.
    """
    net, rows = classifier.net_, []
    threads = use_threads(classifier._n_threads, adapt=net.device == "cpu")
    is_single = for_fit or scores_single_view(net.module_)
    views = single_view(first_member(net.module_)) if is_single else nullcontext()
    with threads, views, record_features(net.module_) as recorder:
        for _ in net.forward_iter(dataset, training=False):
            rows.append([each.float().cpu() for each in recorder.take()])
    features, logits = (torch.cat(each) for each in zip(*rows, strict=True))
    return features, logits


def read_ood(folder: Path, config: ModelConfig) -> FittedOod | None:
    """Return the out-of-distribution score of the model in `folder`, or None if it was saved without one."""
    content, section = read_optional(folder, config, OOD_NAME), config.ood
    if content is None and section is None:
        return None
    if content is None or section is None:
        found = "the section 'ood' of config.json" if section else f"the file {OOD_NAME}"
        raise ModelFileError(
            f"{folder} contains {found}, but not the other part of the out-of-distribution score; expected both "
            f"{OOD_NAME} and the section, or neither. {FIX}"
        )
    where = str(folder / OOD_NAME)
    tensors = parse_tensors(content, where)
    try:
        score = OodScore(tensors)
        logits = torch.zeros(1, len(config.classes))
        values = score(torch.zeros(1, *config.input.shape), torch.zeros(1, score.n_features), logits)
    except (KeyError, RuntimeError) as error:
        raise ModelFileError(
            f"{where} does not contain the tables of a score ({format_error(error)}). {FIX}"
        ) from error
    if set(tensors) != set(score.state_dict()) or not bool(values.isfinite().all()):
        raise ModelFileError(f"{where} contains NaN, infinity or unknown tensors. {FIX}")
    return FittedOod(score, section.threshold, section.false_alarm_rate, section.n, section.held_out)
