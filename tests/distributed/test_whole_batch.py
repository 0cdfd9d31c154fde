"""Layers that see a share of a batch do what they do to the whole: the processes are threads that meet at a barrier."""

import copy
import threading
from itertools import pairwise

import pytest
import torch
from torch import nn

from skconv.distributed.process_group import BatchShard, ProcessGroup
from skconv.distributed.whole_batch import synchronize_layers

CUTS = [0, 3, 5, 11]  # the shares of three processes, of unequal size


class Meeting:
    """What several threads bring together."""

    def __init__(self, size):
        self.barrier, self.brought = threading.Barrier(size, timeout=20), [None] * size

    def exchange(self, rank, tensor):
        self.brought[rank] = tensor.detach().clone()
        self.barrier.wait()
        together = torch.stack(self.brought)
        self.barrier.wait()
        return together


class Threads(ProcessGroup):
    """`Processes` that meet in this one."""

    def __init__(self, rank, size, meeting):
        super().__init__(rank, size, "cpu")
        object.__setattr__(self, "meeting", meeting)

    def gather(self, tensor):
        return self.meeting.exchange(self.rank, tensor)

    def all_reduce(self, tensor):
        return self.gather(tensor).sum(0)


def run_in_shares(network, images, labels):
    """Return what each of three threads comes to: outputs, gradients of the inputs, its network."""
    meeting, results = Meeting(3), [None] * 3

    def work(rank):
        own = slice(CUTS[rank], CUTS[rank + 1])
        mine = copy.deepcopy(network)
        share = images[own].clone().requires_grad_()
        with synchronize_layers(mine, Threads(rank, 3, meeting), lambda: BatchShard(own.start, own.stop, CUTS[-1])):
            outputs = mine(share)
            nn.functional.cross_entropy(outputs, labels[own], reduction="sum").backward()
        results[rank] = outputs.detach(), share.grad, mine

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_of_shares_is_that_of_the_whole_batch(momentum, affine):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4, momentum=momentum, affine=affine),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(64, 5),
    ).double()
    network.append(nn.BatchNorm1d(5).double())
    images, labels = 50 + torch.rand(11, 2, 6, 6, dtype=torch.float64), torch.randint(5, (11,))

    whole, inputs = copy.deepcopy(network), images.clone().requires_grad_()
    outputs = whole(inputs)
    nn.functional.cross_entropy(outputs, labels, reduction="sum").backward()

    results = run_in_shares(network, images, labels)
    torch.testing.assert_close(torch.cat([result[0] for result in results]), outputs.detach())
    torch.testing.assert_close(torch.cat([result[1] for result in results]), inputs.grad)
    for name, parameter in whole.named_parameters():
        summed = sum(dict(mine.named_parameters())[name].grad for _, _, mine in results)
        torch.testing.assert_close(summed, parameter.grad, msg=name)
    for _, _, mine in results:
        for name, buffer in whole.named_buffers():
            torch.testing.assert_close(dict(mine.named_buffers())[name], buffer, msg=name)


def test_batch_norm_keeps_its_digits_far_from_zero():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())
    images = 1000 + torch.rand(11, 1, 4, 4)
    results = run_in_shares(network, images, torch.zeros(11, dtype=torch.int64))
    expected = nn.functional.batch_norm(images.double(), None, None, training=True).flatten(1)
    torch.testing.assert_close(torch.cat([r[0] for r in results]).double(), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5)])
def test_dropout_drops_from_shares_what_it_drops_from_the_whole_batch(layer):
    images = torch.rand(11, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    torch.manual_seed(3)
    expected = layer(images)
    for start, stop in pairwise(CUTS):
        torch.manual_seed(3)
        with synchronize_layers(layer, ProcessGroup(0, 3, "cpu"), lambda: BatchShard(start, stop, 11)):  # noqa: B023
            assert torch.equal(layer(images[start:stop]), expected[start:stop])


def test_layers_are_what_they_were_afterwards_and_in_evaluation():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5)).eval()
    images, names = torch.rand(4, 2, 3, 3), list(network.state_dict())
    expected = network(images)
    with synchronize_layers(network, ProcessGroup(0, 2, "cpu"), lambda: BatchShard(0, 4, 8)):
        assert torch.equal(network(images), expected), "evaluation asks nobody"
        assert list(network.state_dict()) == names
    assert "forward" not in vars(network[0]) and "forward" not in vars(network[1])
