"""Moving average of the weights, against its definition."""

import torch
from torch import nn

from skconv.training.ema import EmaWeights


def test_ema_follows_its_definition_and_swaps_back():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
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
