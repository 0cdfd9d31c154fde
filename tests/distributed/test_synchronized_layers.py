"""Batch norm and dropout of shards, against the whole batch; threads stand in for processes."""

import copy
import threading
from itertools import pairwise

import pytest
import torch
from torch import nn

from skconv.distributed.process_group import BatchShard, ProcessGroup
from skconv.distributed.synchronized_layers import synchronize_layers

BOUNDS = [0, 3, 5, 11]  # of three shards of unequal size


class ThreadCollective:
    """Exchange tensors between threads at a barrier."""

    def __init__(self, size):
        self.barrier, self.tensors = threading.Barrier(size, timeout=20), [None] * size

    def gather(self, rank, tensor):
        self.tensors[rank] = tensor.detach().clone()
        self.barrier.wait()
        gathered = torch.stack(self.tensors)
        self.barrier.wait()
        return gathered


class ThreadGroup(ProcessGroup):
    """`ProcessGroup` of threads in this process."""

    def __init__(self, rank, size, collective):
        super().__init__(rank, size, "cpu")
        object.__setattr__(self, "collective", collective)

    def gather(self, tensor):
        return self.collective.gather(self.rank, tensor)

    def all_reduce(self, tensor):
        return self.gather(tensor).sum(0)


def run_in_shards(network, images, labels):
    """Return outputs, gradients of the inputs and the network of each of three threads."""
    collective, results = ThreadCollective(3), [None] * 3

    def work(rank):
        own = slice(BOUNDS[rank], BOUNDS[rank + 1])
        copied = copy.deepcopy(network)
        inputs = images[own].clone().requires_grad_()
        shard = BatchShard(own.start, own.stop, BOUNDS[-1])
        with synchronize_layers(copied, ThreadGroup(rank, 3, collective), lambda: shard):
            outputs = copied(inputs)
            nn.functional.cross_entropy(outputs, labels[own], reduction="sum").backward()
        results[rank] = outputs.detach(), inputs.grad, copied

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize(("momentum", "affine"), [(0.1, True), (None, False)])
def test_batch_norm_of_shards_equals_the_whole_batch(momentum, affine):
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

    expected, inputs = copy.deepcopy(network), images.clone().requires_grad_()
    outputs = expected(inputs)
    nn.functional.cross_entropy(outputs, labels, reduction="sum").backward()

    results = run_in_shards(network, images, labels)
    torch.testing.assert_close(torch.cat([result[0] for result in results]), outputs.detach())
    torch.testing.assert_close(torch.cat([result[1] for result in results]), inputs.grad)
    for name, parameter in expected.named_parameters():
        summed = sum(copied.get_parameter(name).grad for _, _, copied in results)
        torch.testing.assert_close(summed, parameter.grad, msg=name)
    for _, _, copied in results:
        for name, buffer in expected.named_buffers():
            torch.testing.assert_close(copied.get_buffer(name), buffer, msg=name)


def test_batch_norm_is_precise_far_from_zero():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())
    images = 1000 + torch.rand(11, 1, 4, 4)
    results = run_in_shards(network, images, torch.zeros(11, dtype=torch.int64))
    expected = nn.functional.batch_norm(images.double(), None, None, training=True).flatten(1)
    torch.testing.assert_close(torch.cat([r[0] for r in results]).double(), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5)])
def test_dropout_of_shards_equals_the_whole_batch(layer):
    images = torch.rand(11, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    torch.manual_seed(3)
    expected = layer(images)
    for start, stop in pairwise(BOUNDS):
        torch.manual_seed(3)
        with synchronize_layers(layer, ProcessGroup(0, 3, "cpu"), lambda: BatchShard(start, stop, 11)):  # noqa: B023
            assert torch.equal(layer(images[start:stop]), expected[start:stop])


def test_layers_are_unchanged_in_evaluation_and_afterwards():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5)).eval()
    images, names = torch.rand(4, 2, 3, 3), list(network.state_dict())
    expected = network(images)
    with synchronize_layers(network, ProcessGroup(0, 2, "cpu"), lambda: BatchShard(0, 4, 8)):
        assert torch.equal(network(images), expected), "evaluation needs no collective"
        assert list(network.state_dict()) == names
    assert "forward" not in vars(network[0]) and "forward" not in vars(network[1])
