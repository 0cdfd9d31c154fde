"""Damaged and malicious files: check that reading them never runs code, crashes, hangs or fills the memory.

    python benchmarks/hostile_files.py [--mutations 200000] [--processes 2]

Valid files of every kind are damaged at random: bits, bytes and words are changed, cut, repeated, or replaced by parts
of other files or by large numbers. Half of the model folders and checkpoints get matching hashes and digests, so that
the code behind those checks is tested too. Reading must succeed or raise an error of skconv.

An audit hook of the interpreter detects forbidden operations (a pickle loaded, a process started, a connection opened,
a file written elsewhere). Exit status, time and peak memory above that after reading the valid files are recorded
(Linux only).
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty

import numpy as np
from damage import CHECKPOINT, MODEL, damage, damage_folder, make_files
from report import write_result

HANG_SECONDS = 60
FORBIDDEN = (
    "pickle.find_class", "marshal.load", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen",
    "socket.connect", "os.remove", "os.rename",
)  # fmt: skip


def read_model(folder: Path) -> None:
    """Read every file of a model folder, with onnxruntime and with torch."""
    from skconv import CNNClassifier, OnnxClassifier
    from skconv.model_io.records import read_fingerprints, read_held_out

    classifier = OnnxClassifier(folder)
    read_held_out(folder, classifier.config)
    read_fingerprints(folder, classifier.config)
    classifier.predict(np.zeros((1, *classifier.input_shape), np.uint8))
    CNNClassifier.load(folder)


def read_checkpoint(folder: Path, training: dict) -> None:
    """Read a checkpoint as a resumed training does."""
    from skconv.model_io.checkpoints import CheckpointFolder

    CheckpointFolder(folder, training).read()


def read_image(file: Path) -> None:
    """Open and normalise an image of a digit."""
    from skconv import normalize_digit
    from skconv.images.opening import open_image

    normalize_digit(open_image(file))


def read_data(path: Path) -> None:
    """Load a data set."""
    import skconv

    skconv.load_dataset(path)


class Attempts:
    """Preparation of damaged files in a folder.

    Parameters
    ----------
    good : Path
        Folder of valid files.
    work : Path
        Folder for damaged files.
    """

    def __init__(self, good: Path, work: Path) -> None:
        self.good, self.work = good, work
        self.contents = [each.read_bytes() for each in sorted(good.rglob("*")) if each.is_file()]
        self.checkpoint = max((good / CHECKPOINT).iterdir()).name
        self.training = json.loads((good / CHECKPOINT / self.checkpoint / "checkpoint.json").read_bytes())["training"]
        self.kinds: dict[str, Callable[[np.random.Generator | None], Callable[[], None]]] = {
            "model folder": self._model,
            "checkpoint": self._checkpoint,
            "csv": lambda rng: self._file("pixels.csv", read_data, rng),
            "npz": lambda rng: self._file(
                ("arrays.npz", "plain.npz")[rng.integers(0, 2) if rng else 0], read_data, rng
            ),
            "idx": self._idx,
            "image": self._image,
        }

    def prepare(self, kind: str, rng: np.random.Generator | None) -> Callable[[], None]:
        """Write a file or folder of that kind, damaged unless `rng` is None; return a function that reads it."""
        return self.kinds[kind](rng)

    def _model(self, rng: np.random.Generator | None) -> Callable[[], None]:
        folder = shutil.copytree(self.good / MODEL, self.work / MODEL)
        if rng is not None:
            damage_folder(folder, "config.json", self.contents, rng)
        return lambda: read_model(folder)

    def _checkpoint(self, rng: np.random.Generator | None) -> Callable[[], None]:
        folder = self.work / CHECKPOINT
        shutil.copytree(self.good / CHECKPOINT / self.checkpoint, folder / self.checkpoint)
        if rng is not None:
            damage_folder(folder / self.checkpoint, "checkpoint.json", self.contents, rng)
        return lambda: read_checkpoint(folder, self.training)

    def _file(self, name: str, read: Callable[[Path], None], rng: np.random.Generator | None) -> Callable[[], None]:
        content = (self.good / name).read_bytes()
        file = self.work / Path(name).name
        file.write_bytes(content if rng is None else damage(content, self.contents, rng))
        return lambda: read(file)

    def _npz(self, rng: np.random.Generator | None) -> Callable[[], None]:
        return self._file("arrays.npz" if rng is None or rng.random() < 0.5 else "plain.npz", read_data, rng)

    def _idx(self, rng: np.random.Generator | None) -> Callable[[], None]:
        folder = shutil.copytree(self.good / "idx", self.work / "idx")
        if rng is not None:
            files = sorted(folder.iterdir())
            file = files[rng.integers(0, len(files))]
            content = file.read_bytes()
            if file.suffix == ".gz" and rng.random() < 0.5:
                altered = gzip.compress(damage(gzip.decompress(content), self.contents, rng), 1)
            else:
                altered = damage(content, self.contents, rng)
            file.write_bytes(altered)
        return lambda: read_data(folder)

    def _image(self, rng: np.random.Generator | None) -> Callable[[], None]:
        names = sorted(each.name for each in (self.good / "images").iterdir())
        return self._file(f"images/{names[rng.integers(0, len(names)) if rng else 0]}", read_image, rng)


def install_audit_hook(work: Path, violations: list[str]) -> list[bool]:
    """Record forbidden operations while the first item of the returned list is true."""
    is_active = [False]

    def hook(event: str, arguments: tuple) -> None:
        if not is_active[0]:
            return
        written = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in FORBIDDEN or (written and not str(arguments[0]).startswith((str(work), "/dev/null"))):
            violations.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(hook)
    return is_active


def attempt_all(good: Path, numbers: range, queue: multiprocessing.Queue) -> None:
    """Read the mutations of these numbers and send the results to the queue."""
    import skconv
    from skconv.exceptions import SkconvError

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        attempts, violations = Attempts(good, work / "damaged"), list[str]()
        is_active = install_audit_hook(work, violations)
        outcomes: Counter[str] = Counter()
        slowest, tracebacks = (0.0, ""), list[str]()
        for number, kind in enumerate(attempts.kinds):  # imports happen here, not while memory is measured
            attempts.work = work / f"good-{number}"
            attempts.work.mkdir()
            attempts.prepare(kind, None)()
        before = read_memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        attempts.work = work / "damaged"
        for number in numbers:
            kind = list(attempts.kinds)[number % len(attempts.kinds)]
            attempts.work.mkdir()
            read = attempts.prepare(kind, np.random.default_rng(number))
            signal.alarm(HANG_SECONDS)  # ends the process
            start, is_active[0] = time.perf_counter(), True
            try:
                read()
                outcome = "read"
            except SkconvError:
                outcome = "rejected"
            except Exception:  # any other error is a finding
                outcome = "traceback"
                tracebacks.append(f"{number}: {traceback.format_exc(limit=-3)}")
            seconds, is_active[0] = time.perf_counter() - start, False
            signal.alarm(0)
            outcomes[f"{kind}: {outcome}"] += 1
            slowest = max(slowest, (seconds, f"{number}, {kind}"))
            shutil.rmtree(attempts.work)
            if number % 1000 < numbers.step:
                queue.put(("at", number))
        after = read_memory("VmHWM")
        queue.put(("done", (outcomes, slowest, tracebacks, violations, after - before, skconv.__version__)))


def read_memory(name: str) -> float:
    """Return a memory figure of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name + ":"))) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation, which is its seed")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    spawning = multiprocessing.get_context("spawn")
    queue = spawning.Queue()
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name))
        last = options.first + options.mutations
        workers = [
            spawning.Process(
                target=attempt_all, args=(Path(name), range(options.first + offset, last, options.processes), queue)
            )
            for offset in range(options.processes)
        ]
        for worker in workers:
            worker.start()
        results: list[tuple] = []
        while len(results) < len(workers):
            try:
                kind, value = queue.get(timeout=HANG_SECONDS)
            except Empty:
                if any(worker.exitcode for worker in workers):
                    break
                continue
            if kind == "done":
                results.append(value)
            else:
                print(f"at mutation {value}", flush=True)
        for worker in workers:
            worker.join()
    outcomes = sum((result[0] for result in results), Counter())
    figures = {
        "mutations": sum(outcomes.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "processes that crashed or hung": sum(worker.exitcode != 0 for worker in workers),
        "tracebacks": [each for result in results for each in result[2]][:20],
        "forbidden operations": [each for result in results for each in result[3]][:20],
        "max seconds": max((result[1] for result in results), default=None),
        "max memory above start, MiB": max((result[4] for result in results), default=None),
    }
    write_result("hostile_files", figures)


if __name__ == "__main__":
    main()
