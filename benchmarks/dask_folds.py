"""Cross-validation on Dask workers: equality with local folds, also when workers are killed, and bytes sent.

    python benchmarks/dask_folds.py [--images 60000] [--folds 5] [--steps 50]

Starts a Dask scheduler and two worker processes on this machine, and cross-validates 50 steps of recipe `fast` on
MNIST: locally, on the workers, and on the workers while each is killed once by SIGKILL: the one that has just finished
the first fold, before its scores are fetched, and the other during training, when the next fold is done. Every
training uses one thread. The probabilities of all held-out images are compared.
"""

from __future__ import annotations

import argparse
import os
import signal
import time

import numpy as np

from distributed import LocalCluster, SchedulerPlugin

# A worker imports this file and must start in time, so slow imports are inside functions.


class KillEachOnce(SchedulerPlugin):
    """Scheduler plugin that kills the worker of the first finished fold, and the other one after the next fold."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.pids = {nanny.worker_address: nanny.pid for nanny in cluster.workers.values()}
        self.n_killed = 0

    def transition(self, key, start, finish, *args, worker=None, **kwargs) -> None:
        if self.pids and start == "processing" and finish == "memory" and str(key).startswith("batch_of"):
            pid = self.pids.pop(worker, None) or self.pids.popitem()[1]
            os.kill(pid, signal.SIGKILL)
            self.n_killed += 1


def fit(images: np.ndarray, labels: np.ndarray, options: argparse.Namespace) -> tuple[np.ndarray, float]:
    """Return the out-of-fold probabilities and the seconds."""
    from skconv import KFoldEnsembleClassifier, load_recipe

    member = load_recipe("fast").create_member(device="cpu")
    member.set_params(precision="fp32", max_epochs=1e-6, min_steps=options.steps)
    start = time.perf_counter()
    ensemble = KFoldEnsembleClassifier(member, cv=options.folds, random_state=0).fit(images, labels)
    return ensemble.out_of_fold_proba_, time.perf_counter() - start


def measure(options: argparse.Namespace) -> dict:
    import joblib

    from skconv import load_dataset
    from skconv.parallel import DaskBackend, connect

    dataset = load_dataset("mnist")
    images, labels = np.array(dataset.train_images[: options.images]), dataset.train_labels[: options.images]
    expected, seconds = fit(images, labels, options)
    figures = {"images": len(labels), "folds": options.folds, "steps": options.steps, "seconds in one process": seconds}
    print(figures, flush=True)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        for name in ("on two workers", "on two workers, each killed once"):
            killer = KillEachOnce(cluster)
            if "killed" in name:
                cluster.scheduler.add_plugin(killer)
            with connect(cluster.scheduler_address) as client, joblib.parallel_config(DaskBackend(client=client)):
                probabilities, seconds = fit(images, labels, options)
                other_bytes = client.scheduler_comm.byte_count - images.nbytes - labels.nbytes
            figures[name] = {
                "equal bits": bool(np.array_equal(probabilities, expected)),
                "bytes of images, sent once": images.nbytes,
                "other bytes sent per task": round(other_bytes / options.folds),
                "workers killed": killer.n_killed,
                "seconds": seconds,
            }
            print(name, figures[name], flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    import torch
    from report import write_result

    torch.set_num_threads(1)
    write_result("dask_folds", measure(options))


if __name__ == "__main__":
    main()
