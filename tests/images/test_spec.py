"""Any image in the form a model takes."""

import threading

import numpy as np
import pytest

from skconv.digits.preprocess.normalization import normalize_digit
from skconv.images import spec as fitting
from skconv.images.spec import ImageSpec, map_in_threads


def test_images_in_the_form_already_are_not_copied():
    images = np.zeros((3, 8, 8), np.uint8)
    assert ImageSpec(8, 8, 1).preprocess_all(images) is images


@pytest.mark.parametrize(("channels", "shape"), [(1, (8, 6)), (3, (8, 6, 3))])
def test_images_of_another_size_and_colour_are_converted(channels, shape):
    form = ImageSpec(8, 6, channels)
    assert form.fit(np.zeros((30, 20, 3), np.uint8)).shape == shape == form.shape
    assert form.preprocess_all(np.zeros((5, 30, 20), np.uint8)).shape == (5, *shape)


def test_form_of_a_digit_is_that_of_mnist():
    paper = np.full((60, 40), 230, np.uint8)
    paper[20:45, 18:22] = 30
    np.testing.assert_array_equal(ImageSpec(28, 28, 1, "digit").fit(paper), normalize_digit(paper))


def test_results_come_in_order_and_not_all_at_once():
    started = []
    results = map_in_threads(lambda item: started.append(item) or item, range(1000))
    assert next(results) == 0
    assert len(started) < 1000
    assert list(results) == list(range(1, 1000))


def test_short_work_stays_in_the_thread_that_asks():
    threads = set(map_in_threads(lambda _: threading.current_thread(), range(50)))
    assert threads == {threading.current_thread()}


def test_long_work_is_done_by_several_threads_at_once(monkeypatch):
    monkeypatch.setattr(fitting, "_LONG", 0)
    monkeypatch.setattr(fitting.os, "cpu_count", lambda: 2)
    together = threading.Barrier(2, timeout=30)  # broken, and an error, unless two wait at the same time

    def meet(item):
        if threading.current_thread() is not threading.main_thread():
            together.wait()
        return item

    assert list(map_in_threads(meet, range(12))) == list(range(12))


@pytest.mark.parametrize("long", [0, 1])
def test_first_error_ends_the_work(monkeypatch, long):
    monkeypatch.setattr(fitting, "_LONG", long)
    done = []

    def divide(item):
        done.append(item)
        return 1 / (item - 8)

    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(divide, range(10_000)))
    assert len(done) < 1000 and threading.active_count() < 10
