"""AdamW, Muon and the EMA of the weights, against torch and plain references."""

import copy
import subprocess
import sys

import pytest
import torch

from skconv.training.optimizers import AdamW, EmaWeights, Muon, OrthogonalizeGraph, orthogonalize

SETTINGS = {"lr": 0.1, "betas": (0.7, 0.95), "weight_decay": 0.05}


def train(optimizer, layers, n_steps=1):
    images = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(n_steps):
        optimizer.zero_grad()
        layers(images).square().sum().backward()
        optimizer.step()


def make_layers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(32, 2))


def test_adamw_equals_torch_bit_for_bit():
    layers, expected = make_layers(), make_layers()
    layers[0].bias.requires_grad_(False)  # parameters without a gradient are skipped
    expected[0].bias.requires_grad_(False)
    train(AdamW(layers.parameters(), **SETTINGS), layers, 5)
    train(torch.optim.AdamW(expected.parameters(), fused=True, **SETTINGS), expected, 5)
    assert all(map(torch.equal, layers.parameters(), expected.parameters()))


@pytest.mark.parametrize("optimizer", [AdamW, Muon])
def test_copied_optimizer_continues_with_the_same_steps(optimizer):
    layers = make_layers()
    original = optimizer(layers.parameters(), **SETTINGS)
    train(original, layers, 2)
    copied_layers, copied = copy.deepcopy((layers, original))
    train(original, layers, 2)
    train(copied, copied_layers, 2)
    assert all(map(torch.equal, layers.parameters(), copied_layers.parameters()))


def test_closure_is_called_with_gradients_enabled():
    weight = torch.ones(3, requires_grad=True)
    optimizer = AdamW([weight], lr=0.1, weight_decay=0.0)

    def compute_loss():
        loss = weight.sum()
        loss.backward()
        return loss

    assert optimizer.step(compute_loss) == 3
    assert torch.allclose(weight, torch.full((3,), 0.9))


def test_fit_does_not_import_the_compiler():
    code = (
        "import sys, numpy as np\n"
        "from skconv import CNNClassifier\n"
        "images, labels = np.zeros((8, 8, 8), np.uint8), np.arange(8) % 2\n"
        "for optimizer in ('adamw', 'muon'):\n"
        "    CNNClassifier(optimizer=optimizer, max_epochs=1).fit(images, labels)\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_orthogonalize_moves_singular_values_to_about_1():
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8), (5, 5)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(shape) @ torch.diag(torch.logspace(0, -2, shape[1]))))
        assert values.max() < 1.3 and values.median() > 0.6
    assert not orthogonalize(torch.zeros(3, 4)).any()


def test_orthogonalize_equals_the_iteration_on_the_whole_matrix():
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8)):
        expected = matrix = torch.randn(shape, dtype=torch.float64)
        expected = expected / expected.norm()
        for _ in range(5):
            square = expected @ expected.T
            expected = 3.4445 * expected + (-4.7750 * square + 2.0315 * square @ square) @ expected
        torch.testing.assert_close(orthogonalize(matrix), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_graph_equals_orthogonalize_bit_for_bit():
    for shape in ((8, 40), (40, 8)):
        matrices = torch.randn(3, *shape, device="cuda")
        graph = OrthogonalizeGraph(matrices[0].shape, matrices.device)
        for matrix in (*matrices, matrices[0]):
            assert torch.equal(graph(matrix), orthogonalize(matrix))


def test_muon_differs_from_adamw_in_convolutions_only():
    rate, decay = 0.1, 0.5
    layers = make_layers()
    trained, expected = copy.deepcopy(layers), copy.deepcopy(layers)
    train(Muon(trained.parameters(), lr=rate, weight_decay=decay), trained)
    train(AdamW(expected.parameters(), lr=rate, weight_decay=decay), expected)
    for name, parameter in trained.named_parameters():
        assert torch.equal(parameter, expected.get_parameter(name)) == (name != "0.weight")
    step = (trained[0].weight - layers[0].weight * (1 - rate * decay)).flatten(1)
    values, scale = torch.linalg.svdvals(step), rate * 0.2 * 27**0.5
    assert values.max() < 1.3 * scale and values.median() > 0.6 * scale


def test_muon_without_momentum_follows_the_current_gradient():
    weight = torch.zeros(4, 3, 3, 3, requires_grad=True)
    optimizer = Muon([weight], lr=0.1, weight_decay=0.0, momentum=0.0)
    gradients = torch.randn(2, 4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    for gradient in gradients:
        before, weight.grad = weight.detach().clone(), gradient.clone()
        optimizer.step()
    expected = -0.1 * 0.2 * 27**0.5 * orthogonalize(gradients[1].flatten(1)).view_as(weight)
    torch.testing.assert_close(weight.detach() - before, expected)


def test_muon_does_not_update_frozen_convolutions():
    layers = make_layers()
    layers[0].weight.requires_grad_(False)
    before = layers[0].weight.clone()
    train(Muon(layers.parameters(), lr=0.1), layers)
    assert torch.equal(layers[0].weight, before)


def test_ema_follows_its_definition_and_swaps_back():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    ema = EmaWeights(module, decay=0.5)
    expected = module[0].weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            module[0].weight.add_(torch.randn(2, 3))
        ema.update(module)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * module[0].weight.detach()
    live = module[0].weight.detach().clone()
    ema.swap(module, averaged=True)
    ema.swap(module, averaged=True)
    torch.testing.assert_close(module[0].weight.detach(), expected)
    assert module[1].num_batches_tracked == 0
    ema.swap(module, averaged=False)
    assert torch.equal(module[0].weight, live)
