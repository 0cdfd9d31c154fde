"""`MicroBatcher`: images of many requests through the network together."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from skconv.inference import OnnxClassifier

_MOST = 64  # images of one run: more save nothing, and the first of them would wait for the last
# Seconds: a shorter run is done by the event loop itself. A thread would be quicker only if it had the interpreter for
# itself; as it is, both wait for each other, and the loop has nothing to do that cannot wait as long.
_SHORT = 0.005


class MicroBatcher:
    """Runs a network on all the images that have come since its last run began.

    An image never waits for company: where nobody else asks, it is run alone, at once.

    Parameters
    ----------
    reader : OnnxClassifier
        The model.

    Attributes
    ----------
    n_runs : int
        How often the network was run.

    Examples
    --------
    >>> async def ask():
    ...     batcher = MicroBatcher(OnnxClassifier("digits", threads=1))
    ...     return await batcher.predict_proba(np.zeros((2, 28, 28), np.uint8))
    >>> asyncio.run(ask()).shape
    (2, 11)
    """

    def __init__(self, reader: OnnxClassifier) -> None:
        self._reader = reader
        self.n_runs = 0
        self._seconds = float("inf")  # that the last run took for each image
        self._waiting: list[tuple[np.ndarray, asyncio.Future[np.ndarray]]] = []
        self._work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="skconv-network")

    async def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, k), of images as `OnnxClassifier.predict_proba` takes them."""
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._waiting.append((images, future))
        if self._work is None:
            # Begins after all else that is ready to go on, so that what came with this image goes along.
            self._work = asyncio.create_task(self._run_waiting())
        return await future

    def close(self) -> None:
        """End the thread, when everything has been answered."""
        self._thread.shutdown()

    async def _run_waiting(self) -> None:
        while self._waiting:
            n_requests = n_images = 0
            for images, _ in self._waiting:
                if n_requests and n_images + len(images) > _MOST:
                    break
                n_requests += 1
                n_images += len(images)
            batch, self._waiting = self._waiting[:n_requests], self._waiting[n_requests:]
            try:
                together = np.concatenate([images for images, _ in batch])
                if n_images * self._seconds <= _SHORT:
                    probabilities = self._run(together)
                else:
                    probabilities = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, together)
            except Exception as error:  # whoever waits must learn of it, and the next be answered
                _answer(batch, error)
            else:
                _answer(batch, probabilities)
        self._work = None

    def _run(self, images: np.ndarray) -> np.ndarray:
        begun = time.perf_counter()
        probabilities = self._reader.predict_proba(images)
        self._seconds = (time.perf_counter() - begun) / len(images)
        self.n_runs += 1
        return probabilities


def _answer(batch: list[tuple[np.ndarray, asyncio.Future[np.ndarray]]], found: np.ndarray | Exception) -> None:
    start = 0
    for images, future in batch:
        if not future.done():  # cancelled where the loop is ending
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found[start : start + len(images)])
        start += len(images)
