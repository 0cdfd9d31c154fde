"""Features and activations of a pretrained network, computed once before its training, within the time limit."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from skconv.estimators.ood import MIN_IMAGES, count_activated
from skconv.estimators.parameters import choose_device
from skconv.estimators.running import torch_seed
from skconv.estimators.splitting import Splits
from skconv.estimators.validation import to_image_tensor
from skconv.model_io.runtime import RuntimeModule
from skconv.networks.partial import PartialNetwork, make_extractor
from skconv.networks.pretrained import PretrainedNetwork
from skconv.networks.spec import NetworkSpec
from skconv.text import parse_duration
from skconv.training.augmentation import make_augmentation
from skconv.training.batches import ImageDataset
from skconv.training.frozen_features import FeatureExtractor, count_views, select_share
from skconv.training.threads import use_threads

Classifier = Any  # a CNNClassifier; importing it would be circular

HEAD_SECONDS, _MIN_SHARE = 4.0, 0.3  # time for the head, unless less than this share remains for the features
_BATCH = 64  # images of a prediction, and to measure the speed with
_FEATURES_SHARE, _FEATURES_SHARE_TUNED = 0.8, 0.45  # maximum share of the time limit, without and with fine-tuning


class NetworkFeatures:
    """Computation of the activations of a classifier's network, within its time limit."""

    def __init__(self, classifier: Classifier, network: PretrainedNetwork) -> None:
        self.classifier, self.network = classifier, network
        self.augment = make_augmentation(classifier.augmentation)
        self.device = choose_device(classifier.device)
        self.seconds = 0.0  # per image, for all stages; measured only if there is a time limit

    def plan(self, splits: Splits, *, tuned: bool) -> tuple[Splits, int, bool]:
        """Return the images that fit into the time limit, the number of views per training image, and `tuned`.

        Stages are fine-tuned if `tuned` is true; False is returned if the time limit is too short for it.
        """
        n_views, left = count_views(len(splits.train), self.augment), self._time_left()
        if left is None:
            return splits, n_views, tuned
        self.seconds = self.measure(splits.train)
        n_train, n_valid = len(splits.train), 0 if splits.valid is None else len(splits.valid)
        left -= self.seconds * self.classifier.n_scored_after
        n_affordable = min(_FEATURES_SHARE * left, max(left - HEAD_SECONDS, _MIN_SHARE * left)) / self.seconds
        if n_affordable >= 2 * MIN_IMAGES:  # enough for a score
            n_activated = min(self.count_activated(splits), n_affordable / 3)  # at most half of those trained on
            n_affordable, left = n_affordable - n_activated, left - self.seconds * n_activated
        share = n_affordable / (n_train + n_valid)
        if share < 1:
            n_used = max(1, int(share * n_train))
            warnings.warn(
                f"The time limit is enough for the features of {n_used:,} of {n_train:,} training images; the other "
                "images are not used. Use a longer time_limit (--time-limit) or a faster network.",
                stacklevel=5,
            )
            seed, self.classifier.planned_fraction_ = self.classifier._seed, share
            valid = None if splits.valid is None else select_share(splits.valid, share, seed)
            return Splits(select_share(splits.train, share, seed), valid), 1, False
        if tuned and self.seconds * (n_train + n_valid) > _FEATURES_SHARE_TUNED * left:
            warnings.warn(
                "The time limit is too short to fine-tune stages after the computation of the features: only the head "
                "is trained. Use a longer time_limit (--time-limit).",
                stacklevel=5,
            )
            tuned = False
        budget = (_FEATURES_SHARE_TUNED if tuned else _FEATURES_SHARE) * left - self.seconds * n_valid
        n_fitting = max(1, int(budget / (self.seconds * n_train)))
        self.classifier.planned_fraction_ = min(n_fitting / n_views, 1.0)
        return splits, min(n_views, n_fitting), tuned

    def measure(self, images: ImageDataset) -> float:
        """Return the seconds per image of all stages."""
        with self._threads():
            return self._make(0, len(self.network.stages)).measure(images)

    def compute(self, splits: Splits, n_views: int, start: int, stop: int) -> Splits:
        """Return the activations after stage `stop` of images, or of activations after stage `start`."""
        extractor = self._make(start, stop)
        with self._threads():
            train = extractor.compute(splits.train, n_views)
            return Splits(train, None if splits.valid is None else extractor.compute(splits.valid))

    def count_activated(self, splits: Splits) -> int:
        """Return the maximum number of shifted images whose activations `fit_ood` needs."""
        if self.classifier.false_alarm_rate is None:
            return 0
        return count_activated(len(splits.train), 0 if splits.valid is None else len(splits.valid))

    def _make(self, start: int, stop: int) -> FeatureExtractor:
        network = make_extractor(self.network, start, stop).to(self.device)
        if self.device == "cpu":
            network = RuntimeModule(network)  # several times as fast as torch
        elif self.network.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub lacks it
        classifier = self.classifier
        return FeatureExtractor(network, self.device, self.augment, classifier._seed, progress=classifier.verbose > 0)

    def _threads(self) -> Any:
        return use_threads(self.classifier.n_threads, adapt=self.device == "cpu", warn=True)

    def _time_left(self) -> float | None:
        if self.classifier.time_limit is None:
            return None
        used = time.perf_counter() - self.classifier._start_time
        return max(parse_duration(self.classifier.time_limit) - used, 0.1)


