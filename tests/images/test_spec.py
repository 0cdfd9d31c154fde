"""Preprocessing of images, and mapping in threads."""

import threading
import time

import numpy as np
import pytest

from skconv.digits.preprocess.normalization import normalize_digit
from skconv.images import spec as spec_module
from skconv.images.spec import ImageSpec, map_in_threads


def test_preprocess_all_returns_matching_images_uncopied():
    images = np.zeros((3, 8, 8), np.uint8)
    assert ImageSpec(8, 8, 1).preprocess_all(images) is images


@pytest.mark.parametrize(("channels", "shape"), [(1, (8, 6)), (3, (8, 6, 3))])
def test_preprocess_converts_size_and_channels(channels, shape):
    spec = ImageSpec(8, 6, channels)
    assert spec.preprocess(np.zeros((30, 20, 3), np.uint8)).shape == shape == spec.shape
    assert spec.preprocess_all(np.zeros((5, 30, 20), np.uint8)).shape == (5, *shape)


def test_preprocess_applies_registered_step():
    paper = np.full((60, 40), 230, np.uint8)
    paper[20:45, 18:22] = 30
    np.testing.assert_array_equal(ImageSpec(28, 28, 1, "digit").preprocess(paper), normalize_digit(paper))


def test_map_in_threads_is_ordered_and_lazy():
    started = []
    results = map_in_threads(lambda item: started.append(item) or item, range(1000))
    assert next(results) == 0
    assert len(started) < 1000
    assert list(results) == list(range(1, 1000))


def test_map_in_threads_runs_short_calls_in_caller():
    threads = set(map_in_threads(lambda _: threading.current_thread(), range(50)))
    assert threads == {threading.current_thread()}


def test_map_in_threads_runs_long_calls_in_parallel(monkeypatch):
    monkeypatch.setattr(spec_module, "_MIN_SECONDS", 0)
    monkeypatch.setattr(spec_module, "count_cpus", lambda: 2)
    together = threading.Barrier(2, timeout=30)  # raises unless two threads wait at the same time

    def meet(item):
        if threading.current_thread() is not threading.main_thread():
            together.wait()
        return item

    assert list(map_in_threads(meet, range(12))) == list(range(12))


@pytest.mark.parametrize(("n_cpus", "expected"), [(3, 3), (64, 8)])
def test_map_in_threads_bounds_the_number_of_threads(monkeypatch, n_cpus, expected):
    monkeypatch.setattr(spec_module, "_MIN_SECONDS", 0)
    monkeypatch.setattr(spec_module, "count_cpus", lambda: n_cpus)
    main, running, most, lock = threading.current_thread(), set(), [], threading.Lock()

    def work(item):
        if threading.current_thread() is not main:
            with lock:
                running.add(threading.current_thread())
                most.append(len(running))
            time.sleep(0.01)
            with lock:
                running.discard(threading.current_thread())

    list(map_in_threads(work, range(60)))
    assert 1 < max(most) <= expected


@pytest.mark.parametrize("long", [0, 1])
def test_map_in_threads_stops_at_first_error(monkeypatch, long):
    monkeypatch.setattr(spec_module, "_MIN_SECONDS", long)
    done = []

    def divide(item):
        done.append(item)
        return 1 / (item - 8)

    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(divide, range(10_000)))
    assert len(done) < 1000 and threading.active_count() < 10
