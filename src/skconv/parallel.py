"""Folds on Dask workers, through joblib: arrays are sent once, tasks of lost workers are repeated.

Import this module only where workers are used: it imports Dask, which takes a second and is optional.
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

_SCHEDULER_SECONDS = 10
_WORKER_SECONDS = 60  # a worker that starts imports torch first
_SAME_VERSIONS = ("skconv", "torch", "scikit-learn", "numpy")  # others give other weights or cannot unpickle

_task_lock = threading.Lock()


@contextmanager
def dask_workers(address: str) -> Iterator[None]:
    """Run joblib's tasks on the workers of the Dask scheduler at an address, as tcp://127.0.0.1:8786, inside the block.

    Raise `ClusterError` if no scheduler or worker responds, a worker has other versions, or the scheduler is lost.
    """
    with _cluster_errors(address), connect(address) as client, parallel_config(DaskBackend(client=client)):
        yield


class TrainingClient(Client):
    """Dask client for joblib whose tasks compute the same bits on a worker as in this process."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.n_threads = torch.get_num_threads()  # of this thread: joblib submits from another
        super().__init__(*args, **options)

    async def scatter(self, data: Any, **options: Any) -> Future:  # type: ignore[override]
        """Send data once, as the result of a task.

        Scattered data lives on workers only and is lost with them; a result is computed again.
        """
        return super().submit(_return, data, pure=False)

    def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> Future:
        """Submit a task that uses as many torch threads as this process, so that sums have the same bits."""
        return super().submit(_WithThreads(func, self.n_threads), *args, **options)

    def ncores(self, *args: Any, **options: Any) -> dict[str, int]:
        """Return one core more per worker than it has: with one core in all, joblib would train in this process."""
        return {worker: n + 1 for worker, n in super().ncores(*args, **options).items()}


class DaskBackend(DaskDistributedBackend):
    """joblib's Dask backend, which alone would wait forever for a task that Dask has cancelled."""

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Submit tasks; call back also if Dask ends them with an error of its own."""
        future = super().submit(func, callback)
        future.add_done_callback(lambda done: done.exception() and callback(done))
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the results, or raise the error."""
        return out.result() if isinstance(out, TaskFuture) else super().retrieve_result_callback(out)


class _WithThreads:
    """A function that is called with a number of torch threads."""

    def __init__(self, function: Callable[..., Any], n_threads: int) -> None:
        self.function = function
        self.n_threads = n_threads

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        # torch has one random generator per process: tasks of one worker must not interleave.
        with _task_lock:
            before = torch.get_num_threads()
            torch.set_num_threads(self.n_threads)
            try:
                return self.function(*args, **keywords)
            finally:
                torch.set_num_threads(before)


def _return(data: Any) -> Any:
    return data


@contextmanager
def connect(address: str) -> Iterator[TrainingClient]:
    """Yield a client of a scheduler whose workers have the versions of this process; close it at the end."""
    try:
        with ThreadPoolExecutor(1) as thread:  # in a notebook this thread has a running event loop
            thread.submit(asyncio.run, _ping(address)).result()
    except Exception as error:  # another program on the port can send anything
        reason = f" ({error})" if str(error) else ""
        raise ClusterError(
            f"No Dask scheduler responds at {address!r} within {_SCHEDULER_SECONDS} s{reason}. Start one with 'dask "
            "scheduler', workers with 'dask worker ADDRESS', and pass the address that it prints, as tcp://HOST:8786."
        ) from error
    # The images exceed the size that Dask warns of; they are sent once.
    with (
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}),
        TrainingClient(address, timeout=_SCHEDULER_SECONDS, set_as_default=False) as client,
    ):
        _check_workers(client, address)
        yield client


async def _ping(address: str) -> None:
    """Complete a handshake: a client would wait forever for a port that is open and silent."""
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
                what = "lacks the package" if isinstance(theirs, PackageNotFoundError) else f"has {theirs} of"
                raise ClusterError(
                    f"The worker {worker} {what} {package}; this process has {ours}. Install the same versions on all "
                    "machines, and restart the worker."
                )


@contextmanager
def _cluster_errors(address: str) -> Iterator[None]:
    """Raise Dask's errors about lost machines as `ClusterError`, and silence its log."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"A training ended {error.allowed_failures + 1} worker(s) of {address}, the last at "
            f"{error.last_worker.address}. See its log for the reason; most often its memory was full."
        ) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError(
            f"The Dask scheduler at {address} was lost, with all its trainings. Restart it and its workers, then run "
            "this again."
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
