"""Number of steps and epochs of a run; callbacks and optimizer of its net."""

import pytest
import torch
from skorch.callbacks import Callback

from skconv.networks import create_network
from skconv.training.batches import ImageDataset
from skconv.training.checkpointing import Checkpointing
from skconv.training.config import TrainingConfig, build_net, count_steps

IMAGES = ImageDataset(torch.zeros(8, 1, 8, 8), torch.arange(8) % 2)


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((2.5, 10), {}, (25, 3)),
        ((0.01, 10), {}, (1, 1)),
        ((1, 10, 35), {}, (35, 4)),
        (("auto", 500), {}, (3000, 6)),
        (("auto", 500), {"optimizer": "muon"}, (1500, 3)),
        (("auto", 1), {"n_images": 80}, (80, 80)),
        (("auto", 1), {"n_images": 5000}, (100, 100)),
    ],
)
def test_count_steps(arguments, options, expected):
    assert count_steps(*arguments, **options) == expected


def test_one_cycle_needs_a_number_of_steps():
    assert TrainingConfig(n_steps=5, schedule="one-cycle").is_one_cycle
    assert not TrainingConfig(n_steps=None, schedule="one-cycle").is_one_cycle
    assert not TrainingConfig(n_steps=5).is_one_cycle


def build(config, **options):
    network = create_network("fast", in_channels=1, image_size=(8, 8), num_classes=2)
    return build_net(network, config, num_classes=2, **options).initialize()


def names(net):
    skorch = {"epoch_timer", "train_loss", "valid_loss", "valid_acc"}
    return [name for name, _ in net.callbacks_ if name not in skorch]


def test_checkpointing_is_the_last_callback():
    config = TrainingConfig(n_steps=200, schedule="one-cycle", patience=2, restore_best="valid_loss")
    net = build(config, valid=IMAGES, callbacks=[("user", Callback())], checkpointing=Checkpointing(None))
    assert names(net) == ["stop_on_nan", "schedule", "restore_best", "user", "early_stopping", "checkpointing"]


def test_selection_needs_validation_images():
    assert names(build(TrainingConfig(n_steps=200, patience=2, restore_best="valid_loss"))) == ["stop_on_nan"]


def test_short_training_recalibrates_batch_norm():
    assert names(build(TrainingConfig(n_steps=49))) == ["stop_on_nan", "recalibrate_batch_norm"]
    assert names(build(TrainingConfig(n_steps=50))) == ["stop_on_nan"]


@pytest.mark.parametrize(("optimizer", "kind"), [("adamw", "AdamW"), ("adam", "Adam"), ("muon", "Muon")])
def test_optimizer_has_the_settings_of_the_configuration(optimizer, kind):
    config = TrainingConfig(n_steps=None, optimizer=optimizer, learning_rate=0.02, weight_decay=0.03)
    built = build(config).optimizer_
    assert type(built).__name__ == kind
    assert built.param_groups[0]["lr"] == 0.02 and built.param_groups[0]["weight_decay"] == 0.03
