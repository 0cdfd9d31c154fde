"""`PartialNetwork`: the last stages of a pretrained network, which accept cached activations."""

from __future__ import annotations

from torch import Tensor, nn

from skconv.networks.pretrained import PretrainedNetwork, fold_batch_norm


class PartialNetwork(nn.Module):
    """Last stages and head of a pretrained network, without its first `n_frozen` stages.

    The modules are shared with the network. The input are activations that `make_extractor` computes, or images if
    no stage is frozen. Stages stay in evaluation mode, so that their batch-norm statistics are those of the pretraining
    images: the statistics of small batches are worse.

    Parameters
    ----------
    network : PretrainedNetwork
    n_frozen : int
        Number of stages that are not part of this network, 0 to ``len(network.stages)``.
    """

    def __init__(self, network: PretrainedNetwork, n_frozen: int) -> None:
        super().__init__()
        self.input_normalization = nn.Identity() if n_frozen else network.input_normalization
        self.stages = network.stages[n_frozen:]
        self.head = split_head(network)[1] if n_frozen == len(network.stages) else network.head
        self.logit_calibration = network.logit_calibration
        self.channels_last = network.channels_last
        self.train()

    def forward(self, activations: Tensor) -> Tensor:
        """Return logits (n, num_classes) of activations."""
        return self.logit_calibration(self.head(self.stages(self.input_normalization(activations))))

    def train(self, mode: bool = True) -> PartialNetwork:
        """Set the mode of the head; stages stay in evaluation mode."""
        super().train(mode)
        self.stages.eval()
        return self


def make_extractor(network: PretrainedNetwork, start: int, stop: int) -> nn.Module:
    """Return a network that computes the input of ``PartialNetwork(network, stop)`` from that of stage `start`.

    The input are images if `start` is 0. The network is a copy in evaluation mode, with batch norm folded into the
    convolutions, which saves a fifth of the time. After the last stage follow the first layers of the head that have
    no weights, such as average pooling.
    """
    layers: list[nn.Module] = [
        *([] if start else [network.input_normalization]),
        *network.stages[start:stop].children(),
    ]
    if stop == len(network.stages):
        layers.append(split_head(network)[0])
    return fold_batch_norm(nn.Sequential(*layers))


def split_head(network: PretrainedNetwork) -> tuple[nn.Sequential, nn.Module]:
    """Return the first layers of the head that are constant functions (pooling, flattening), and the other layers."""
    if not isinstance(network.head, nn.Sequential):
        return nn.Sequential(), network.head
    layers = list(network.head)
    n = next((n for n, layer in enumerate(layers) if not _is_constant(layer)), len(layers))
    return nn.Sequential(*layers[:n]), nn.Sequential(*layers[n:])


def _is_constant(layer: nn.Module) -> bool:
    """Return whether a layer has no weights and no random numbers."""
    random = any("Dropout" in type(each).__name__ for each in layer.modules())
    return not random and not any(True for _ in layer.parameters()) and not any(True for _ in layer.buffers())
