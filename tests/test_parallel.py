"""Folds on Dask workers: equal bits, images sent once, lost workers."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score

from skconv import CNNClassifier, KFoldEnsembleClassifier, cross_validate
from skconv.exceptions import ClusterError, ParameterError

pytest.importorskip("distributed")

import distributed
from skconv import parallel
from skconv.parallel import DaskBackend, connect, dask_workers


@pytest.fixture(scope="module")
def one_cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as started:
        yield started


@pytest.fixture
def cluster(one_cluster):
    """A scheduler in this process and two worker processes, which are restarted when killed."""
    with distributed.Client(one_cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=180)  # a previous test may have killed them
    return one_cluster


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:300].reshape(-1, 8, 8).astype(np.uint8), labels[:300]


def make(**settings):
    member = CNNClassifier("fast", max_epochs=1, batch_size=64, precision="fp32", device="cpu")
    return KFoldEnsembleClassifier(member, random_state=0, **settings)


@pytest.fixture(scope="module")
def alone(digits):
    """Five folds, trained in this process."""
    return make(cv=5).fit(*digits)


class KillAll(distributed.SchedulerPlugin):
    """Kill every worker when the first fold is done."""

    def __init__(self, cluster):
        self.cluster, self.killed = cluster, []

    def transition(self, key, start, finish, *args, **kwargs):
        if not self.killed and finish == "memory" and str(key).startswith("batch_of"):
            self.killed = [nanny.pid for nanny in self.cluster.workers.values()]
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_folds_on_workers_have_the_same_bits(cluster, digits, alone):
    with dask_workers(cluster.scheduler_address):
        distributed_run = make(cv=5).fit(*digits)
    np.testing.assert_array_equal(distributed_run.out_of_fold_proba_, alone.out_of_fold_proba_)
    np.testing.assert_array_equal(distributed_run.predict_proba(digits[0]), alone.predict_proba(digits[0]))


@pytest.mark.slow
def test_folds_have_the_same_bits_after_all_workers_are_killed(cluster, digits, alone):
    killer = KillAll(cluster)
    cluster.scheduler.add_plugin(killer)
    with dask_workers(cluster.scheduler_address):
        distributed_run = make(cv=5).fit(*digits)
    assert len(killer.killed) == 2
    np.testing.assert_array_equal(distributed_run.out_of_fold_proba_, alone.out_of_fold_proba_)


@pytest.mark.slow
def test_training_that_kills_its_workers_raises(cluster, digits, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    cluster.scheduler.add_plugin(KillAll(cluster), name="kill again")
    with (
        pytest.raises(ClusterError, match=r"Lost 1 worker of tcp.* See its log"),
        dask_workers(cluster.scheduler_address),
    ):
        make(cv=5).fit(*digits)


@pytest.mark.slow
def test_lost_scheduler_raises(digits):
    start = [str(Path(sys.executable).with_name("dask"))]
    with subprocess.Popen(
        [*start, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], stderr=subprocess.PIPE, text=True
    ) as scheduler:
        address = next(line for line in scheduler.stderr if "Scheduler at:" in line).split()[-1]
        with subprocess.Popen(
            [*start, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"], stderr=subprocess.DEVNULL
        ) as worker:
            with pytest.raises(ClusterError, match="connection to the Dask scheduler"), dask_workers(address):
                scheduler.kill()
                make(cv=2).fit(*digits)
            worker.kill()


@pytest.mark.slow
def test_images_are_sent_once_and_a_task_is_small(cluster):
    images = np.random.default_rng(0).integers(0, 256, (1000, 96, 96), dtype=np.uint8)
    quick = make(cv=3).set_params(estimator__max_epochs=0.01, estimator__network={"name": "fast", "crop": 40})
    with (
        connect(cluster.scheduler_address) as client,
        joblib.parallel_config(DaskBackend(client=client)),
    ):
        quick.fit(images, np.arange(1000) % 2)
        sent = client.scheduler_comm.byte_count
        forwarded = sum(comm.byte_count for comm in cluster.scheduler.stream_comms.values())
    assert images.nbytes < sent < images.nbytes + 3 * 100_000  # Dask warns above 1 MB per task
    assert forwarded < sent + 3 * 100_000  # to one worker, which the other copies from


@pytest.mark.slow
def test_cross_validate_has_the_same_scores_with_workers(cluster, tiny_recipe, tmp_path):
    address = cluster.scheduler_address
    alone, distributed_run = (
        cross_validate(folds=3, recipe=tiny_recipe, device="cpu", dask=dask, out=tmp_path / str(number))
        for number, dask in enumerate((None, address))
    )
    for one, other in zip(alone.folds, distributed_run.folds, strict=True):
        assert (one.accuracy, one.valid_loss) == (other.accuracy, other.valid_loss)
    assert f"dask='{address}'" in (tmp_path / "1" / "scores.json").read_text()


@pytest.mark.slow
def test_scikit_learn_runs_on_workers(cluster, digits):
    member = CNNClassifier("fast", max_epochs=1, batch_size=64, precision="fp32", device="cpu", random_state=0)
    search = GridSearchCV(member, {"learning_rate": [1e-6, 0.01]}, cv=2)
    scores = cross_val_score(member, *digits, cv=2)
    with distributed.Client(cluster.scheduler_address), joblib.parallel_config("dask"):
        np.testing.assert_array_equal(cross_val_score(member, *digits, cv=2), scores)
        assert search.fit(*digits).best_params_ == {"learning_rate": 0.01}
        assert make(cv=2, n_jobs=2).fit(*digits).out_of_fold_score_ > 0.5


@pytest.mark.slow
def test_error_of_a_training_is_raised(cluster, digits):
    images, labels = digits
    with (
        pytest.raises(ParameterError, match="'device' parameter"),
        dask_workers(cluster.scheduler_address),
    ):
        make(cv=2).set_params(estimator__device="abacus").fit(images, labels)


@pytest.mark.slow
def test_scheduler_without_workers_raises(monkeypatch):
    monkeypatch.setattr(parallel, "_WORKER_SECONDS", 1)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as empty,
        pytest.raises(ClusterError, match="has no workers"),
        dask_workers(empty.scheduler_address),
    ):
        pass


@pytest.fixture
def silent_port():
    """A port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_scheduler_that_does_not_respond_raises(silent_port, monkeypatch):
    monkeypatch.setattr(parallel, "_SCHEDULER_SECONDS", 1)
    for address in (f"tcp://127.0.0.1:{silent_port}", "tcp://127.0.0.1:9", "nowhere", "carrier://pigeon:1", "", "a b"):
        with pytest.raises(ClusterError, match="No Dask scheduler responds at") as raised, dask_workers(address):
            pass
        assert "\n" not in str(raised.value)
