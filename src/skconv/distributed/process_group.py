"""Process group of a distributed run: rank, batch shards, collectives, logging by the main process only.

Importing this module loads neither torch nor Accelerate, because most commands run in one process.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from skconv.exceptions import ParameterError, ProcessLostError, missing_package
from skconv.text import format_count

if TYPE_CHECKING:
    from torch import Tensor

_TORCHRUN_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_TIMEOUT = timedelta(minutes=5)  # allows for processes that load data slowly; a killed process is detected at once


@dataclass(frozen=True)
class BatchShard:
    """Images ``start`` to ``stop`` of a batch of ``batch_size`` images, on which one process trains."""

    start: int
    stop: int
    batch_size: int


@dataclass(frozen=True)
class ProcessGroup:
    """Processes that train one model: number of processes, and rank (from 0) and device of this process."""

    rank: int
    size: int
    device: str

    def shard(self, batch_size: int) -> BatchShard:
        """Return the shard of a batch for this process; the sizes of all shards differ by at most one image.

        Examples
        --------
        >>> [ProcessGroup(rank, 2, "cpu").shard(5) for rank in (0, 1)]
        [BatchShard(start=0, stop=2, batch_size=5), BatchShard(start=2, stop=5, batch_size=5)]
        """
        return BatchShard(self.rank * batch_size // self.size, (self.rank + 1) * batch_size // self.size, batch_size)

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Return the sum of the tensors of all processes."""
        from accelerate.utils import reduce

        with _raising_process_lost():
            return reduce(tensor, "sum")

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes, stacked in the order of their ranks, shape (size, …)."""
        from accelerate.utils import gather

        with _raising_process_lost():
            return gather(tensor.unsqueeze(0))

    def broadcast_object(self, value: Any) -> Any:
        """Return the object that the main process passed as `value`."""
        from accelerate.utils import broadcast_object_list

        with _raising_process_lost():
            return broadcast_object_list([value])[0]

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with the values of the main process."""
        from accelerate.utils import broadcast

        with _raising_process_lost():
            unflatten(broadcast(flatten(tensors)), tensors)


_process_group: ProcessGroup | None = None


def get_process_group() -> ProcessGroup | None:
    """Return the group that this process has joined, or None."""
    return _process_group


def is_distributed() -> bool:
    """Return whether this process is one of several started by torchrun or an equivalent launcher."""
    size = os.environ.get("WORLD_SIZE", "")
    return size.isdigit() and int(size) > 1 and all(name in os.environ for name in _TORCHRUN_VARIABLES)


def check_not_distributed(command: str) -> None:
    """Raise `ParameterError` if torchrun started several processes, because each would run the whole command."""
    if is_distributed():
        raise ParameterError(
            "torchrun started several processes; expected one, because only the train command supports several. "
            f"Run {command} without torchrun."
        )


def is_main_process() -> bool:
    """Return whether this process writes the files and the output; true for a single process."""
    return not is_distributed() or os.environ["RANK"] == "0"


def torchrun_prefix() -> list[str]:
    """Return the torchrun arguments that precede the command line of this process; empty for a single process."""
    if not is_distributed():
        return []
    n_local = int(os.environ["LOCAL_WORLD_SIZE"])
    n_machines = int(os.environ["WORLD_SIZE"]) // n_local
    nodes = ["--nnodes", str(n_machines)] if n_machines > 1 else []
    return ["torchrun", *nodes, "--nproc-per-node", str(n_local), "-m"]


def check_distributed(device: str) -> None:
    """Raise `ParameterError` if Accelerate is not installed or the processes cannot share `device`."""
    if importlib.util.find_spec("accelerate") is None:
        raise missing_package("training in several processes", "accelerate", "distributed")
    _needs_gpu(device)


@contextmanager
def join_process_group(device: str) -> Iterator[ProcessGroup | None]:
    """Join the processes that torchrun started inside the block; yield the process group, or None for a single process.

    The device "auto" is one GPU per process on machines with GPUs. Raise `ProcessLostError` if another process does not
    join.
    """
    global _process_group
    if not is_distributed():
        yield None
        return
    from accelerate import PartialState

    use_gpu = _needs_gpu(device)
    with _raising_process_lost():
        state = PartialState(cpu=not use_gpu, backend="nccl" if use_gpu else "gloo", timeout=_TIMEOUT)
    _process_group = ProcessGroup(state.process_index, state.num_processes, str(state.device) if use_gpu else "cpu")
    try:
        yield _process_group
    finally:
        _process_group = None
    state.destroy_process_group()  # skipped after an error, because it waits for processes that may have ended
    state._reset_state()


@contextmanager
def main_process_only() -> Iterator[None]:
    """Discard the output of all processes except the main one inside the block."""
    if is_main_process():
        yield
        return
    with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):  # noqa: PTH123
        yield


@contextmanager
def ignoring_sigterm() -> Iterator[None]:
    """Ignore SIGTERM inside the block: torchrun terminates the other processes when one has failed."""
    if threading.current_thread() is not threading.main_thread():  # Python handles signals only in the main thread
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def should_report() -> bool:
    """Return whether this process should print its error: true for the first process that calls this function.

    An error in one process also ends the others, but should be printed once. A counter in torchrun's store, which
    outlives the processes, identifies the first one.
    """
    if not is_distributed():
        return True
    if threading.current_thread() is threading.main_thread():  # Python handles signals only in the main thread
        # torchrun terminates this process when another one fails; ignore the signal until the error is printed.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        # Test the connection first, because TCPStore prints a stack trace and retries.
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return is_main_process()
    from torch.distributed import TCPStore

    run = [os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")]
    try:
        store = TCPStore(*address, is_master=False, timeout=timedelta(seconds=5))
        return store.add("/".join(["skconv", "reported", *run]), 1) == 1
    except RuntimeError:  # torchrun has ended, or another launcher started the processes
        return is_main_process()


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate the values of all tensors into a one-dimensional tensor."""
    import torch

    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def unflatten(values: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy `values`, in the order of `flatten`, to the tensors."""
    parts = values.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view_as(tensor))


def describe_lost_process() -> str:
    """Return the error message for a distributed run that lost a process."""
    size = os.environ["WORLD_SIZE"]
    return (
        f"The run ended: one of its {size} processes was killed or did not respond, or torchrun was stopped. "
        "Nothing was written. Start the run again, with fewer processes if memory ran out."
    )


@contextmanager
def _raising_process_lost() -> Iterator[None]:
    """Convert errors of torch's process group to `ProcessLostError`."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(describe_lost_process()) from error


def _needs_gpu(device: str) -> bool:
    """Return whether each process needs its own GPU; raise `ParameterError` if the machine has too few GPUs."""
    if device == "cpu":
        return False
    import torch

    if device == "mps":
        raise ParameterError("Several processes cannot share the device 'mps'. Pass --device cpu, or use one process.")
    n_local, n_gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if n_gpus == 0 and device == "auto":
        return False
    if n_gpus < n_local:
        raise ParameterError(
            f"{n_local} processes were started on a machine with {format_count(n_gpus, 'GPU')}. Start at most one "
            "process per GPU (torchrun --nproc-per-node), or pass --device cpu."
        )
    return True
