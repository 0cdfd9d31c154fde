"""The connection to a Dask cluster: what is sent and how often, how a task trains, and errors as one line."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future as TaskFuture
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dask
import torch
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.comm import connect as open_comm
from joblib._dask import DaskDistributedBackend

from distributed import Client, Future, KilledWorker, Security
from skconv.exceptions import ClusterError

_SECONDS = 10  # to wait for the scheduler
_WORKER_SECONDS = 60  # then for a worker: one that starts, or is started again, loads torch first
_SAME = ("skconv", "torch", "scikit-learn", "numpy")  # other versions train other weights, or cannot read what is sent

_turn = threading.Lock()


class SpreadingClient(Client):
    """A client for joblib: large arguments are sent once and outlive workers; tasks train as they would here."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.n_threads = torch.get_num_threads()  # of this thread: the tasks are submitted from another
        super().__init__(*args, **options)

    async def scatter(self, data: Any, **options: Any) -> Future:  # type: ignore[override]
        """Send data once; the scheduler keeps it.

        What Dask scatters lives on workers only, and copies beyond the first are dropped: a task that needs data of a
        dead worker is lost. The result of a task is made again instead, so the data is such a result.
        """
        return super().submit(_return, data, pure=False)

    def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> Future:
        """Submit a task that computes with as many threads as torch takes here: sums then have the same bits."""
        return super().submit(_Here(func, self.n_threads), *args, **options)

    def ncores(self, *args: Any, **options: Any) -> dict[str, int]:
        """Return a core more a worker than there are: joblib would train here where it counted one in all."""
        return {worker: n + 1 for worker, n in super().ncores(*args, **options).items()}


class SpreadingBackend(DaskDistributedBackend):
    """joblib's, which waits for ever for a task that Dask has given up."""

    def submit(self, func: Any, callback: Any = None) -> Any:
        """Submit tasks; call back also where they end with an error of Dask's own."""
        future = super().submit(func, callback)
        future.add_done_callback(lambda done: done.exception() and callback(done))
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the results, or raise the error."""
        return out.result() if isinstance(out, TaskFuture) else super().retrieve_result_callback(out)


class _Here:
    """A function, called with so many threads of torch."""

    def __init__(self, function: Callable[..., Any], n_threads: int) -> None:
        self.function = function
        self.n_threads = n_threads

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        # One after the other where a worker has several threads: torch's random numbers are one stream a process.
        with _turn:
            before = torch.get_num_threads()
            torch.set_num_threads(self.n_threads)
            try:
                return self.function(*args, **keywords)
            finally:
                torch.set_num_threads(before)


def _return(data: Any) -> Any:
    return data


@contextmanager
def connect(address: str) -> Iterator[SpreadingClient]:
    """Return a connection to a scheduler that has workers with the versions of this process, closed at the end."""
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a loop of its own in this one
            thread.submit(asyncio.run, _knock(address)).result()
    except Exception as error:  # whatever another program answers
        reason = f" ({error})" if str(error) else ""
        raise ClusterError(
            f"No Dask scheduler answers at {address!r}, for up to {_SECONDS} s{reason}. Start one with 'dask "
            "scheduler', workers with 'dask worker ADDRESS', and give the address that it prints, as tcp://HOST:8786."
        ) from error
    # The images are larger than what Dask warns of, and sent once.
    with (
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}),
        SpreadingClient(address, timeout=_SECONDS, set_as_default=False) as client,
    ):
        _check_workers(client, address)
        yield client


async def _knock(address: str) -> None:
    """Shake hands; a client would wait forever for a port that is open and silent."""
    async with asyncio.timeout(_SECONDS):
        comm = await open_comm(address, timeout=_SECONDS, **Security().get_connection_args("client"))
        await comm.close()


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"The Dask scheduler at {address} has no workers. Start some with 'dask worker {address} --nthreads 1'."
        ) from error
    for package in _SAME:
        ours = version(package)
        for worker, theirs in client.run(version, package, on_error="return").items():
            if theirs != ours:
                what = "lacks the package" if isinstance(theirs, PackageNotFoundError) else f"has {theirs} of"
                raise ClusterError(
                    f"The worker {worker} {what} {package}; this process has {ours}. Install the same versions on all "
                    "machines, and start the worker again."
                )


@contextmanager
def cluster_errors(address: str) -> Iterator[None]:
    """Turn what Dask says of lost machines into a `ClusterError`, and keep its log from the user's screen."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"A training ended {error.allowed_failures + 1} worker(s) of {address}, one after the other, the last was "
            f"{error.last_worker.address}. Its log tells why; mostly its memory was full."
        ) from error
    except (FutureCancelledError, CommClosedError) as error:
        raise ClusterError(
            f"The Dask scheduler at {address} was lost, and the trainings with it. Start it again, then its "
            "workers, and run this again."
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
