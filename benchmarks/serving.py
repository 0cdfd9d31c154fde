"""How quickly does `skconv serve` answer, alone, under load and when far too much is asked of it?

The client is a process of its own, with plain sockets, so that it costs little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result

import skconv

# The same model and the same work on each picture, without a queue, batches or limits.
MINIMAL = """
import sys, uvicorn
from fastapi import FastAPI, Request
from skconv import Reader
from skconv.pictures.opening import decode_picture
reader, app = Reader("digits", threads=1), FastAPI()
def answer(body):
    probabilities = reader.predict_proba(reader.form.fit(decode_picture(body, "picture"))[None])[0]
    return {"label": reader.class_names[int(probabilities.argmax())], "confidence": float(probabilities.max())}
@app.post("/v1/predict")
async def predict(request: Request):
    from starlette.concurrency import run_in_threadpool
    return await run_in_threadpool(answer, await request.body())
@app.get("/readyz")
def ready(): return "ok"
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


@dataclass
class Outcome:
    """What one client or many of them met."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    broken: int = 0

    def note(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)

    def describe(self, duration: float) -> dict:
        accepted = sorted(self.seconds.get(200, [])) or [float("nan")]
        return {
            "answers_a_second": len(self.seconds.get(200, [])) / duration,
            **{f"p{share}_ms": 1000 * float(np.percentile(accepted, share)) for share in (50, 95, 99)},
            "statuses": dict(Counter({status: len(times) for status, times in self.seconds.items()})),
            "broken_connections": self.broken,
        }


async def ask_until(end: float, port: int, request: bytes, outcome: Outcome, pause: float = 0.0) -> None:
    """Ask again and again over one connection, which is opened anew where it breaks."""
    while time.perf_counter() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.perf_counter() < end:
                begun = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                outcome.note(int(head[9:12]), time.perf_counter() - begun)
                await asyncio.sleep(pause)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            outcome.broken += 1
            await asyncio.sleep(0.05)


def load(port: int, request: bytes, connections: int, duration: float, pause: float = 0.0) -> dict:
    """Return what a number of connections met that ask for `duration` seconds."""

    async def run() -> Outcome:
        outcome, end = Outcome(), time.perf_counter() + duration
        await asyncio.gather(*(ask_until(end, port, request, outcome, pause) for _ in range(connections)))
        return outcome

    return asyncio.run(run()).describe(duration)


def make_request(path: str, content: bytes, kind: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def make_pictures() -> tuple[bytes, bytes]:
    """Return a digit of 28×28 as PNG, and a photo of 3 megapixels with a number on it as JPEG."""
    digits = skconv.load_dataset("mnist").test_images[:5]
    small = io.BytesIO()
    Image.fromarray(255 - digits[0]).save(small, "PNG")
    row = np.pad(255 - np.hstack(digits), 14, constant_values=255)
    large = io.BytesIO()
    Image.fromarray(row).resize((2000, 1500)).convert("RGB").save(large, "JPEG", quality=90)
    return small.getvalue(), large.getvalue()


@contextlib.contextmanager
def start(command: list[str], port: int) -> Iterator[tuple[subprocess.Popen, float]]:
    """Yield a server's process and the seconds until it was ready."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError):
                answer = asyncio.run(get(port, "/readyz"))
                if b" 200 " in answer:
                    break
            time.sleep(0.01)
        yield process, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(30)


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


def measure_memory(process: subprocess.Popen) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement under load")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    port, seconds = arguments.port, arguments.seconds
    small, large = make_pictures()
    digit = make_request("/v1/predict", small, "image/png")
    photo = make_request("/v1/read", large, "image/jpeg")
    figures: dict = {}
    with start([sys.executable, "-m", "skconv", "serve", "--port", str(port)], port) as (process, ready):
        figures["start"] = {"ready_seconds": ready, "memory_mib": measure_memory(process)}
        load(port, digit, 1, 2)
        figures["digit, one at a time"] = alone = load(port, digit, 1, seconds / 2)
        figures["photo of 3 megapixels, one at a time"] = load(port, photo, 1, seconds / 2)
        figures["digit, 16 at a time"] = load(port, digit, 16, seconds)
        before = measure_memory(process)
        figures["digit, 160 at a time"] = load(port, digit, 160, seconds)
        figures["digit, 160 at a time"]["memory_grown_mib"] = measure_memory(process) - before
        after = load(port, digit, 1, 5)
        figures["digit, alone again"] = {**after, "p50_over_before": after["p50_ms"] / alone["p50_ms"]}
    with start([sys.executable, "-c", MINIMAL, str(port)], port):
        load(port, digit, 1, 2)
        figures["minimal handler, 16 at a time"] = load(port, digit, 16, seconds)
        figures["minimal handler, 160 at a time"] = load(port, digit, 160, seconds)
    write_result("serving", figures, arguments.out)


if __name__ == "__main__":
    main()
