"""The moving average of the weights against its definition."""

import torch
from torch import nn

from skconv.training.ema import EmaWeights


def test_average_follows_its_definition_and_swaps_back():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = EmaWeights(module, decay=0.5)
    expected = module[0].weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            module[0].weight.add_(torch.randn(2, 3))
        average.update(module)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * module[0].weight.detach()
    live = module[0].weight.detach().clone()
    average.swap(module, averaged=True)
    average.swap(module, averaged=True)
    torch.testing.assert_close(module[0].weight.detach(), expected)
    assert module[1].num_batches_tracked == 0
    average.swap(module, averaged=False)
    assert torch.equal(module[0].weight, live)
