"""Accuracy on small images within a time limit: skconv beside other classifiers on the same images and processors.

    SKCONV_DATA=FOLDER python benchmarks/small_images.py [FOLDER ...] [--sets NAME ...] [--limits 2m 5m 20m]
        [--seeds 1] [--only NAME ...] [--peers PYTHON] [--quick]

The data sets are mnist, fashion-mnist and usps, all folders, .npz files and archives in SKCONV_DATA/small-images*, and
the folders given. All classifiers get the same test split (`small_images_data.py`) and the same two processors; they
run in turn, each in its own process, with the limit for everything from the start to the predictions. The test split is
scored once. skconv decodes the image files in each run, without a cache; the others (`small_images_peers.py`) load
arrays of resized images. A run that takes 1.5 times the limit is killed and recorded.

Each run is written to ``results/small_images.json`` at once. Runs of other data sets, limits, seeds and classifiers
that the file already contains are kept. Table and figure are made of all runs. A full run takes several hours per seed:
the limits times the number of data sets and classifiers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import run_all
import table
from report import RESULTS, read_result, save_result
from small_images_data import ImageSet, find_sets, prepare_set
from small_images_peers import PEERS
from small_images_report import LABELS, draw_figure, format_table

from skconv.exceptions import SkconvError
from skconv.reports.style import save_figure
from skconv.text import format_duration, format_estimate, parse_duration

NAME = "small_images"
N_CPUS = 2
KILLED_AFTER = 1.5  # times the limit
QUICK_SETS, QUICK_LIMITS = ("usps", "breastmnist"), (20.0,)
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """One classifier on one data set."""

    images: ImageSet
    arm: str
    limit: float
    seed: int

    @property
    def key(self) -> dict:
        """Fields that identify the run."""
        return {"set": self.images.name, "arm": self.arm, "limit": self.limit, "seed": self.seed}


def run_process(command: list[str], limit: float, **environment: str) -> dict:
    """Run a command; return its whole seconds and its output, or how it ended without one."""
    start = time.time()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | environment,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=KILLED_AFTER * limit)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all processes it has started
        process.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return {"seconds": time.time() - start, "end": "killed"}
    seconds = time.time() - start
    if process.returncode:
        return {"seconds": seconds, "end": "failed", "error": (errors.strip().splitlines() or ["no message"])[-1]}
    return {"seconds": seconds, "end": "finished", "output": output}


def run_skconv(run: Run, recipe: str) -> dict:
    """Run `skconv train`, and return accuracy and times."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "skconv", "train", run.images.source, "--recipe", recipe]
        command += ["--time-limit", f"{run.limit:g}s", "--seed", str(run.seed), "--out", str(out), "--json"]
        # matplotlib would list the fonts again, without its own cache.
        caches = {"XDG_CACHE_HOME": str(Path(folder) / "cache"), "MPLCONFIGDIR": mpl.get_cachedir()}
        result = run_process(command, run.limit, **caches)
        if (output := result.pop("output", None)) is not None:
            record = json.loads(output)
            network = tomllib.loads((out / "recipe.toml").read_text())["network"]["name"]
            result |= {"accuracy": record["test_accuracy"], "fit_seconds": record["fit_seconds"]}
            result |= {"epochs": record["n_epochs"], "network": network, "recipe": recipe}
    return result


def run_peer(run: Run, python: str) -> dict:
    """Run a peer, and return accuracy, times and versions."""
    script, arrays = HERE / "small_images_peers.py", run.images.arrays[PEERS[run.arm].size]
    command = [python, str(script), run.arm, str(arrays), "--limit", str(run.limit), "--seed", str(run.seed)]
    if not run.images.mirrored:
        command.append("--no-mirror")
    result = run_process([*command, "--started", str(time.time())], run.limit)
    if (output := result.pop("output", None)) is not None:
        result |= json.loads(output.splitlines()[-1])
    return result


def find_same(runs: list[dict], run: Run) -> dict | None:
    """Return the result of a run with a shorter limit that needed no more time."""
    earlier = [each for each in runs if {**each, **run.key, "limit": each["limit"]} == each]
    return next((each for each in earlier if each["limit"] <= run.limit and each.get("finished")), None)


def measure(run: Run, done: list[dict], options: argparse.Namespace) -> dict:
    """Return the record of a run; do not repeat a run that needed less than a shorter limit."""
    if (same := find_same(done, run)) is not None:
        return {"same as": same["limit"], **same, **run.key}
    result = run_skconv(run, options.recipe) if run.arm == "skconv" else run_peer(run, options.peers)
    return {**run.key, **result, "time": time.strftime("%Y-%m-%d %H:%M:%S")}


