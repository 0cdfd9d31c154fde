"""AdamW: torch's steps to the bit, and nothing of torch's compiler."""

import copy
import subprocess
import sys

import torch

from skconv.training.adamw import AdamW

SETTINGS = {"lr": 0.1, "betas": (0.7, 0.95), "weight_decay": 0.05}


def train(optimizer: torch.optim.Optimizer, layers: torch.nn.Module, n_steps: int) -> None:
    images = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(n_steps):
        optimizer.zero_grad()
        layers(images).square().sum().backward()
        optimizer.step()


def make_layers() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(32, 2))


def test_steps_are_those_of_torch():
    ours, theirs = make_layers(), make_layers()
    ours[0].bias.requires_grad_(False)  # it has no gradient, and stays
    theirs[0].bias.requires_grad_(False)
    train(AdamW(ours.parameters(), **SETTINGS), ours, 5)
    train(torch.optim.AdamW(theirs.parameters(), fused=True, **SETTINGS), theirs, 5)
    for own, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(own, expected)


def test_a_copy_goes_on_with_the_same_steps():
    layers = make_layers()
    optimizer = AdamW(layers.parameters(), **SETTINGS)
    train(optimizer, layers, 2)
    layers_again, optimizer_again = copy.deepcopy((layers, optimizer))
    train(optimizer, layers, 2)
    train(optimizer_again, layers_again, 2)
    for own, again in zip(layers.parameters(), layers_again.parameters(), strict=True):
        assert torch.equal(own, again)


def test_closure_is_called_with_gradients():
    weight = torch.ones(3, requires_grad=True)
    optimizer = AdamW([weight], lr=0.1, weight_decay=0.0)

    def compute_loss():
        loss = weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(compute_loss) == 3
    assert torch.allclose(weight, torch.full((3,), 0.9))


def test_a_fit_does_not_load_the_compiler():
    code = (
        "import sys, numpy as np\n"
        "from skconv import CNNClassifier\n"
        "images, labels = np.zeros((8, 8, 8), np.uint8), np.arange(8) % 2\n"
        "for optimizer in ('adamw', 'muon'):\n"
        "    CNNClassifier(optimizer=optimizer, max_epochs=1).fit(images, labels)\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
