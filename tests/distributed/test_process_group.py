"""Shards of a batch, and settings that are rejected before a process joins the group."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.datasets import load_digits

from skconv.commands.train import train
from skconv.digits.augmentation import Handwriting
from skconv.distributed import process_group as module
from skconv.distributed.process_group import ProcessGroup, check_distributed, is_distributed, is_main_process
from skconv.estimators import CNNClassifier
from skconv.exceptions import ParameterError
from skconv.training.augmentation import Augmentation, AugmentationSequence
from skconv.training.batches import BatchIterator, ImageDataset
from skconv.training.photo_augmentation import PhotoAugmentation


@pytest.fixture
def second_of_two(monkeypatch):
    """Set torchrun's environment variables of the second of two processes; the first one does not exist."""
    variables = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "::1"}
    for name, value in {**variables, "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))


@settings(max_examples=100, deadline=None)
@given(batch_size=st.integers(0, 1000), size=st.integers(1, 16))
def test_shards_partition_a_batch_in_nearly_equal_parts(batch_size, size):
    shards = [ProcessGroup(rank, size, "cpu").shard(batch_size) for rank in range(size)]
    assert [shards[0].start, *(shard.stop for shard in shards)] == [*(shard.start for shard in shards), batch_size]
    sizes = [shard.stop - shard.start for shard in shards]
    assert max(sizes) - min(sizes) <= 1


AUGMENTATIONS = {
    "none": None,
    "geometric": Augmentation(rotation=20, shift=0.1, scale=0.1, shear=5, elastic=0.02, flip=True, perspective=0.2),
    "erasing": Augmentation(rotation=20, erasing=0.9),
    "neighbours": Handwriting(neighbours=0.8, noise=0.5, low_resolution=0.5),
    "photo": PhotoAugmentation(crop=0.2, brightness=0.2, contrast=0.2, cutout=0.3),
    "sequence": AugmentationSequence((Augmentation(rotation=5), Augmentation(shift=0.2))),
    "custom": lambda images, generator: images + torch.rand(images.shape, generator=generator),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_concatenated_shards_equal_the_batch_of_one_process(name):
    torch.manual_seed(0)
    images = torch.randint(256, (50, 1, 12, 10), dtype=torch.uint8)
    dataset = ImageDataset(images, torch.arange(50), torch.rand(50))

    def iterate(process_group):
        iterator = BatchIterator(
            dataset, 17, shuffle=True, seed=3, augment=AUGMENTATIONS[name], max_batches=5, process_group=process_group
        )
        return [batch for _ in range(2) for batch in iterator]

    batches = iterate(None)
    by_rank = [iterate(ProcessGroup(rank, 3, "cpu")) for rank in range(3)]
    assert [len(labels) for _, labels in batches] == [16, 17, 17, 16, 17]
    for (inputs, labels), *shards in zip(batches, *by_rank, strict=True):
        assert torch.equal(torch.cat([shard[1] for shard in shards]), labels)
        assert torch.equal(torch.cat([shard[0]["sample_weight"] for shard in shards]), inputs["sample_weight"])
        torch.testing.assert_close(torch.cat([shard[0]["images"] for shard in shards]), inputs["images"])


@pytest.mark.slow
def test_single_process_does_not_import_accelerate(tiny_recipe, tmp_path):
    script = (
        "import sys; from skconv.cli.main import main; "
        f"code = main(['train', 'digits', '--recipe', {str(tiny_recipe)!r}, '--out', 'out']); "
        "assert code == 0 and 'accelerate' not in sys.modules; "
        "import torch; assert not torch.distributed.is_initialized()"
    )
    environment = {**os.environ, "WORLD_SIZE": "1"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=120)


def test_world_size_alone_is_not_distributed(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert not is_distributed() and is_main_process(), "job schedulers set it too"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 2}, "2 seeds"),
        ({"resume": True}, "resume"),
        ({"recipe": "kaggle"}, "ensemble"),
    ],
)
def test_options_of_one_process_are_refused(second_of_two, tmp_path, options, message):
    with pytest.raises(ParameterError, match=f"{message}.*without torchrun"):
        train("digits", out=tmp_path / "out", **options)
    assert not any(tmp_path.iterdir())


def test_batch_with_fewer_images_than_processes_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_process_group", ProcessGroup(0, 70, "cpu"))
    digits = load_digits()
    with pytest.raises(ParameterError, match=r"Batches of 61 images .* 70 processes"):
        CNNClassifier("fast", batch_size=64, precision="fp32").fit(digits.images, digits.target)


def test_missing_accelerate_raises_with_the_install_command(second_of_two, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[distributed\]'"):
        check_distributed("cpu")


@pytest.mark.parametrize("device", ["mps", "cuda"])
def test_device_without_one_per_process_is_refused(second_of_two, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParameterError, match="--device cpu"):
        check_distributed(device)
