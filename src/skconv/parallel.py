"""Training of folds on Dask workers, as a joblib backend that sends arrays once and repeats tasks of lost workers.

Import this module only if workers are used, because Dask is optional and takes a second to import.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future as TaskFuture, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dask
import torch
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError, connect as open_comm
from joblib import parallel_config
from joblib._dask import DaskDistributedBackend

from distributed import Client, Future, KilledWorker, Security
from skconv.exceptions import ClusterError
from skconv.text import format_count
from skconv.training.threads import use_threads

_SCHEDULER_SECONDS = 10
_WORKER_SECONDS = 60  # a starting worker imports torch
_SAME_VERSIONS = ("skconv", "torch", "scikit-learn", "numpy")  # other versions change the weights or fail to unpickle

_task_lock = threading.Lock()


@contextmanager
def dask_workers(address: str) -> Iterator[None]:
    """Run joblib tasks inside the block on the workers of a Dask scheduler.

    `address` is, for example, ``tcp://127.0.0.1:8786``. Raise `ClusterError` if no scheduler or worker responds, a
    worker has other package versions, or the connection is lost.
    """
    with _cluster_errors(address), connect(address) as client, parallel_config(DaskBackend(client=client)):
        yield


class TrainingClient(Client):
    """Dask client for joblib; the results of tasks are bit-identical to those in this process."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.n_threads = torch.get_num_threads()  # read here, because joblib submits from another thread
        super().__init__(*args, **options)

    async def scatter(self, data: Any, **options: Any) -> Future:  # type: ignore[override]
        """Send data once, as the result of a task.

        Dask cannot restore scattered data if a worker is lost, but it recomputes the result of a task.
        """
        return super().submit(_return, data, pure=False)

    def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> Future:
        """Submit a task with this process's number of torch threads, so that sums are bit-identical."""
        return super().submit(_WithThreads(func, self.n_threads), *args, **options)

    def ncores(self, *args: Any, **options: Any) -> dict[str, int]:
        """Return one core more than each worker has, because joblib does not use Dask for one core in total."""
        return {worker: n + 1 for worker, n in super().ncores(*args, **options).items()}


class DaskBackend(DaskDistributedBackend):
    """Dask backend of joblib that raises the error of a cancelled task, instead of waiting for it forever."""

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Submit tasks; also call `callback` if Dask raises an error."""
        future = super().submit(func, callback)
        future.add_done_callback(lambda done: done.exception() and callback(done))
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the results of tasks, or raise their error."""
        return out.result() if isinstance(out, TaskFuture) else super().retrieve_result_callback(out)


class _WithThreads:
    """Wrapper that calls a function with a fixed number of torch threads."""

    def __init__(self, function: Callable[..., Any], n_threads: int) -> None:
        self.function = function
        self.n_threads = n_threads

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        # Tasks of one worker must not overlap, because torch has one random generator per process.
        with _task_lock, use_threads(self.n_threads, adapt=False):
            return self.function(*args, **keywords)


def _return(data: Any) -> Any:
    return data


@contextmanager
def connect(address: str) -> Iterator[TrainingClient]:
    """Yield a client of a scheduler after checking the package versions of its workers; close it at the end."""
    try:
        with ThreadPoolExecutor(1) as thread:  # in notebooks the main thread runs an event loop
            thread.submit(asyncio.run, _ping(address)).result()
    except Exception as error:  # another program on the port can cause any error
        reason = f" ({error})" if str(error) else ""
        raise ClusterError(
            f"No Dask scheduler responds at {address!r} within {_SCHEDULER_SECONDS} s{reason}. Start one with 'dask "
            "scheduler', workers with 'dask worker ADDRESS', and pass the scheduler's address, such as tcp://HOST:8786."
        ) from error
    # No warning about large arguments, because the images are sent only once.
    with (
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}),
        TrainingClient(address, timeout=_SCHEDULER_SECONDS, set_as_default=False) as client,
    ):
        _check_workers(client, address)
        yield client


async def _ping(address: str) -> None:
    """Complete a handshake with the scheduler, because `Client` would wait forever for a port without a response."""
    async with asyncio.timeout(_SCHEDULER_SECONDS):
        comm = await open_comm(address, timeout=_SCHEDULER_SECONDS, **Security().get_connection_args("client"))
        await comm.close()


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"The Dask scheduler at {address} has no workers. Start some with 'dask worker {address} --nthreads 1'."
        ) from error
    for package in _SAME_VERSIONS:
        ours = version(package)
        for worker, theirs in client.run(version, package, on_error="return").items():
            if theirs != ours:
                found = f"lacks {package}" if isinstance(theirs, PackageNotFoundError) else f"has {package} {theirs}"
                raise ClusterError(
                    f"The worker {worker} {found}; this process has {package} {ours}. Install the same versions on all "
                    "machines, and restart the worker."
                )


@contextmanager
def _cluster_errors(address: str) -> Iterator[None]:
    """Convert Dask's errors about lost machines to `ClusterError`, and silence Dask's log."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"Lost {format_count(error.allowed_failures + 1, 'worker')} of {address} during training, the last at "
            f"{error.last_worker.address}. See its log for the cause, most often insufficient memory."
        ) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError(
            f"The connection to the Dask scheduler at {address} was lost. Restart the scheduler and its workers, "
            "then train again."
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
