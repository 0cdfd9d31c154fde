"""How quickly does `skconv serve` answer, alone, under load and when far too much is asked of it, and how does it end?

    python benchmarks/serving.py [--seconds 10] [--overload-seconds 60] [--rounds 3] [--peers PYTHON] [--only NAME …]

The client is this process, the servers are others. Takes about nine minutes. LitServe runs in the peers' environment
(requirements.txt), which is made where it is missing, or in the one whose Python is given. Ways are measured in turn,
their figures are the medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result
from run_all import make_peers
from serving_client import Outcome, ask, load, make_form, make_request
from serving_ways import find_port, make_command, measure_memory, measure_processor, start

import skconv

ROOM = ("--max-waiting", "64")  # the others turn nobody away either
PREDICT, READ = "/v1/predict", "/v1/read"


def encode(image: np.ndarray, kind: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(image)
    if size is not None:
        image = image.resize(size).convert("RGB")
    image.save(stream, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return stream.getvalue()


class Images:
    """A digit as MNIST has it, which needs no normalising; the same dark on light; a photo of a number."""

    def __init__(self) -> None:
        digits = skconv.load_dataset("mnist").test_images[:5]
        self.mnist = encode(digits[0])
        self.dark = encode(255 - digits[0])
        row = np.pad(255 - np.hstack(digits), 14, constant_values=255)
        self.photo = encode(row, "JPEG", (2000, 1500))
        self.one_digit_photo = encode(255 - np.pad(digits[0], ((4, 4), (10, 10))), "JPEG", (2000, 1500))


def measure_alone(options: argparse.Namespace, images: Images) -> dict:
    """Start and memory, and one request at a time."""
    requests = {
        "28×28 PNG, dark on light": make_request(PREDICT, images.dark, "image/png"),
        "28×28 PNG, as MNIST": make_request(PREDICT, images.mnist, "image/png"),
        "3-megapixel photo, predict": make_request(PREDICT, images.one_digit_photo, "image/jpeg"),
        "3-megapixel photo, read": make_request(READ, images.photo, "image/jpeg"),
    }
    ready, found = [], {}
    for _ in range(5):
        with start(make_command("skconv", options.port), options.port) as (_, seconds):
            ready.append(seconds)
    with start(make_command("skconv", options.port), options.port) as (process, _):
        memory = measure_memory(process)
        for name, request in requests.items():
            load(options.port, request, 1, 1)
            found[name] = load(options.port, request, 1, options.seconds / 2)
        after = measure_memory(process)
    return {
        "ready_seconds": {"median": statistics.median(ready), "most": max(ready), "n": len(ready)},
        "memory_mib": {"ready": memory, "after these": after},
        **found,
    }


def measure_batching(options: argparse.Namespace, images: Images) -> dict:
    """One image a run of the network against all that are ready, and 32 images a request."""
    request = make_request(PREDICT, images.mnist, "image/png")
    form = make_form(PREDICT, [images.mnist] * 32)
    rows: dict[str, dict[int, list[dict]]] = {way: {} for way in ("skconv", "unbatched")}
    forms: dict[str, list[dict]] = {way: [] for way in rows}
    for _ in range(options.rounds):
        for way, found in rows.items():
            with start(make_command(way, options.port, options=ROOM), options.port):
                load(options.port, request, 4, 1)
                for connections in (1, 2, 4, 8, 16, 32):
                    met = load(options.port, request, connections, options.seconds / 5)
                    found.setdefault(connections, []).append(met)
                forms[way].append(load(options.port, form, 2, options.seconds / 5))
    table = {way: {n: middle(each) for n, each in found.items()} for way, found in rows.items()}
    best = max(table["unbatched"].values(), key=lambda row: row["answers_a_second"])
    within = [row["answers_a_second"] for row in table["skconv"].values() if row["p95_ms"] <= best["p95_ms"]]
    images_a_second = {way: 32 * middle(each)["answers_a_second"] for way, each in forms.items()}
    return {
        "by connections": table,
        "at the p95 of the quickest without": {
            "p95_ms": best["p95_ms"],
            "without": best["answers_a_second"],
            "with": max(within, default=0.0),
            "ratio": max(within, default=0.0) / best["answers_a_second"],
        },
        "images a second, 32 a request": images_a_second,
        "over single requests without batches": images_a_second["skconv"] / best["answers_a_second"],
    }


def measure_peers(options: argparse.Namespace, images: Images) -> dict:
    """The same model file and images behind a minimal handler, and behind LitServe, which has several processes."""
    peers = options.peers or make_peers()
    ways = {
        "skconv": make_command("skconv", options.port, options=ROOM),
        "minimal": make_command("minimal", options.port),
        "skconv, two processes": make_command("skconv", options.port, options=(*ROOM, "--workers", "2")),
        "litserve": make_command("litserve", options.port, peers),
    }
    found: dict[str, dict[str, list[dict]]] = {}
    for _ in range(options.rounds):
        for way, command in ways.items():
            with start(command, options.port) as (process, _):
                for name, image in (("as MNIST", images.mnist), ("dark on light", images.dark)):
                    request = make_request(PREDICT, image, "image/png")
                    if way == "litserve":  # it takes JSON; base 64 is the usual way to put an image into it
                        body = json.dumps({"image": base64.b64encode(image).decode()}).encode()
                        request = make_request(PREDICT, body, "application/json")
                    load(options.port, request, 4, 1)
                    for connections in (1, 8, 32):
                        used = measure_processor(process)
                        met = load(options.port, request, connections, options.seconds / 5)
                        if way in ("skconv", "minimal"):  # one process, whose time is all
                            met["processor_ms_a_request"] = (
                                1000 * (measure_processor(process) - used) / max(1, met["n"])
                            )
                        row = found.setdefault(f"28×28 PNG, {name}, {connections} at a time", {})
                        row.setdefault(way, []).append(met)
    figures: dict = {}
    for name, row in found.items():
        rates = {way: middle(each) for way, each in row.items()}
        rate = {way: each["answers_a_second"] for way, each in rates.items()}
        figures[name] = {
            **rates,
            "over the minimal handler, one process each": rate["skconv"] / rate["minimal"],
            "over LitServe, two processes and its own": rate["skconv, two processes"] / rate["litserve"],
        }
    return figures


def measure_overload(options: argparse.Namespace, images: Images) -> dict:
    """Ten times as many at a time as are worked on, by default limits."""
    request = make_request(PREDICT, images.dark, "image/png")
    at_a_time = skconv_limit()
    with start(make_command("skconv", options.port), options.port) as (process, _):
        load(options.port, request, at_a_time, 2)
        alone = load(options.port, request, 1, options.seconds)
        full = load(options.port, request, at_a_time, options.seconds)
        before = measure_memory(process)
        beyond = load(options.port, request, 10 * at_a_time, options.overload_seconds)
        ended = time.perf_counter()
        memory = measure_memory(process) - before
        recovered = None
        while recovered is None and time.perf_counter() - ended < 30:
            if load(options.port, request, 1, 0.5)["p50_ms"] <= 1.5 * alone["p50_ms"]:
                recovered = time.perf_counter() - ended
    return {
        "one at a time": alone,
        f"{at_a_time} at a time, as many as are worked on": full,
        f"{10 * at_a_time} at a time": beyond,
        "p99 of the accepted over alone": beyond["p99_ms"] / alone["p99_ms"],
        "p99 of the accepted over full": beyond["p99_ms"] / full["p99_ms"],
        "memory_grown_mib": memory,
        "seconds until answers are as quick as before": recovered,
    }


def measure_ending(options: argparse.Namespace, images: Images) -> dict:
    """SIGTERM under load; then kill -9 under load, and another start on the same port."""
    request = make_request(READ, images.photo, "image/jpeg")
    ends = {}
    for name, ending in (("SIGTERM", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
        outcome = Outcome()
        with start(make_command("skconv", options.port), options.port) as (process, _):

            def end(process=process, ending=ending, outcome=outcome) -> None:
                outcome.until = time.perf_counter()
                process.send_signal(ending)

            timer = threading.Timer(2, end)
            timer.start()
            asyncio.run(ask(outcome, options.port, request, 6, 12))
            code = process.wait(30)
            took = time.perf_counter() - outcome.until
        ends[name] = {
            "exit_code": code,
            "seconds_until_all_was_over": took,
            "answered": len(outcome.seconds.get(200, [])),
            "sent before and not answered": outcome.lost,
        }
    with start(make_command("skconv", options.port), options.port) as (_, ready):
        ends["after kill -9"] = {"ready_seconds": ready, **load(options.port, request, 1, 2)}
    return ends


def skconv_limit() -> int:
    from skconv.server.settings import ServerSettings

    return ServerSettings().max_waiting


def middle(rounds: list[dict]) -> dict:
    """Return the figures of the round with the median rate, and how far the rates spread."""
    ordered = sorted(rounds, key=lambda each: each["answers_a_second"])
    rates = [each["answers_a_second"] for each in ordered]
    return {**ordered[len(ordered) // 2], "rounds": len(rounds), "least_and_most": [rates[0], rates[-1]]}


PARTS = {
    "alone": measure_alone,
    "batching": measure_batching,
    "peers": measure_peers,
    "overload": measure_overload,
    "ending": measure_ending,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of one measurement alone; under load a fifth of it")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=find_port())
    parser.add_argument("--peers", help="the Python of an environment that has LitServe")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    images = Images()
    figures: dict = {"client": f"one process, {os.cpu_count()} cores for it and the server"}
    for name in options.only:
        begun = time.perf_counter()
        figures[name] = PARTS[name](options, images)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    write_result("serving", figures, options.out)


if __name__ == "__main__":
    main()
