"""Out-of-distribution score of images, from features and class probabilities of a network and from pixel statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.networks.ensemble import first_member

METHOD = "mahalanobis"  # name of the score in config.json
_RANK, _MIN_RANK, _TABLE = 64, 16, 2**16  # maximum and minimum of the subspace's dimensions; numbers in its basis
_MAX_FEATURES = 2**15  # more would need gigabytes in the fit
_SHRINKAGE = 0.01  # share of the mean variance that is added to the variance of each direction
_LEVELS = 3  # resolutions, each half of the previous one, at which neighbouring pixels are compared
_BATCH = 256  # images
_MAX_AVERAGED = 2  # views of an image; computing more would multiply the time of the fit without a better score
_TINY = np.finfo(np.float32).tiny


class MahalanobisDistance(nn.Module):
    """Squared Mahalanobis distance of vectors (n, d) to the nearest class mean.

    The covariance is that within classes in the directions with the largest variance; the others share their mean
    variance.

    References
    ----------
    Lee, Lee, Lee, Shin: "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
    NeurIPS 2018.
    """

    center: Tensor  # (d,)
    basis: Tensor  # (d, r), orthonormal
    whitening: Tensor  # (r, r)
    means: Tensor  # (k, r), whitened
    precision: Tensor  # (), inverse variance of the directions outside the basis

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in ("center", "basis", "whitening", "means", "precision"):
            self.register_buffer(name, tensors[name])
        self.is_complete = self.basis.shape[0] == self.basis.shape[1]

    @classmethod
    # Further threads, of NumPy's linear algebra, would wait for those of PyTorch, which spin for a while.
    @threadpool_limits.wrap(limits=1, user_api="blas")
    def fit(cls, vectors: Tensor, labels: Tensor) -> Self:
        """Return the distance from vectors (n, d) with class indices (n,)."""
        from sklearn.utils.extmath import randomized_svd

        values = vectors.double().numpy()
        center = values.mean(0)
        centred = values - center
        n, d = centred.shape
        rank = min(_RANK, max(_TABLE // d, _MIN_RANK), d, n)
        basis = randomized_svd(centred, rank, random_state=0)[2].T
        projected = centred @ basis
        classes, positions = np.unique(labels.numpy(), return_inverse=True)
        means = np.stack([projected[positions == k].mean(0) for k in range(len(classes))])
        within = projected - means[positions]
        total = (centred**2).sum() / n
        floor = _SHRINKAGE * total / d + _TINY
        covariance = within.T @ within / max(n - len(classes), 1) + floor * np.eye(rank)
        whitening = np.linalg.cholesky(np.linalg.inv(covariance))
        rest = (total - (projected**2).sum() / n) / max(d - rank, 1)
        arrays = {
            "center": center,
            "basis": basis,
            "whitening": whitening,
            "means": means @ whitening,
            "precision": np.array(1 / max(rest, floor)),
        }
        return cls({name: torch.from_numpy(each.astype(np.float32)) for name, each in arrays.items()})

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the distance of vectors (n, d), (n,)."""
        centred = vectors - self.center
        projected = centred @ self.basis
        distance = ((projected @ self.whitening)[:, None] - self.means).square().sum(2).amin(1)
        if not self.is_complete:
            rest = centred.square().sum(1) - projected.square().sum(1)
            distance = distance + self.precision * rest.clamp(min=0)
        return distance


