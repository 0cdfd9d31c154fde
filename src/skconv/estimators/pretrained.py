"""Training of a pretrained network: first the head on cached features, then the last stages on cached activations."""

from __future__ import annotations

import copy
import math
import warnings
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from skconv.distributed.process_group import get_process_group
from skconv.estimators.callbacks import make_checkpointing
from skconv.estimators.ood import fit_ood
from skconv.estimators.pretrained_features import HEAD_SECONDS, NetworkFeatures
from skconv.estimators.running import calibrate_net, run_net
from skconv.estimators.setup import create_net, limit_time, make_config
from skconv.estimators.splitting import Splits
from skconv.estimators.validation import expand_weights
from skconv.exceptions import ParameterError
from skconv.networks.partial import PartialNetwork
from skconv.networks.pretrained import PretrainedNetwork
from skconv.progress import print_progress
from skconv.text import format_count, format_percent, parse_duration
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.config import TrainingConfig, build_net, check_optimizer_and_criterion, count_steps

Classifier = Any  # a CNNClassifier; importing it would be circular

_HEAD_RATE = 0.2  # learning rate of the head, relative to that of a network with random weights
_STAGE_RATE = 0.5  # learning rate of the stages, relative to that of the head
_TUNED_PASSES = 8  # passes over the images in fine-tuning if `max_epochs` is "auto"
_MIN_SHARE = 0.05  # maximum share of a time limit that the minimum time of the head may be
_MIN_COMPARED = 50  # validation images to select weights by
_MIN_TUNED = 500  # training images to fine-tune without validation images


def count_frozen(classifier: Classifier, network: PretrainedNetwork) -> int:
    """Return the number of stages that stay frozen."""
    return math.ceil(classifier.freeze_fraction * len(network.stages))


def merge_small_validation(
    images: ImageDataset, train: ImageDataset, valid: ImageDataset | None
) -> tuple[ImageDataset, ImageDataset | None]:
    """Return training and validation images; warn and train on all `images` if too few of them are for validation."""
    if valid is None or valid.images is not images.images or len(valid) >= _MIN_COMPARED:
        return train, valid
    n = len(images)
    warnings.warn(
        f"The validation split would have {format_count(len(valid), 'image')}, too few to select weights or to "
        f"calibrate: all {n:,} images are used for training, and the probabilities are not calibrated. For calibrated "
        "probabilities, use an ensemble (skconv ensemble, KFoldEnsembleClassifier).",
        stacklevel=4,
    )
    return expand_weights(images), None


def fit_pretrained(classifier: Classifier, splits: Splits, network: PretrainedNetwork) -> float:
    """Train the head, fine-tune the stages that are not frozen, calibrate, and set `net_`.

    Return the training time in seconds before the checkpoint that was resumed. The last of the two trainings saves
    checkpoints; features and head are computed again on resumption.
    """
    _check_process_group()
    n_stages, n_frozen = len(network.stages), count_frozen(classifier, network)
    tuned = n_frozen < n_stages and _can_tune(splits)
    features = NetworkFeatures(classifier, network)
    splits, n_views, tuned = features.plan(splits, tuned=tuned)
    activations = splits
    if tuned and n_frozen:
        activations = features.compute(splits, n_views, 0, n_frozen)
        vectors = features.compute(activations, 1, n_frozen, n_stages)
    else:
        vectors = features.compute(splits, n_views, 0, n_stages)
    trainer = _Trainer(classifier, network, splits, features)
    before = trainer.train_head(vectors, saves=not tuned)
    if tuned:
        before = trainer.fine_tune(vectors, activations, n_frozen, n_views)
    classifier.n_samples_fit_ = len(splits.train)
    trainer.finish()
    return before


