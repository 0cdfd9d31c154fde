"""`MicroBatcher`: pictures of many requests through the network together."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from skconv.inference import Reader

_MOST = 64  # pictures of one run: more save nothing, and the first of them would wait for the last
# Seconds: a shorter run is done by the event loop itself. A thread would be quicker only if it had the interpreter for
# itself; as it is, both wait for each other, and the loop has nothing to do that cannot wait as long.
_SHORT = 0.005


class MicroBatcher:
    """Runs a network on all the pictures that have come since its last run began.

    A picture never waits for company: where nobody else asks, it is run alone, at once.

    Parameters
    ----------
    reader : Reader
        The model.

    Attributes
    ----------
    n_runs : int
        How often the network was run.

    Examples
    --------
    >>> async def ask():
    ...     batcher = MicroBatcher(Reader("digits", threads=1))
    ...     return await batcher.predict_proba(np.zeros((2, 28, 28), np.uint8))
    >>> asyncio.run(ask()).shape
    (2, 11)
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.n_runs = 0
        self._seconds = float("inf")  # that the last run took for each picture
        self._waiting: list[tuple[np.ndarray, asyncio.Future[np.ndarray]]] = []
        self._work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="skconv-network")

    async def predict_proba(self, pictures: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, k), of pictures as `Reader.predict_proba` takes them."""
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._waiting.append((pictures, future))
        if self._work is None:
            # Begins after all else that is ready to go on, so that what came with this picture goes along.
            self._work = asyncio.create_task(self._run_waiting())
        return await future

    def close(self) -> None:
        """End the thread, when everything has been answered."""
        self._thread.shutdown()

    async def _run_waiting(self) -> None:
        while self._waiting:
            n_requests = n_pictures = 0
            for pictures, _ in self._waiting:
                if n_requests and n_pictures + len(pictures) > _MOST:
                    break
                n_requests += 1
                n_pictures += len(pictures)
            batch, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
            try:
                together = np.concatenate([pictures for pictures, _ in batch])
                if n_pictures * self._seconds <= _SHORT:
                    probabilities = self._run(together)
                else:
                    probabilities = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, together)
            except Exception as error:  # whoever waits must learn of it, and the next be answered
                _answer(batch, error)
            else:
                _answer(batch, probabilities)
        self._work = None

    def _run(self, pictures: np.ndarray) -> np.ndarray:
        begun = time.perf_counter()
        probabilities = self._reader.predict_proba(pictures)
        self._seconds = (time.perf_counter() - begun) / len(pictures)
        self.n_runs += 1
        return probabilities


def _answer(batch: list[tuple[np.ndarray, asyncio.Future[np.ndarray]]], found: np.ndarray | Exception) -> None:
    start = 0
    for pictures, future in batch:
        if not future.done():  # cancelled where the loop is ending
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found[start : start + len(pictures)])
        start += len(pictures)