class OodScore(nn.Module):
    """Out-of-distribution score of images, high for images that differ from the training images.

    It is the sum of three measures: the Mahalanobis distance of the features, the input of the last linear layer; that
    of statistics of the pixels; and the entropy of the uncalibrated probabilities. The features of many networks hardly
    react to blank images, noise or negatives, which the statistics detect. The statistics are the same for many images
    of other content, which features and entropy detect. Each measure is shifted and scaled so that its median and its
    99 % quantile are 0 and 1 for the images that the threshold is set on.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Buffers of a fitted score, as in `state_dict`.
    """

    image_shape: Tensor  # (3,): channels, height and width, int64
    pixel_mean: Tensor  # ()
    pixel_std: Tensor  # ()
    shift: Tensor  # (3,)
    scale: Tensor  # (3,)

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in ("image_shape", "pixel_mean", "pixel_std", "shift", "scale"):
            self.register_buffer(name, tensors[name])
        channels, height, width = self.image_shape.tolist()
        self._shape = channels, height, width
        self._mean, self._std = float(self.pixel_mean), float(self.pixel_std)
        self.features, self.statistics = (
            MahalanobisDistance({name.removeprefix(prefix): each for name, each in tensors.items()})
            for prefix in ("features.", "statistics.")
        )

    @classmethod
    def fit(cls, images: Tensor, features: Tensor, labels: Tensor) -> Self:
        """Return the score from images (n, c, h, w), their features (n, d) and class indices (n,)."""
        channels, height, width = images.shape[1:]
        batches = images.split(_BATCH)  # because large images need much memory as floats
        mean = torch.stack([each.double().mean() * len(each) for each in batches]).sum() / len(images)
        square = torch.stack([(each - mean).square().mean() * len(each) for each in batches]).sum() / len(images)
        mean, std = mean.float(), square.sqrt().float() if square > 0 else torch.ones(())
        shape = channels, height, width
        statistics = torch.cat([describe_pixels(each.float(), shape, float(mean), float(std)) for each in batches])
        tensors = {
            "image_shape": torch.tensor([channels, height, width]),
            "pixel_mean": mean,
            "pixel_std": std,
            "shift": torch.zeros(3),
            "scale": torch.ones(3),
        }
        for part, vectors in (("features", features), ("statistics", statistics)):
            distance = MahalanobisDistance.fit(vectors, labels)
            tensors |= {f"{part}.{name}": each for name, each in distance.state_dict().items()}
        return cls(tensors)

    @property
    def n_features(self) -> int:
        """Number of features of an image."""
        return len(self.features.center)

    def standardize(self, measures: Tensor) -> None:
        """Set shift and scale by the measures (n, 3) of images like the training images."""
        median, high = (measures.double().quantile(each, dim=0) for each in (0.5, 0.99))
        # The floor applies if nearly all images have the same value, such as an entropy of 0.
        width = (high - median).clamp(min=1e-3 * float(median.abs().max()) + 1e-6)
        self.shift.copy_(median)
        self.scale.copy_(1 / width)

    def add(self, measures: Tensor) -> Tensor:
        """Return the score (n,) with these measures (n, 3)."""
        return ((measures - self.shift) * self.scale).sum(1)

    def measure(self, images: Tensor, features: Tensor, logits: Tensor) -> Tensor:
        """Return the three measures of images, (n, 3)."""
        log_proba = logits.log_softmax(1)
        statistics = describe_pixels(images, self._shape, self._mean, self._std)
        entropy = -(log_proba.exp() * log_proba).sum(1)
        return torch.stack([self.features(features), self.statistics(statistics), entropy], 1)

    def forward(self, images: Tensor, features: Tensor, logits: Tensor) -> Tensor:
        """Return the score (n,) of images float32 (n, c, h, w) with their features (n, d) and logits (n, k)."""
        return self.add(self.measure(images, features, logits))


