"""A small pretrained network for tests, whose weights are generated instead of read."""

import torch
from torch import nn

from skconv.networks import register_network
from skconv.networks.pretrained import PretrainedNetwork, PretrainedNormalization


def _stage(in_channels, out_channels, stride=1):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class TinyPretrained(PretrainedNetwork):
    """Three stages and a linear layer."""

    def __init__(self, *, in_channels, image_size, num_classes):
        layer = PretrainedNormalization(
            in_channels, image_size, (12, 12), channel_mean=(0.5,) * 3, channel_std=(0.5,) * 3
        )
        super().__init__(layer, num_classes)
        self.stages = nn.Sequential(_stage(3, 16), _stage(16, 16, stride=2), _stage(16, 16))
        self.head = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(16 * 9, num_classes))

    def load_pretrained(self):
        """Load random weights and statistics, the same at every call."""
        generator = torch.Generator().manual_seed(7)
        for tensor in self.stages.state_dict().values():
            if tensor.is_floating_point():
                is_weight = tensor.ndim == 4
                values = torch.rand(tensor.shape, generator=generator)
                tensor.copy_((values - 0.5) * 0.5 if is_weight else 0.5 + 0.5 * values)
        return [f"stages.{name}" for name in self.stages.state_dict()]


@register_network(name="tiny-pretrained")
def create(**shape):
    """Small network for tests."""
    return TinyPretrained(**shape)
