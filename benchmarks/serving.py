"""Latency, throughput, overload and shutdown of `skconv serve`.

    python benchmarks/serving.py [--seconds 10] [--overload-seconds 60] [--rounds 3] [--peers PYTHON] [--only NAME …]
    python benchmarks/serving.py --only paired --against CHECKOUT [--rounds 9] [--out FILE]

The client is this process, the servers are others. Takes about nine minutes. LitServe runs in the environment of the
peers (requirements.txt), which is created if it is missing, or in that of --peers. Servers are interleaved; the figures
are those of the round with the median rate. "paired" compares with the service of another checkout of the repository.
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
from serving_client import Outcome, load, make_form, make_request, send_requests
from serving_processes import find_port, make_command, measure_memory, measure_processor_time, start

import skconv

NO_LIMIT = ("--max-waiting", "64")  # the other servers have no limit
PREDICT, READ = "/v1/predict", "/v1/read"


def encode(image: np.ndarray, kind: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(image)
    if size is not None:
        image = image.resize(size).convert("RGB")
    image.save(stream, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return stream.getvalue()


class Images:
    """Encoded images: a digit as in MNIST, the same dark on light, photos of a number and of a digit."""

    def __init__(self) -> None:
        digits = skconv.load_dataset("mnist").test_images[:5]
        self.mnist = encode(digits[0])
        self.dark = encode(255 - digits[0])
        row = np.pad(255 - np.hstack(digits), 14, constant_values=255)
        self.photo = encode(row, "JPEG", (2000, 1500))
        self.one_digit_photo = encode(255 - np.pad(digits[0], ((4, 4), (10, 10))), "JPEG", (2000, 1500))


def measure_single(options: argparse.Namespace, images: Images) -> dict:
    """Measure start, memory, and one connection."""
    requests = {
        "28×28 PNG, dark on light": make_request(PREDICT, images.dark, "image/png"),
        "28×28 PNG, as MNIST": make_request(PREDICT, images.mnist, "image/png"),
        "3-megapixel photo, predict": make_request(PREDICT, images.one_digit_photo, "image/jpeg"),
        "3-megapixel photo, read": make_request(READ, images.photo, "image/jpeg"),
    }
    ready, figures = [], {}
    for _ in range(5):
        with start(make_command("skconv", options.port), options.port) as (_, seconds):
            ready.append(seconds)
    with start(make_command("skconv", options.port), options.port) as (process, _):
        memory = measure_memory(process)
        for name, request in requests.items():
            load(options.port, request, 1, 1)
            figures[name] = load(options.port, request, 1, options.seconds / 2)
        after = measure_memory(process)
    return {
        "ready_seconds": {"median": statistics.median(ready), "max": max(ready), "n": len(ready)},
        "memory_mib": {"ready": memory, "after requests": after},
        **figures,
    }


def measure_batching(options: argparse.Namespace, images: Images) -> dict:
    """Compare the batched with the unbatched service, and measure forms of 32 images."""
    request = make_request(PREDICT, images.mnist, "image/png")
    form = make_form(PREDICT, [images.mnist] * 32)
    rows: dict[str, dict[int, list[dict]]] = {name: {} for name in ("skconv", "unbatched")}
    forms: dict[str, list[dict]] = {name: [] for name in rows}
    for _ in range(options.rounds):
        for name, results in rows.items():
            with start(make_command(name, options.port, options=NO_LIMIT), options.port):
                load(options.port, request, 4, 1)
                for connections in (1, 2, 4, 8, 16, 32):
                    result = load(options.port, request, connections, options.seconds / 5)
                    results.setdefault(connections, []).append(result)
                forms[name].append(load(options.port, form, 2, options.seconds / 5))
    table = {name: {n: select_median(each) for n, each in results.items()} for name, results in rows.items()}
    best = max(table["unbatched"].values(), key=lambda row: row["responses_per_second"])
    within = [row["responses_per_second"] for row in table["skconv"].values() if row["p95_ms"] <= best["p95_ms"]]
    images_per_second = {name: 32 * select_median(each)["responses_per_second"] for name, each in forms.items()}
    return {
        "by connections": table,
        "at the p95 of the fastest unbatched": {
            "p95_ms": best["p95_ms"],
            "unbatched": best["responses_per_second"],
            "batched": max(within, default=0.0),
            "ratio": max(within, default=0.0) / best["responses_per_second"],
        },
        "images per second, 32 per request": images_per_second,
        "over single unbatched requests": images_per_second["skconv"] / best["responses_per_second"],
    }


def measure_peers(options: argparse.Namespace, images: Images) -> dict:
    """Compare with the same model and images behind a minimal handler and behind LitServe (several processes)."""
    peers = options.peers or make_peers()
    commands = {
        "skconv": make_command("skconv", options.port, options=NO_LIMIT),
        "minimal": make_command("minimal", options.port),
        "skconv, two processes": make_command("skconv", options.port, options=(*NO_LIMIT, "--workers", "2")),
        "litserve": make_command("litserve", options.port, peers),
    }
    results: dict[str, dict[str, list[dict]]] = {}
    for _ in range(options.rounds):
        for server, command in commands.items():
            with start(command, options.port) as (process, _):
                for name, image in (("as MNIST", images.mnist), ("dark on light", images.dark)):
                    request = make_request(PREDICT, image, "image/png")
                    if server == "litserve":  # takes JSON, so images are sent in base64
                        body = json.dumps({"image": base64.b64encode(image).decode()}).encode()
                        request = make_request(PREDICT, body, "application/json")
                    load(options.port, request, 4, 1)
                    for connections in (1, 8, 32):
                        before = measure_processor_time(process)
                        result = load(options.port, request, connections, options.seconds / 5)
                        if server in ("skconv", "minimal"):  # servers of one process
                            result["processor_ms_per_request"] = (
                                1000 * (measure_processor_time(process) - before) / max(1, result["n"])
                            )
                        row = results.setdefault(f"28×28 PNG, {name}, connections={connections}", {})
                        row.setdefault(server, []).append(result)
    figures: dict = {}
    for name, row in results.items():
        medians = {server: select_median(each) for server, each in row.items()}
        rate = {server: each["responses_per_second"] for server, each in medians.items()}
        figures[name] = {
            **medians,
            "over the minimal handler, one process each": rate["skconv"] / rate["minimal"],
            "two processes over LitServe": rate["skconv, two processes"] / rate["litserve"],
        }
    return figures


def measure_paired(options: argparse.Namespace, images: Images) -> dict:
    """Compare the rates and latencies of the services of two checkouts, in turn, with the order swapped each round."""
    requests = {
        "predict, 1 connection": (make_request(PREDICT, images.mnist, "image/png"), 1),
        "predict, 8 connections": (make_request(PREDICT, images.mnist, "image/png"), 8),
        "predict, 32 images": (make_form(PREDICT, [images.mnist] * 32), 2),
        "read, photo": (make_request(READ, images.photo, "image/jpeg"), 2),
    }
    checkouts = {"this": Path(__file__).parents[1], "other": options.against.resolve()}
    results: dict[str, dict[str, list[dict]]] = {name: {each: [] for each in checkouts} for name in requests}
    for number in range(options.rounds):
        for each in sorted(checkouts, reverse=number % 2 == 1):
            command = make_command("skconv", options.port, options=NO_LIMIT)
            with start(command, options.port, checkout=checkouts[each]) as (process, _):
                for name, (request, connections) in requests.items():
                    load(options.port, request, connections, 0.5)
                    before = measure_processor_time(process)
                    result = load(options.port, request, connections, options.seconds / 5)
                    seconds = measure_processor_time(process) - before
                    result["processor_ms_per_request"] = 1000 * seconds / max(1, result["n"])
                    results[name][each].append(result)
    figures: dict = {}
    for name, row in results.items():
        figures[name] = {each: select_median(rounds) for each, rounds in row.items()}
        for key in ("responses_per_second", "p95_ms", "processor_ms_per_request"):
            ratios = [this[key] / other[key] for this, other in zip(row["this"], row["other"], strict=True)]
            figures[name][f"{key}, this over other"] = {
                "median": statistics.median(ratios),
                "rounds": [round(ratio, 3) for ratio in ratios],
            }
    return figures


def measure_overload(options: argparse.Namespace, images: Images) -> dict:
    """Measure ten times the limit of concurrent requests, with default settings."""
    request = make_request(PREDICT, images.dark, "image/png")
    limit = get_limit()
    with start(make_command("skconv", options.port), options.port) as (process, _):
        load(options.port, request, limit, 2)
        single = load(options.port, request, 1, options.seconds)
        at_limit = load(options.port, request, limit, options.seconds)
        before = measure_memory(process)
        overload = load(options.port, request, 10 * limit, options.overload_seconds)
        ended = time.perf_counter()
        memory = measure_memory(process) - before
        recovered = None
        while recovered is None and time.perf_counter() - ended < 30:
            if load(options.port, request, 1, 0.5)["p50_ms"] <= 1.5 * single["p50_ms"]:
                recovered = time.perf_counter() - ended
    return {
        "1 connection": single,
        f"{limit} connections, the limit": at_limit,
        f"{10 * limit} connections": overload,
        "accepted p99 over 1 connection": overload["p99_ms"] / single["p99_ms"],
        "accepted p99 over the limit": overload["p99_ms"] / at_limit["p99_ms"],
        "memory_grown_mib": memory,
        "seconds to recover": recovered,
    }


def measure_shutdown(options: argparse.Namespace, images: Images) -> dict:
    """Measure SIGTERM and kill -9 under load, and a restart on the same port."""
    request = make_request(READ, images.photo, "image/jpeg")
    figures = {}
    for name, signal_number in (("SIGTERM", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
        outcome = Outcome()
        with start(make_command("skconv", options.port), options.port) as (process, _):

            def stop(process=process, signal_number=signal_number, outcome=outcome) -> None:
                outcome.stopped_at = time.perf_counter()
                process.send_signal(signal_number)

            timer = threading.Timer(2, stop)
            timer.start()
            asyncio.run(send_requests(outcome, options.port, request, 6, 12))
            code = process.wait(30)
            seconds = time.perf_counter() - outcome.stopped_at
        figures[name] = {
            "exit_code": code,
            "seconds_to_exit": seconds,
            "responses": len(outcome.seconds.get(200, [])),
            "lost_requests": outcome.n_lost,
        }
    with start(make_command("skconv", options.port), options.port) as (_, ready):
        figures["after kill -9"] = {"ready_seconds": ready, **load(options.port, request, 1, 2)}
    return figures


def get_limit() -> int:
    from skconv.server.settings import ServerSettings

    return ServerSettings().max_waiting


def select_median(rounds: list[dict]) -> dict:
    """Return the figures of the round with the median rate, and min and max rate."""
    ordered = sorted(rounds, key=lambda each: each["responses_per_second"])
    rates = [each["responses_per_second"] for each in ordered]
    return {**ordered[len(ordered) // 2], "rounds": len(rounds), "min_and_max": [rates[0], rates[-1]]}


PARTS = {
    "single": measure_single,
    "batching": measure_batching,
    "peers": measure_peers,
    "overload": measure_overload,
    "shutdown": measure_shutdown,
    "paired": measure_paired,  # only with --against
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="duration of a measurement; under load a fifth of it")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=find_port())
    parser.add_argument("--peers", help="Python of an environment with LitServe")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[name for name in PARTS if name != "paired"])
    parser.add_argument("--against", type=Path, help="another checkout of the repository, for --only paired")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if "paired" in options.only and options.against is None:
        parser.error("paired needs --against CHECKOUT")
    images = Images()
    figures: dict = {"client": f"one process, {os.cpu_count()} cores for it and the server"}
    for name in options.only:
        start_time = time.perf_counter()
        figures[name] = PARTS[name](options, images)
        print(f"{name}: {time.perf_counter() - start_time:.0f} s", file=sys.stderr, flush=True)
    write_result("serving", figures, options.out)


if __name__ == "__main__":
    main()
