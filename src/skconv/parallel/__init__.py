"""Training of folds on the workers of a Dask scheduler; Dask is imported only if one is used."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from skconv.exceptions import missing_package


@contextmanager
def dask_workers(address: str | None) -> Iterator[None]:
    """Run joblib's tasks on the workers of a Dask scheduler inside the block; in this process if `address` is None.

    Parameters
    ----------
    address : str or None
        Address of the scheduler: ``tcp://127.0.0.1:8786``.

    Raises
    ------
    ParameterError
        Dask is not installed.
    ClusterError
        No scheduler or worker responds, a worker has other versions, or the scheduler was lost.

    Examples
    --------
    >>> with dask_workers(None):
    ...     "trained in this process"
    'trained in this process'
    """
    if address is None:
        yield
        return
    missing = [name for name in ("dask", "distributed") if importlib.util.find_spec(name) is None]
    if missing:
        raise missing_package("the parameter 'dask'", missing[0], "dask")
    from joblib import parallel_config

    from skconv.parallel.dask_backend import DaskBackend, cluster_errors, connect

    with cluster_errors(address), connect(address) as client, parallel_config(DaskBackend(client=client)):
        yield
