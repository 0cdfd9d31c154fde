"""Pictures of several askers, run together."""

import threading

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.reader import Reader
from skconv.server.batching import MicroBatcher


@pytest.fixture(scope="module")
def reader():
    return Reader("digits", threads=1)


def test_what_waits_while_the_network_is_busy_is_run_together(reader, digits):
    release, started = threading.Event(), threading.Event()
    sizes = []

    class SlowReader:
        class_names, input_shape = reader.class_names, reader.input_shape

        def predict_proba(self, pictures):
            sizes.append(len(pictures))
            started.set()
            release.wait(20)
            return reader.predict_proba(pictures)

    batcher = MicroBatcher(SlowReader())
    futures = [batcher.submit(digits[:1])]
    started.wait(20)
    futures += [batcher.submit(digits[label : label + 1]) for label in range(1, 10)]
    release.set()
    found = np.concatenate([future.result(20) for future in futures])
    batcher.close()
    assert sizes == [1, 9]
    np.testing.assert_allclose(found, reader.predict_proba(digits), atol=1e-5)


def test_error_reaches_its_asker_and_the_next_is_answered(reader, digits):
    batcher = MicroBatcher(reader)
    with pytest.raises(DataError):
        batcher.predict_proba(np.zeros((1, 5, 5), np.uint8))
    assert batcher.predict_proba(digits[:1]).shape == (1, 11)
    batcher.close()


def test_close_answers_what_waits(reader, digits):
    batcher = MicroBatcher(reader)
    futures = [batcher.submit(digits[:2]) for _ in range(5)]
    batcher.close()
    assert all(future.result(0).shape == (2, 11) for future in futures)