def measure_features(classifier: Classifier, images: np.ndarray) -> float:
    """Return the seconds per image of the features of an unfitted classifier's pretrained network.

    `images` is uint8 (n, height, width) or (n, height, width, 3).
    """
    classifier = clone(classifier)
    classifier._seed = 0  # of the augmentation, which the measurement does not use
    sample = to_image_tensor(images[:_BATCH])
    network = load_network(NetworkSpec.read(classifier.network, classifier._select_options("network")), images)
    assert network is not None
    network.input_normalization.fit(sample)
    return NetworkFeatures(classifier, network).measure(ImageDataset(sample))


def compute_logits(network: PretrainedNetwork, images: ImageDataset) -> torch.Tensor:
    """Return the logits of images on the processor, float32 (n, num_classes), with the stages in onnxruntime."""
    n_stages = len(network.stages)
    extractor = RuntimeModule(make_extractor(network, 0, n_stages))
    head = PartialNetwork(network, n_stages).eval()
    selected = images.images if images.positions is None else images.images[images.positions]
    return torch.cat([head(extractor(batch.float())) for batch in selected.split(_BATCH)])


def load_network(spec: NetworkSpec, images: np.ndarray) -> PretrainedNetwork | None:
    """Return a network with its pretrained weights for images like these, or None if the network is not pretrained."""
    with torch_seed(0):
        network = spec.create_for(images.shape[1:], 2)
    if not isinstance(network, PretrainedNetwork):
        return None
    network.load_pretrained()
    return network


def compute_features(network: PretrainedNetwork, images: np.ndarray, *, progress: bool = False) -> np.ndarray:
    """Return the features of images by a pretrained network on the processor.

    Parameters
    ----------
    network : PretrainedNetwork
        Network with its weights; its input layer is fitted to the images.
    images : ndarray of shape (n, height, width) or (n, height, width, 3)
    progress : bool, default=False
        Print an estimate of the time, and show a progress bar in a terminal.

    Returns
    -------
    ndarray of float32, shape (n, d)
        Input of the first layer of the head that has weights.
    """
    tensor = to_image_tensor(images)
    network.input_normalization.fit(tensor)
    extractor = RuntimeModule(make_extractor(network, 0, len(network.stages)))
    features = FeatureExtractor(extractor, "cpu", progress=progress).compute(ImageDataset(tensor)).images
    return features.flatten(1).float().numpy()
