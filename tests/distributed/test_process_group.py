"""What one of several processes has of a batch, and what is refused before any of them joins the others."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from skconv.commands.train import train
from skconv.digits.augmentation import Handwriting
from skconv.distributed import process_group as distributed
from skconv.distributed.process_group import ProcessGroup, check_joining, is_main_process, is_one_of_several
from skconv.estimators import CNNClassifier
from skconv.exceptions import ParameterError
from skconv.training.augmentation import Augmentation, AugmentationSequence
from skconv.training.batches import BatchIterator, ImageDataset


@pytest.fixture
def second_of_two(monkeypatch):
    """Look like the second process that torchrun started; there is no first one."""
    facts = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "::1", "MASTER_PORT": 1}
    for name, value in facts.items():
        monkeypatch.setenv(name, str(value))


@settings(max_examples=100, deadline=None)
@given(whole=st.integers(0, 1000), size=st.integers(1, 16))
def test_shares_are_a_batch_in_nearly_equal_parts(whole, size):
    shares = [ProcessGroup(rank, size, "cpu").take_shard(whole) for rank in range(size)]
    assert [shares[0].start, *(share.stop for share in shares)] == [*(share.start for share in shares), whole]
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


AUGMENTATIONS = {
    "none": None,
    "moves": Augmentation(rotation=20, shift=0.1, scale=0.1, shear=5, elastic=0.02, flip=True, perspective=0.2),
    "erasing": Augmentation(rotation=20, erasing=0.9),
    "neighbours": Handwriting(neighbours=0.8, noise=0.5, low_resolution=0.5),
    "several": AugmentationSequence((Augmentation(rotation=5), Augmentation(shift=0.2))),
    "of the user": lambda images, generator: images + torch.rand(images.shape, generator=generator),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shares_of_all_processes_are_the_batch_that_one_would_have(name):
    torch.manual_seed(0)
    images = torch.randint(256, (50, 1, 12, 10), dtype=torch.uint8)
    dataset = ImageDataset(images, torch.arange(50), torch.rand(50))

    def iterate(processes):
        iterator = BatchIterator(
            dataset, 17, shuffle=True, seed=3, augment=AUGMENTATIONS[name], max_batches=5, processes=processes
        )
        return [batch for _ in range(2) for batch in iterator]

    whole = iterate(None)
    parts = [iterate(ProcessGroup(rank, 3, "cpu")) for rank in range(3)]
    assert [len(labels) for _, labels in whole] == [16, 17, 17, 16, 17]
    for number, (inputs, labels) in enumerate(whole):
        shares = [part[number] for part in parts]
        assert torch.equal(torch.cat([share[1] for share in shares]), labels)
        assert torch.equal(torch.cat([share[0]["sample_weight"] for share in shares]), inputs["sample_weight"])
        torch.testing.assert_close(torch.cat([share[0]["images"] for share in shares]), inputs["images"])


@pytest.mark.slow
def test_process_alone_imports_nothing_for_others(tiny_recipe, tmp_path):
    script = (
        "import sys; from skconv.cli.main import main; "
        f"code = main(['train', 'digits', '--recipe', {str(tiny_recipe)!r}, '--out', 'out']); "
        "assert code == 0 and 'accelerate' not in sys.modules; "
        "import torch; assert not torch.distributed.is_initialized()"
    )
    environment = {**os.environ, "WORLD_SIZE": "1"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, timeout=120)


def test_size_alone_makes_no_group(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert not is_one_of_several() and is_main_process(), "job schedulers set it too"


@pytest.mark.parametrize(
    ("asked", "told"), [({"seeds": 2}, "2 seeds"), ({"resume": True}, "resume"), ({"recipe": "kaggle"}, "ensemble")]
)
def test_what_cannot_be_spread_is_refused(second_of_two, tmp_path, asked, told):
    with pytest.raises(ParameterError, match=f"{told}.*without torchrun"):
        train("digits", out=tmp_path / "out", **asked)
    assert not any(tmp_path.iterdir())


def test_batch_with_fewer_images_than_processes_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "_joined", ProcessGroup(0, 70, "cpu"))
    digits = load_digits()
    with pytest.raises(ParameterError, match="Batches of 61 cannot be shared by 70 processes"):
        CNNClassifier("fast", batch_size=64, precision="fp32").fit(digits.images, digits.target)


def test_missing_accelerate_is_told_with_the_way_to_install_it(second_of_two, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[distributed\]'"):
        check_joining("cpu")


@pytest.mark.parametrize("device", ["mps", "cuda"])
def test_device_that_not_every_process_can_have_is_refused(second_of_two, monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ParameterError, match="--device cpu"):
        check_joining(device)
