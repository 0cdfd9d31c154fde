"""Models in forked processes, in pickles and with a system that flushes only writable files."""

import copy
import errno
import fcntl
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from skconv import OnnxClassifier
from skconv.files import atomic_dir, atomic_write

FORK = """
import multiprocessing, numpy as np
from skconv import CNNClassifier, OnnxClassifier
X, y = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8), np.arange(300) % 3
classifier, onnx = CNNClassifier("fast", max_epochs=1, random_state=0).fit(X, y), OnnxClassifier("digits")
two = CNNClassifier("fast", max_epochs=1, random_state=0, n_threads=2)
Z = np.zeros((300, 28, 28), np.uint8)
calls = {
    "predict": lambda: classifier.predict(X).sum(),
    "onnx": lambda: onnx.predict_proba(Z).sum(),
    "fit": lambda: CNNClassifier("fast", max_epochs=1, random_state=0).fit(X, y).n_epochs_,
    "fit with two threads": lambda: two.fit(X, y).predict_proba(X)[0, 0],
}
expected = {name: call() for name, call in calls.items()}

def work(name):
    return calls[name]()

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for name in calls:
            for result in pool.map_async(work, [name, name]).get(40):
                np.testing.assert_allclose(result, expected[name], rtol=1e-4)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_processes_predict_and_fit_after_the_parent_did(tmp_path):
    (tmp_path / "fork.py").write_text(FORK)
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-W", "ignore", "fork.py"], check=True, env=environment, cwd=tmp_path, timeout=150)


def test_onnx_classifier_is_pickled_and_copied_after_a_prediction():
    classifier = OnnxClassifier("digits", threads=1)
    images = np.zeros((2, 28, 28), np.uint8)
    expected = classifier.predict_proba(images)
    content = pickle.dumps(classifier)
    assert len(content) < 20_000  # without the session
    for other in (pickle.loads(content), copy.deepcopy(classifier), copy.copy(classifier)):
        np.testing.assert_array_equal(other.predict_proba(images), expected)


def test_files_are_flushed_through_writable_handles(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def flush_as_windows(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flushed.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush_as_windows)
    with atomic_write(tmp_path / "a.txt") as path:
        path.write_text("a")
    with atomic_dir(tmp_path / "folder") as folder:
        (folder / "b.txt").write_text("b")
    assert len(flushed) == 2
