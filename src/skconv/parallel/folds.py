"""Trainings of one command spread over machines by a Dask scheduler; Dask is loaded only where it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from skconv.exceptions import missing_package


@contextmanager
def spread(address: str | None) -> Iterator[None]:
    """Let joblib send what is trained inside the block to the workers of a Dask scheduler; with None train here.

    Parameters
    ----------
    address : str or None
        Of the scheduler: ``tcp://127.0.0.1:8786``.

    Raises
    ------
    ParameterError
        Dask is missing.
    ClusterError
        The address is none, no scheduler or worker answers, a worker has other versions, or the scheduler is lost on
        the way.

    Examples
    --------
    >>> with spread(None):
    ...     "trained here"
    'trained here'
    """
    if address is None:
        yield
        return
    missing = [name for name in ("dask", "distributed") if importlib.util.find_spec(name) is None]
    if missing:
        raise missing_package("folds on Dask workers", missing[0], "dask")
    from joblib import parallel_config

    from skconv.parallel.cluster import SpreadingBackend, cluster_errors, connect

    with cluster_errors(address), connect(address) as client, parallel_config(SpreadingBackend(client=client)):
        yield