def describe(record: dict) -> str:
    """Return a line about a run."""
    text = f"{record['set']}, {format_duration(record['limit'])}, seed {record['seed']}, {LABELS[record['arm']]}: "
    if "accuracy" not in record:
        return f"{text}{record['end']} after {record['seconds']:.0f} s {record.get('error', '')}"
    return f"{text}{record['accuracy']:.4f} in {record['seconds']:.0f} s"


def describe_commands(recipe: str) -> dict[str, str]:
    """Return the command of each classifier; the fields of the runs are in capitals."""
    peer = "python benchmarks/small_images_peers.py {} ARRAYS.npz --limit LIMIT --seed SEED"
    ours = f"skconv train SET --recipe {recipe} --time-limit LIMIT --seed SEED"
    return {"skconv": ours, **{arm: peer.format(arm) for arm in PEERS}}


def choose_sets(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, str | Path]:
    """Return the sources of the requested data sets."""
    try:
        found = find_sets(options.folders)
    except ValueError as error:
        parser.error(str(error))
    names = options.sets or ([name for name in QUICK_SETS if name in found] if options.quick else list(found))
    unknown = [name for name in names if name not in found]
    if unknown:
        parser.error(f"--sets: there is no data set '{unknown[0]}'; found: {', '.join(found)}. Is SKCONV_DATA set?")
    return {name: found[name] for name in names}


def parse_options() -> argparse.Namespace:
    """Parse the command line, and complete what is omitted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="other folders of images")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="data sets (all that are found)")
    parser.add_argument("--limits", nargs="+", type=parse_duration, metavar="TIME", help="time limits (2m 5m 20m)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each classifier (1)")
    parser.add_argument("--only", nargs="+", choices=LABELS, metavar="NAME", help=f"of {', '.join(LABELS)} (all)")
    parser.add_argument("--recipe", default="auto", help="recipe of skconv (auto)")
    parser.add_argument("--peers", help="Python with requirements.txt and skconv (that of make bench)")
    parser.add_argument("--quick", action="store_true", help="check in minutes that it runs; RESULTS.md is not updated")
    options = parser.parse_args()
    options.sources = choose_sets(parser, options)
    options.limits = sorted(options.limits or (QUICK_LIMITS if options.quick else (120.0, 300.0, 1200.0)))
    if options.quick and options.peers is None:
        options.only = [arm for arm in options.only or LABELS if arm != "keras"]  # the only one to be installed
        options.peers = sys.executable
        if not options.only:
            parser.error("Keras is not part of this environment; pass --peers.")
    options.only = options.only or list(LABELS)
    if options.peers is None and options.only != ["skconv"]:
        options.peers = run_all.make_peers()
    return options


def run_in_turn(options: argparse.Namespace, sets: list[ImageSet], figures: dict, path: Path) -> None:
    """Measure all runs, and write the figures after each."""
    figures["commands"] = describe_commands(options.recipe)
    figures["sets"] |= {images.name: images.facts for images in sets}
    runs = [
        Run(images, arm, limit, seed)
        for seed in range(options.seeds)
        for images in sets
        for limit in options.limits
        for arm in options.only
    ]
    print(f"{len(runs)} runs, {format_estimate(sum(run.limit for run in runs))}", flush=True)
    done: list[dict] = []
    for run in runs:
        record = measure(run, done, options)
        done.append(record)
        print(describe(record), flush=True)
        figures["runs"] = [each for each in figures["runs"] if {**each, **run.key} != each] + [record]
        save_result(path, figures)


def main() -> None:
    options = parse_options()
    if hasattr(os, "sched_setaffinity"):  # inherited by all processes
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CPUS])
    results = RESULTS / "quick" if options.quick else RESULTS
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{NAME}.json"
    figures = read_result(path) or {"sets": {}, "runs": []}
    with tempfile.TemporaryDirectory(prefix="small-images-") as folder:
        sets = []
        for name, source in options.sources.items():
            try:
                sets.append(prepare_set(name, source, Path(folder), {peer.size for peer in PEERS.values()}))
            except SkconvError as error:
                print(f"{name} is left out: {error}", flush=True)
        run_in_turn(options, sets, figures, path)
    if any("accuracy" in run for run in figures["runs"]):
        save_figure(draw_figure(figures), results / f"{NAME}.png")
    print(format_table(figures))
    if not options.quick:
        table.write()


if __name__ == "__main__":
    main()