def update_pretrained(classifier: Classifier, train: ImageDataset, network: PretrainedNetwork) -> None:
    """Train the layers that are not frozen for one more epoch, at a constant learning rate."""
    _check_process_group()
    previous = classifier.__dict__.get("net_")
    n_frozen = count_frozen(classifier, network)
    splits = Splits(train, None)
    features = NetworkFeatures(classifier, network)
    activations = features.compute(splits, 1, 0, n_frozen) if n_frozen else splits
    trainer = _Trainer(classifier, network, splits, features)
    config = make_config(classifier, train, None, scheduled=False)
    config = replace(config, augment=None if n_frozen else config.augment, stage_rate=_STAGE_RATE)
    try:
        trainer.run(PartialNetwork(network, n_frozen), activations, config, "")
    except BaseException:
        classifier.__dict__.pop("net_", None)
        if previous is not None:
            classifier.net_ = previous
        raise
    if previous is not None:
        trainer.rows[:0] = previous.history
    classifier.n_samples_fit_ = len(train)
    trainer.finish(scored=False)


class _Trainer:
    """Successive trainings of parts of a classifier's network.

    `features` computes the activations of `images`; `rows` is the history of all trainings.
    """

    def __init__(
        self, classifier: Classifier, network: PretrainedNetwork, images: Splits, features: NetworkFeatures
    ) -> None:
        self.classifier, self.network, self.images, self.features = classifier, network, images, features
        self.rows: list[Any] = []

    def train_head(self, vectors: Splits, *, saves: bool) -> float:
        """Train the head and calibrate it; return the seconds before the checkpoint that was resumed."""
        config = make_config(self.classifier, vectors.train, None, scheduled=True)
        rate = _HEAD_RATE * config.learning_rate
        config = replace(config, augment=None, precision="fp32", learning_rate=rate)
        module = PartialNetwork(self.network, len(self.network.stages))
        text = f"Training the head of {self._name} on the features of {self._count_images()}."
        return self.run(module, vectors, config, text, saves=saves, min_seconds=HEAD_SECONDS)

    def fine_tune(self, vectors: Splits, activations: Splits, n_frozen: int, n_views: int) -> float:
        """Fine-tune the last stages; restore the weights before it unless the validation accuracy has increased."""
        classifier, n_stages = self.classifier, len(self.network.stages)
        accuracy = self._score(vectors.valid)
        config = self._plan_tuning(activations.train, n_views, augmented=n_frozen == 0)
        module = PartialNetwork(self.network, n_frozen)
        weights = copy.deepcopy(module.state_dict())
        head_net = classifier.net_
        stages = f"the last {n_stages - n_frozen} of {n_stages} stages" if n_frozen else "all stages"
        text = f"Fine-tuning {stages} of {self._name} on {self._count_images()}."
        before = self.run(module, activations, config, text, saves=True)
        tuned_accuracy = self._score(activations.valid)
        if accuracy is None or tuned_accuracy is None:
            return before
        improved = tuned_accuracy > accuracy
        if not improved:
            module.load_state_dict(weights)
            classifier.net_, self._data = head_net, vectors
        if classifier.verbose > 0:
            kept = "the fine-tuned weights" if improved else "the pretrained stages"
            print_progress(
                f"Validation accuracy {format_percent(accuracy)} with the head alone, {format_percent(tuned_accuracy)} "
                f"after fine-tuning {stages}: {kept} are used."
            )
        return before

    def run(
        self,
        module: nn.Module,
        data: Splits,
        config: TrainingConfig,
        text: str,
        *,
        saves: bool = False,
        min_seconds: float = 0.0,
    ) -> float:
        """Train a part of the network; return the seconds before the checkpoint that was resumed.

        The training may take `min_seconds`, but no more than 5 % of the time limit, even if no time is left.
        """
        classifier = self.classifier
        check_optimizer_and_criterion(config, len(classifier.classes_), weighted=data.train.weights is not None)
        scheduled = config.n_steps is not None
        if scheduled and classifier.time_limit is not None:
            min_seconds = min(min_seconds, _MIN_SHARE * parse_duration(classifier.time_limit))
            config = limit_time(
                classifier,
                config,
                module,
                data,
                per_image=self.features.seconds,
                n_activated=0 if data is self.images else self.features.count_activated(self.images),
                min_seconds=min_seconds,
            )
        checkpointing = None
        if saves and scheduled:
            checkpointing = make_checkpointing(classifier, config, self.images)
        create_net(classifier, module, config, data, checkpointing=checkpointing, text=text)
        self._data = data
        with nullcontext() if checkpointing is None else checkpointing.handling_signals():
            run_net(classifier, data.train)
        self.rows += classifier.net_.history
        return 0.0 if checkpointing is None else checkpointing.seconds_

    def finish(self, *, scored: bool = True) -> None:
        """Calibrate, and replace the net of a part by one of the whole network with the history of all trainings.

        If `scored`, fit the out-of-distribution score too.
        """
        classifier = self.classifier
        calibrate_net(classifier, self._data.valid)
        if scored:
            fit_ood(classifier, self.images, self._data, None if self._data is self.images else self._activate)
        device = classifier.net_.device
        # The number of steps does not matter, because `partial_fit` creates another net.
        config = TrainingConfig(n_steps=1, device=device, batch_size=classifier.batch_size)
        net = build_net(self.network, config, num_classes=len(classifier.classes_)).initialize()
        net.history.extend(self.rows)
        for number, row in enumerate(net.history, 1):
            row["epoch"] = number
        classifier.net_, classifier.n_epochs_ = net, len(self.rows)

    @torch.inference_mode(False)  # as in the computation of the other activations
    def _activate(self, images: ImageDataset) -> ImageDataset:
        """Return the activations of images that the current part receives."""
        n_frozen = len(self.network.stages) - len(self.classifier.net_.module_.stages)
        return self.features.compute(Splits(images, None), 1, 0, n_frozen).train

    def _plan_tuning(self, train: ImageDataset, n_views: int, *, augmented: bool) -> TrainingConfig:
        """Return the configuration of fine-tuning."""
        classifier = self.classifier
        config = make_config(classifier, train, None, scheduled=True)
        if isinstance(classifier.max_epochs, str):
            n_batches = len(BatchIterator(train, config.batch_size, shuffle=True))
            n_epochs = _TUNED_PASSES if augmented else max(_TUNED_PASSES / n_views, 1)
            n_steps, n_epochs = count_steps(n_epochs, n_batches)
            config = replace(config, n_steps=n_steps, n_epochs=n_epochs)
        rate = _HEAD_RATE * config.learning_rate
        return replace(
            config, augment=config.augment if augmented else None, learning_rate=rate, stage_rate=_STAGE_RATE
        )

    def _score(self, valid: ImageDataset | None) -> float | None:
        """Return the accuracy of the current part on validation data, 0..1, or None if there are too few."""
        if valid is None or len(valid) < _MIN_COMPARED:
            return None
        return float((self.classifier._forward(valid).argmax(1) == valid.selected_labels).float().mean())

    @property
    def _name(self) -> str:
        return str(self.classifier._network_spec.short_name)

    def _count_images(self) -> str:
        n = 0 if self.images.valid is None else len(self.images.valid)
        validated = f" ({n:,} for validation)" if n else ""
        return f"{format_count(len(self.images.train), 'image')}{validated}"


def _can_tune(splits: Splits) -> bool:
    """Return whether there are enough images for fine-tuning; warn if not."""
    n_valid = 0 if splits.valid is None else len(splits.valid)
    if n_valid >= _MIN_COMPARED or (splits.valid is None and len(splits.train) >= _MIN_TUNED):
        return True
    warnings.warn(
        f"Only the head is trained: to fine-tune stages, at least {_MIN_COMPARED} validation images or {_MIN_TUNED} "
        f"training images are needed; there are {n_valid:,} and {len(splits.train):,}. Set freeze_fraction=1 "
        "(--freeze-fraction 1) to train the head only without this warning.",
        stacklevel=5,
    )
    return False


def _check_process_group() -> None:
    if get_process_group() is not None:
        raise ParameterError(
            "Distributed training does not support pretrained networks. Train in one process, without torchrun."
        )
