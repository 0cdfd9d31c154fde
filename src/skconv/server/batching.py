"""`MicroBatcher`: pictures of many requests through the network together."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

import numpy as np

from skconv.reader import Reader

_MOST = 64  # pictures of one run: more save nothing, and the first of them would wait for the last


class MicroBatcher:
    """Runs a network in a thread of its own, on all the pictures that have come while it was busy.

    A picture never waits for company: where nobody else asks, it is run alone, at once.

    Parameters
    ----------
    reader : Reader
        The model.

    Attributes
    ----------
    class_names, input_shape
        Those of the reader, so that whatever reads with a reader can read with this.

    Examples
    --------
    >>> batcher = MicroBatcher(Reader("digits", threads=1))
    >>> batcher.predict_proba(np.zeros((2, 28, 28), np.uint8)).shape
    (2, 11)
    >>> batcher.close()
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.class_names = reader.class_names
        self.input_shape = reader.input_shape
        self.n_runs = 0
        self._waiting: queue.SimpleQueue[tuple[np.ndarray, Future[np.ndarray]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="skconv-network", daemon=True)
        self._thread.start()

    def submit(self, pictures: np.ndarray) -> Future[np.ndarray]:
        """Return the future probabilities, float32 (n, k), of pictures as `Reader.predict_proba` takes them."""
        future: Future[np.ndarray] = Future()
        self._waiting.put((pictures, future))
        return future

    def predict_proba(self, pictures: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, k), of pictures; other threads' may be run along."""
        return self.submit(pictures).result()

    def close(self) -> None:
        """Answer what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            n_pictures = len(first[0])
            ending = False
            while n_pictures < _MOST:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    ending = True
                    break
                batch.append(following)
                n_pictures += len(following[0])
            self._run(batch)
            self.n_runs += 1
            if ending:
                return

    def _run(self, batch: list[tuple[np.ndarray, Future[np.ndarray]]]) -> None:
        try:
            probabilities = self._reader.predict_proba(np.concatenate([pictures for pictures, _ in batch]))
        except Exception as error:  # whoever waits must learn of it, and the thread must live
            for _, future in batch:
                future.set_exception(error)
            return
        start = 0
        for pictures, future in batch:
            future.set_result(probabilities[start : start + len(pictures)])
            start += len(pictures)
