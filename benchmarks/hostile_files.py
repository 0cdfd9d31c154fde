"""Does any damage to a file that we read run code, crash, hang, take long, or fill the memory?

    python benchmarks/hostile_files.py [--mutations 200000] [--processes 2]

Good files of every kind are damaged at random, as a disk or a malicious sender might: bits, bytes and words changed,
cut, repeated, exchanged for pieces of other files or for numbers that are too large. Half of the model folders and
checkpoints get the hashes and digests that fit their damage, so that what lies behind those is tried too. Each is read
as its kind is read: a reading, or an error of skconv, is what is expected.

What would be wrong is seen by an audit hook of the interpreter (a pickle that is loaded, a process that is started, a
connection that is made, a file that is written elsewhere), by the process's end, by the clock and by the most memory
that it ever took, over what it held when it had read the good files (Linux only).
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

SECONDS_OF_A_HANG = 60
FORBIDDEN = (
    "pickle.find_class", "marshal.load", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen",
    "socket.connect", "os.remove", "os.rename",
)  # fmt: skip


def read_model(folder: Path) -> None:
    """Read every file of a model folder, on both ways."""
    from skconv import CNNClassifier, OnnxClassifier
    from skconv.model_io.fingerprints import read_fingerprints
    from skconv.model_io.held_out import read_held_out

    reader = OnnxClassifier(folder)
    read_held_out(folder, reader.config)
    read_fingerprints(folder, reader.config)
    reader.predict(np.zeros((1, *reader.input_shape), np.uint8))
    CNNClassifier.load(folder)


def read_checkpoint(folder: Path, training: dict) -> None:
    """Read what a resumed training reads."""
    from skconv.model_io.checkpoints import CheckpointFolder

    CheckpointFolder(folder, training).read()


def read_image(file: Path) -> None:
    """Open, normalise and name an image of a digit."""
    from skconv import normalize_digit
    from skconv.images.opening import open_image

    normalize_digit(open_image(file))


def read_data(path: Path) -> None:
    """Load a data set."""
    import skconv

    skconv.load_dataset(path)


class Attempts:
    """Damages and reads, one at a time, in a folder of its own.

    Parameters
    ----------
    good : Path
        The good files.
    work : Path
        Where the damaged ones are written.
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
        """Write a file or folder of that kind, damaged unless `rng` is None; return what reads it."""
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


def watch(work: Path, seen: list[str]) -> list[bool]:
    """Note what a reader must not do, as long as the first of the list returned is true."""
    watching = [False]

    def hook(event: str, arguments: tuple) -> None:
        if not watching[0]:
            return
        written = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in FORBIDDEN or (written and not str(arguments[0]).startswith((str(work), "/dev/null"))):
            seen.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(hook)
    return watching


def attempt_all(good: Path, numbers: range, queue: multiprocessing.Queue) -> None:
    """Attempt the mutations of these numbers; tell what came of them."""
    import skconv
    from skconv.exceptions import SkconvError

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        attempts, seen = Attempts(good, work / "damaged"), list[str]()
        watching = watch(work, seen)
        outcomes: Counter[str] = Counter()
        slowest, wrong = (0.0, ""), list[str]()
        for number, kind in enumerate(attempts.kinds):  # what is imported only once is imported now
            attempts.work = work / f"good-{number}"
            attempts.work.mkdir()
            attempts.prepare(kind, None)()
        before = read_memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the most memory so far is forgotten
        attempts.work = work / "damaged"
        for number in numbers:
            kind = list(attempts.kinds)[number % len(attempts.kinds)]
            attempts.work.mkdir()
            read = attempts.prepare(kind, np.random.default_rng(number))
            signal.alarm(SECONDS_OF_A_HANG)  # ends the process
            start, watching[0] = time.perf_counter(), True
            try:
                read()
                outcome = "read"
            except SkconvError:
                outcome = "refused"
            except Exception:  # whatever it is, it is counted
                outcome = "traceback"
                wrong.append(f"{number}: {traceback.format_exc(limit=-3)}")
            seconds, watching[0] = time.perf_counter() - start, False
            signal.alarm(0)
            outcomes[f"{kind}: {outcome}"] += 1
            slowest = max(slowest, (seconds, f"{number}, {kind}"))
            shutil.rmtree(attempts.work)
            if number % 1000 < numbers.step:
                queue.put(("at", number))
        after = read_memory("VmHWM")
        queue.put(("done", (outcomes, slowest, wrong, seen, after - before, skconv.__version__)))


def read_memory(name: str) -> float:
    """Return what Linux knows of this process's memory under that name, in MiB."""
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
                target=attempt_all, args=(Path(name), range(options.first + own, last, options.processes), queue)
            )
            for own in range(options.processes)
        ]
        for worker in workers:
            worker.start()
        told = []
        while len(told) < len(workers):
            try:
                kind, value = queue.get(timeout=SECONDS_OF_A_HANG)
            except Empty:
                if any(worker.exitcode for worker in workers):
                    break
                continue
            if kind == "done":
                told.append(value)
            else:
                print(f"at mutation {value}", flush=True)
        for worker in workers:
            worker.join()
    outcomes = sum((each[0] for each in told), Counter())
    figures = {
        "mutations": sum(outcomes.values()),
        "outcomes": dict(sorted(outcomes.items())),
        "processes that crashed or hung": sum(worker.exitcode != 0 for worker in workers),
        "tracebacks": [each for one in told for each in one[2]][:20],
        "code run, or files touched": [each for one in told for each in one[3]][:20],
        "slowest, seconds": max((each[1] for each in told), default=None),
        "most memory over the start, MiB": max((each[4] for each in told), default=None),
    }
    write_result("hostile_files", figures)


if __name__ == "__main__":
    main()
