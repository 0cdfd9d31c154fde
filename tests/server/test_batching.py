"""Images of several askers, run together."""

import asyncio
import threading

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.inference import OnnxClassifier
from skconv.server import batching
from skconv.server.batching import MicroBatcher


@pytest.fixture(scope="module")
def reader():
    return OnnxClassifier("digits", threads=1)


class WatchedReader:
    """A reader that notes the images of each run and the thread it was in, and may be held up."""

    def __init__(self, reader):
        self._reader = reader
        self.sizes, self.threads = [], []
        self.started, self.release = threading.Event(), threading.Event()
        self.release.set()

    def predict_proba(self, images):
        self.sizes.append(len(images))
        self.threads.append(threading.current_thread())
        self.started.set()
        assert self.release.wait(20)
        return self._reader.predict_proba(images)


def test_what_waits_while_the_network_is_busy_is_run_together(reader, digits, monkeypatch):
    monkeypatch.setattr(batching, "_SHORT", 0)
    watched = WatchedReader(reader)
    watched.release.clear()

    async def ask():
        batcher = MicroBatcher(watched)
        tasks = [asyncio.create_task(batcher.predict_proba(digits[:1]))]
        await asyncio.to_thread(watched.started.wait, 20)
        tasks += [asyncio.create_task(batcher.predict_proba(digits[label : label + 1])) for label in range(1, 10)]
        await asyncio.sleep(0)  # all of them have asked
        watched.release.set()
        return await asyncio.gather(*tasks)

    found = np.concatenate(asyncio.run(ask()))
    assert watched.sizes == [1, 9]
    assert threading.main_thread() not in watched.threads
    np.testing.assert_allclose(found, reader.predict_proba(digits), atol=1e-5)


def test_what_comes_together_is_run_together_and_a_short_run_needs_no_thread(reader, digits, monkeypatch):
    monkeypatch.setattr(batching, "_SHORT", 60)
    watched = WatchedReader(reader)

    async def ask():
        batcher = MicroBatcher(watched)
        await batcher.predict_proba(digits[:1])  # tells how long a run takes
        return await asyncio.gather(*(batcher.predict_proba(digits[label : label + 1]) for label in range(10)))

    asyncio.run(ask())
    assert watched.sizes == [1, 10]
    assert watched.threads[1] is threading.main_thread()


def test_run_is_bounded_but_for_a_single_request(reader, digits):
    watched = WatchedReader(reader)

    async def ask():
        batcher = MicroBatcher(watched)
        await asyncio.gather(*(batcher.predict_proba(np.repeat(digits, times, axis=0)) for times in (4, 4, 7)))
        return batcher.n_runs

    assert asyncio.run(ask()) == 3
    assert watched.sizes == [40, 40, 70]


def test_error_reaches_its_asker_and_the_next_is_answered(reader, digits):
    async def ask():
        batcher = MicroBatcher(reader)
        with pytest.raises(DataError):
            await batcher.predict_proba(np.zeros((1, 5, 5), np.uint8))
        return await batcher.predict_proba(digits[:1])

    assert asyncio.run(ask()).shape == (1, 11)
