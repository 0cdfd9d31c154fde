"""The processes of one training, as torchrun starts them: who they are, what they tell each other, who speaks.

Importing this loads neither torch nor Accelerate: a process that is alone needs neither of them for it.
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

if TYPE_CHECKING:
    from torch import Tensor

_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE = timedelta(minutes=5)  # for the slowest to load its data; one that is killed is noticed at once


@dataclass(frozen=True)
class BatchShard:
    """The images that this process has of a whole batch.

    Parameters
    ----------
    start, stop : int
        Their positions in it.
    whole : int
        How many it holds.
    """

    start: int
    stop: int
    whole: int


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model together, seen by one of them.

    Parameters
    ----------
    rank : int
        Which of them this is, from 0.
    size : int
        How many there are.
    device : str
        Where this one computes.
    """

    rank: int
    size: int
    device: str

    def take_shard(self, whole: int) -> BatchShard:
        """Return what this process has of a batch; the shares of all differ by an image at most.

        Examples
        --------
        >>> [Processes(rank, 2, "cpu").take_shard(5) for rank in (0, 1)]
        [Share(start=0, stop=2, whole=5), Share(start=2, stop=5, whole=5)]
        """
        return BatchShard(self.rank * whole // self.size, (self.rank + 1) * whole // self.size, whole)

    def all_reduce(self, tensor: Tensor) -> Tensor:
        """Return the sum of every process's tensor."""
        from accelerate.utils import reduce

        with _answering():
            return reduce(tensor, "sum")

    def gather(self, tensor: Tensor) -> Tensor:
        """Return every process's tensor, (size, …), in the order of their ranks."""
        from accelerate.utils import gather

        with _answering():
            return gather(tensor.unsqueeze(0))

    def broadcast_object(self, value: Any) -> Any:
        """Return the first process's value: what was measured may differ."""
        from accelerate.utils import broadcast_object_list

        with _answering():
            return broadcast_object_list([value])[0]

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Fill tensors with the first process's values."""
        from accelerate.utils import broadcast

        with _answering():
            unflatten(broadcast(flatten(tensors)), tensors)


_joined: ProcessGroup | None = None


def get_processes() -> ProcessGroup | None:
    """Return the processes that this one has joined; None where it is alone."""
    return _joined


def is_one_of_several() -> bool:
    """Whether torchrun, or what does the same, started this process beside others."""
    size = os.environ.get("WORLD_SIZE", "")
    return size.isdigit() and int(size) > 1 and all(name in os.environ for name in _TORCHRUN)


def check_alone(command: str) -> None:
    """Raise `ParameterError` where torchrun started this process beside others, which would each do the whole work."""
    if is_one_of_several():
        raise ParameterError(f"Several processes can train together, and nothing else. Run {command} without torchrun.")


def is_main_process() -> bool:
    """Whether this process is alone, or the one of several that writes, draws and prints."""
    return not is_one_of_several() or os.environ["RANK"] == "0"


def launcher() -> list[str]:
    """Return what stands before the command that every process runs: nothing where this one is alone."""
    if not is_one_of_several():
        return []
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    machines = int(os.environ["WORLD_SIZE"]) // here
    several = ["--nnodes", str(machines)] if machines > 1 else []
    return ["torchrun", *several, "--nproc-per-node", str(here), "-m"]


def check_joining(device: str) -> None:
    """Raise `ParameterError` where Accelerate is missing, or the device cannot be shared or is not there for each."""
    if importlib.util.find_spec("accelerate") is None:
        raise missing_package("Training in several processes needs", "accelerate", "distributed")
    _wants_gpu(device)


@contextmanager
def join_processes(device: str) -> Iterator[ProcessGroup | None]:
    """Train together with the other processes that torchrun started, inside the block; None where there are none.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU for each process where there are any.

    Raises
    ------
    ProcessLostError
        Another process did not come.
    """
    global _joined
    if not is_one_of_several():
        yield None
        return
    from accelerate import PartialState

    on_gpu = _wants_gpu(device)
    with _answering():
        state = PartialState(cpu=not on_gpu, backend="nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    _joined = ProcessGroup(state.process_index, state.num_processes, str(state.device) if on_gpu else "cpu")
    try:
        yield _joined
    finally:
        _joined = None
    state.destroy_process_group()  # not after an error: others may never come to it
    state._reset_state()


@contextmanager
def main_process_only() -> Iterator[None]:
    """Let nothing but the first process print inside the block."""
    if is_main_process():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
        yield


def should_report() -> bool:
    """Whether it is for this process to tell why it ends: it is alone, or the first one of several to ask.

    What goes wrong in one process soon ends the others too, and a wrong setting ends them all: it is told once. They
    ask at the store that torchrun keeps for them, which outlives each of them.
    """
    if not is_one_of_several():
        return True
    if threading.current_thread() is threading.main_thread():  # only there signals can be handled
        # torchrun ends this process as soon as another has failed: not before it has told.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        socket.create_connection(address, timeout=5).close()  # torch would print its own stack, and wait
    except OSError:
        return is_main_process()
    from torch.distributed import TCPStore

    run = [os.environ.get(name, "") for name in ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")]
    try:
        store = TCPStore(*address, is_master=False, timeout=timedelta(seconds=5))
        return store.add("/".join(["skconv", "told", *run]), 1) == 1
    except RuntimeError:  # torchrun is gone, or another program started these processes
        return is_main_process()


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Return all values of tensors in one row."""
    import torch

    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def unflatten(row: Tensor, tensors: Sequence[Tensor]) -> None:
    """Fill tensors with the values of a row, as `flatten` made it of them."""
    parts = row.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view_as(tensor))


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what the process group says, when another process does not answer, into a `ProcessLostError`."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(describe_loss()) from error


def describe_loss() -> str:
    """Say that a training of several processes ends without a model."""
    size = os.environ["WORLD_SIZE"]
    return (
        f"The training was ended: one of its {size} processes was killed or fell silent, or torchrun was told to stop. "
        "Nothing was written. Start it again; where memory ran out, with fewer processes."
    )


def _wants_gpu(device: str) -> bool:
    """Whether every process computes on a GPU of its own."""
    if device == "cpu":
        return False
    import torch

    if device == "mps":
        raise ParameterError("Several processes cannot share the device 'mps'. Take --device cpu, or one process.")
    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if gpus == 0 and device == "auto":
        return False
    if gpus < here:
        raise ParameterError(
            f"{here} processes were started on a machine with {gpus} GPUs. Start at most one a GPU "
            "(torchrun --nproc-per-node), or take --device cpu."
        )
    return True