def describe_pixels(images: Tensor, shape: tuple[int, int, int], mean: float, std: float) -> Tensor:
    """Return statistics of images (n, c, h, w): their mean, and logarithms of the differences between neighbours.

    Absolute differences and their square roots are averaged, horizontally and vertically, at several resolutions. For
    colour images, the variance of the colour differences follows, which is 0 in grey images. All statistics are those
    of images that are normalized by `mean` and `std`. `shape` is (c, h, w); it cannot be read from the images while the
    network is exported.
    """
    n_channels, *sides = shape
    values, factors, offsets = list[Tensor](), list[float](), list[float]()

    def add(columns: Tensor, count: int, power: float, offset: float) -> None:
        # The results are normalized instead of the pixels, which are many more.
        values.append(columns)
        factors.extend([std**-power] * count)
        offsets.extend([offset] * count)

    level = images
    for number in range(_LEVELS):
        if max(sides) == 1:
            break
        differences, n_columns = _subtract_neighbours(level, sides), n_channels * sum(side > 1 for side in sides)
        add(differences.mean((2, 3)), n_columns, 1, 0.01)
        add(differences.sqrt().mean((2, 3)), n_columns, 0.5, 0.03)
        level = F.avg_pool2d(level, [min(2, side) for side in sides])
        sides = [max(1, side // 2) for side in sides]
        if number == 0 and n_channels == 3:
            red, green, blue = level[:, 0], level[:, 1], level[:, 2]
            pairs = torch.stack([red - green, blue - (red + green) / 2], 1)
            add(pairs.square().mean((2, 3)), 2, 2, 1e-4)
    brightness = (images.mean((2, 3)) - mean) / std
    if not values:
        return brightness
    sums = torch.cat(values, 1)
    return torch.cat([brightness, torch.log(sums * sums.new_tensor(factors) + sums.new_tensor(offsets))], 1)


def _subtract_neighbours(images: Tensor, sides: Sequence[int]) -> Tensor:
    """Return absolute differences between the pixels of images (n, c, h, w) and their right and lower neighbours."""
    height, width = (max(side - 1, 1) for side in sides)
    pixels = images[:, :, :height, :width]
    differences = []
    if sides[1] > 1:
        differences.append(images[:, :, :height, 1:] - pixels)
    if sides[0] > 1:
        differences.append(images[:, :, 1:, :width] - pixels)
    return torch.cat(differences, 1).abs()


class ScoredNetwork(nn.Module):
    """Network with an out-of-distribution score: images (n, c, h, w) → logits (n, k) and scores (n,)."""

    def __init__(self, network: nn.Module, score: OodScore) -> None:
        super().__init__()
        self.network, self.score = network, score

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and scores."""
        with record_features(self.network) as recorder:
            logits = self.network(images)
        return logits, self.score(images, *recorder.take())


def scores_single_view(network: nn.Module) -> bool:
    """Return whether the score uses the logits of an image itself instead of the mean of test-time augmentation."""
    return getattr(first_member(network), "n_views", 1) > _MAX_AVERAGED


class FeatureRecorder:
    """Features and logits of the last batch of a network; see `record_features`."""

    def __init__(self) -> None:
        # First input of each linear layer in order of execution, or None if it cannot be used.
        self.inputs: dict[nn.Module, Tensor | None] = {}
        self.logits: Tensor | None = None

    def take(self) -> tuple[Tensor, Tensor]:
        """Return the features (n, d) and the logits (n, k) of the batch, and clear them."""
        inputs, logits = list(self.inputs.values()), self.logits
        self.inputs, self.logits = {}, None
        assert logits is not None
        last = inputs[-1] if inputs else None
        return (logits if last is None or last.ndim != 2 else last.float()), logits


@contextmanager
def record_features(network: nn.Module) -> Iterator[FeatureRecorder]:
    """Record features and logits of a network's batches inside the block.

    The features are the input of the linear layer that is executed last, or the logits if there is no such layer, or if
    its input is no vector, has more than 32,768 elements or is passed by keyword. The logits are those before
    calibration. If a network processes an image several times, as with test-time augmentation, the features are those
    of the first time, and so are the logits if `scores_single_view`. For an ensemble, they are those of the first
    member.
    """
    member: Any = first_member(network)
    recorder = FeatureRecorder()

    def record_input(module: Any, inputs: tuple[Tensor, ...]) -> None:
        is_usable = bool(inputs) and module.in_features <= _MAX_FEATURES  # () if the input is passed by keyword
        recorder.inputs.setdefault(module, inputs[0] if is_usable else None)

    def record_logits(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        recorder.logits = inputs[0]

    def record_first(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if recorder.logits is None:
            recorder.logits = output

    linear = [module for module in member.modules() if isinstance(module, nn.Linear)]
    hooks = [module.register_forward_pre_hook(record_input) for module in linear]
    if scores_single_view(member):
        hooks.append(member.head.register_forward_hook(record_first))
    else:
        hooks.append(member.logit_calibration.register_forward_pre_hook(record_logits))
    try:
        yield recorder
    finally:
        for hook in hooks:
            hook.remove()
