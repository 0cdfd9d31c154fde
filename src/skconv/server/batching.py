"""Micro-batching of concurrent prediction requests."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from skconv.inference import OnnxClassifier
from skconv.server.metrics import NETWORK_RUNS

_MAX_BATCH = 64  # images; a larger batch is no faster per image, and delays its first request
# Maximum duration of a run on the event loop, because a thread competes with the loop for the interpreter lock.
_MAX_LOOP_SECONDS = 0.005

_Result = tuple[np.ndarray, np.ndarray | None]  # probabilities, out-of-distribution scores
_Request = tuple[np.ndarray, "asyncio.Future[_Result]"]


class MicroBatcher:
    """Collect prediction requests while the network runs, and process them in one batch when the run ends.

    A request is never delayed to fill a batch: a single pending request is processed alone.

    Examples
    --------
    >>> async def predict():
    ...     batcher = MicroBatcher(OnnxClassifier("digits", threads=1))
    ...     return await batcher.predict_with_ood(np.zeros((2, 28, 28), np.uint8))
    >>> probabilities, scores = asyncio.run(predict())
    >>> probabilities.shape
    (2, 11)
    """

    def __init__(self, classifier: OnnxClassifier) -> None:
        self._classifier = classifier
        self._seconds_per_image = float("inf")  # measured in the last run
        self._pending: list[_Request] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="skconv-network")

    async def predict_with_ood(self, images: np.ndarray) -> _Result:
        """Return probabilities and scores of images; all are those of `OnnxClassifier.predict_with_ood`."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._pending.append((images, future))
        if self._worker is None:
            # The task starts after all callbacks that are ready now, so that simultaneous requests share a batch.
            self._worker = asyncio.create_task(self._run_pending())
        return await future

    def close(self) -> None:
        """Shut down the thread after its current run."""
        self._thread.shutdown()

    async def _run_pending(self) -> None:
        while self._pending:
            batch = self._take_batch()
            try:
                images = np.concatenate([each for each, _ in batch])
                if len(images) * self._seconds_per_image <= _MAX_LOOP_SECONDS:
                    result = self._run(images)
                else:
                    result = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, images)
            except Exception as error:  # every request of the batch raises the error; the next batch still runs
                _resolve(batch, error)
            else:
                _resolve(batch, result)
        self._worker = None

    def _take_batch(self) -> list[_Request]:
        """Remove and return the first pending requests: at most `_MAX_BATCH` images, but at least one request."""
        n_requests = n_images = 0
        for images, _ in self._pending:
            if n_requests and n_images + len(images) > _MAX_BATCH:
                break
            n_requests += 1
            n_images += len(images)
        batch, self._pending = self._pending[:n_requests], self._pending[n_requests:]
        return batch

    def _run(self, images: np.ndarray) -> _Result:
        start = time.perf_counter()
        result = self._classifier.predict_with_ood(images)
        self._seconds_per_image = (time.perf_counter() - start) / len(images)
        NETWORK_RUNS.inc()
        return result


def _resolve(batch: list[_Request], result: _Result | Exception) -> None:
    start = 0
    for images, future in batch:
        end = start + len(images)
        if not future.done():  # futures are cancelled when the event loop closes
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                probabilities, scores = result
                future.set_result((probabilities[start:end], None if scores is None else scores[start:end]))
        start = end
