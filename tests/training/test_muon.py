"""Muon: filters take steps of one size in all directions, everything else takes AdamW's."""

import copy

import pytest
import torch

from skconv.training.adamw import AdamW
from skconv.training.muon import Muon, RecordedOrthogonalize, orthogonalize

RATE, DECAY = 0.1, 0.5


def make_layers() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(32, 2))


def step(optimizer: torch.optim.Optimizer, layers: torch.nn.Sequential) -> None:
    images = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    optimizer.zero_grad()
    layers(images).square().sum().backward()
    optimizer.step()


def test_orthogonalize_brings_all_directions_to_one_size():
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8), (5, 5)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(shape) @ torch.diag(torch.logspace(0, -2, shape[1]))))
        assert values.max() < 1.3 and values.median() > 0.6
    assert not orthogonalize(torch.zeros(3, 4)).any()


def test_orthogonalize_is_the_iteration_on_the_matrix_itself():
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8)):
        expected = matrix = torch.randn(shape, dtype=torch.float64)
        expected = expected / expected.norm()
        for _ in range(5):
            square = expected @ expected.T
            expected = 3.4445 * expected + (-4.7750 * square + 2.0315 * square @ square) @ expected
        torch.testing.assert_close(orthogonalize(matrix), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records what a GPU does, and there is none")
def test_what_is_recorded_on_a_gpu_is_orthogonalize_to_the_bit():
    for shape in ((8, 40), (40, 8)):
        matrices = torch.randn(3, *shape, device="cuda")
        recorded = RecordedOrthogonalize(matrices[0].shape, matrices.device)
        for matrix in (*matrices, matrices[0]):
            assert torch.equal(recorded(matrix), orthogonalize(matrix))


def test_only_filters_step_otherwise_than_with_adamw():
    layers = make_layers()
    ours, theirs = copy.deepcopy(layers), copy.deepcopy(layers)
    step(Muon(ours.parameters(), lr=RATE, weight_decay=DECAY), ours)
    step(AdamW(theirs.parameters(), lr=RATE, weight_decay=DECAY), theirs)
    for (name, before), after, expected in zip(
        layers.named_parameters(), ours.parameters(), theirs.parameters(), strict=True
    ):
        assert torch.equal(after, expected) == (name != "0.weight")
        if name == "0.weight":
            values = torch.linalg.svdvals((after - before * (1 - RATE * DECAY)).flatten(1))
            size = RATE * 0.2 * 27**0.5
            assert values.max() < 1.3 * size and values.median() > 0.6 * size


def test_frozen_filters_stay():
    layers = make_layers()
    layers[0].weight.requires_grad_(False)
    before = layers[0].weight.clone()
    step(Muon(layers.parameters(), lr=RATE), layers)
    assert torch.equal(layers[0].weight, before)


def test_a_copy_goes_on_with_the_same_steps():
    layers = make_layers()
    optimizer = Muon(layers.parameters(), lr=RATE)
    step(optimizer, layers)
    again, other = copy.deepcopy((layers, optimizer))
    step(optimizer, layers)
    step(other, again)
    assert all(torch.equal(a, b) for a, b in zip(layers.parameters(), again.parameters(), strict=True))
