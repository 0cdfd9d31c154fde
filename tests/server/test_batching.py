"""Micro-batches of concurrent requests."""

import asyncio
import threading

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.inference import OnnxClassifier
from skconv.server import batching
from skconv.server.batching import MicroBatcher


@pytest.fixture(scope="module")
def classifier():
    return OnnxClassifier("digits", threads=1)


class RecordingClassifier:
    """A classifier that records size and thread of each run, and waits until `release` is set."""

    def __init__(self, classifier):
        self._classifier = classifier
        self.sizes, self.threads = [], []
        self.started, self.release = threading.Event(), threading.Event()
        self.release.set()

    def predict_with_ood(self, images):
        self.sizes.append(len(images))
        self.threads.append(threading.current_thread())
        self.started.set()
        assert self.release.wait(20)
        return self._classifier.predict_with_ood(images)


def test_requests_during_a_run_share_the_next_batch(classifier, digits, monkeypatch):
    monkeypatch.setattr(batching, "_MAX_LOOP_SECONDS", 0)
    recording = RecordingClassifier(classifier)
    recording.release.clear()

    async def predict():
        batcher = MicroBatcher(recording)
        tasks = [asyncio.create_task(batcher.predict_with_ood(digits[:1]))]
        await asyncio.to_thread(recording.started.wait, 20)
        tasks += [asyncio.create_task(batcher.predict_with_ood(digits[label : label + 1])) for label in range(1, 10)]
        await asyncio.sleep(0)  # every task adds its request
        recording.release.set()
        return await asyncio.gather(*tasks)

    probabilities = np.concatenate([each for each, _ in asyncio.run(predict())])
    assert recording.sizes == [1, 9]
    assert threading.main_thread() not in recording.threads
    np.testing.assert_allclose(probabilities, classifier.predict_proba(digits), atol=1e-5)


def test_simultaneous_requests_share_a_batch_on_the_event_loop(classifier, digits, monkeypatch):
    monkeypatch.setattr(batching, "_MAX_LOOP_SECONDS", 60)
    recording = RecordingClassifier(classifier)

    async def predict():
        batcher = MicroBatcher(recording)
        await batcher.predict_with_ood(digits[:1])  # measures the time per image
        return await asyncio.gather(*(batcher.predict_with_ood(digits[label : label + 1]) for label in range(10)))

    asyncio.run(predict())
    assert recording.sizes == [1, 10]
    assert recording.threads[1] is threading.main_thread()


def test_batch_size_is_limited_except_for_a_single_request(classifier, digits):
    recording = RecordingClassifier(classifier)

    async def predict():
        batcher = MicroBatcher(recording)
        await asyncio.gather(*(batcher.predict_with_ood(np.repeat(digits, times, axis=0)) for times in (4, 4, 7)))

    asyncio.run(predict())
    assert recording.sizes == [40, 40, 70]


def test_error_is_raised_in_its_request_and_the_next_request_succeeds(classifier, digits):
    async def predict():
        batcher = MicroBatcher(classifier)
        with pytest.raises(DataError):
            await batcher.predict_with_ood(np.zeros((1, 5, 5), np.uint8))
        return await batcher.predict_with_ood(digits[:1])

    assert asyncio.run(predict())[0].shape == (1, 11)
