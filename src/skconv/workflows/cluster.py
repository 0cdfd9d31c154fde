"""The connection to a Dask cluster: what is sent and how often, how a task trains, and errors as one line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import dask
import torch
from distributed import Client, Future, KilledWorker

from skconv.exceptions import ClusterError

_SECONDS = 10  # to wait for the scheduler, and then for a worker
_SAME = ("skconv", "torch", "scikit-learn", "numpy")  # other versions train other weights, or cannot read what is sent

_turn = threading.Lock()


class SpreadingClient(Client):
    """A client for joblib: large arguments are sent once and outlive workers; tasks train as they would here."""

    async def scatter(self, data: Any, **options: Any) -> Future:
        """Send data once; the scheduler keeps it.

        What Dask scatters lives on workers only, and copies beyond the first are dropped: a task that needs data of a
        dead worker is lost. The result of a task is made again instead, so the data is such a result.
        """
        return super().submit(_return, data, pure=False)

    def submit(self, function: Callable[..., Any], *args: Any, **options: Any) -> Future:
        """Submit a task that computes with as many threads as torch takes here: sums then have the same bits."""
        return super().submit(_Here(function, torch.get_num_threads()), *args, **options)


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
    # The pictures are larger than what Dask warns of, and sent once.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
        try:
            client = SpreadingClient(address, timeout=_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"No Dask scheduler answers at {address} within {_SECONDS} s. Start one with 'dask scheduler', workers "
                "with 'dask worker ADDRESS', and give the address that it prints, as tcp://HOST:8786."
            ) from error
        with client:
            _check_workers(client, address)
            yield client


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_SECONDS)
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
    """Turn what Dask says of lost machines into a `ClusterError`."""
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"A training ended {error.allowed_failures + 1} workers of {address}, one after the other, the last was "
            f"{error.last_worker.address}. Its log tells why; mostly its memory was full."
        ) from error
