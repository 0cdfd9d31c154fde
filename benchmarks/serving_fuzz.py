"""Fuzzing of `skconv serve`: random bodies, hostile images, and schemathesis.

    python benchmarks/serving_fuzz.py [--bodies 50000] [--seconds 300] [--peers PYTHON]

Sends random bodies, damaged images, archives and forms, hostile images, and the requests that schemathesis derives
from the OpenAPI document, to a running server. Every status must be below 500, or 503; hostile images must be handled
within a second; the log must contain request records only; the service must be ready afterwards. The exit code is 1
otherwise. Stops at --bodies or --seconds, whichever comes first. schemathesis runs in the environment of the peers.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result
from run_all import make_peers
from serving_client import make_request
from serving_processes import find_port, get, make_command, measure_memory, start

CONNECTIONS = 3  # the limit of concurrent requests
NO_HTTP = "Invalid HTTP request received."  # logged by uvicorn for malformed HTTP, with status 400
SLOW = 1.0  # seconds
FORM = "multipart/form-data; boundary=x"
KINDS = ("image/png", "image/jpeg", "application/octet-stream", FORM, "text/plain", "")
PATHS = ("/v1/predict", "/v1/read", "/v1/predict?seen=true")
BATCH, BATCH_KINDS = "/v1/batch", ("application/zip", FORM)


def make_hostile() -> dict[str, bytes]:
    """Return images with false sizes, decompression bombs, and truncated images."""
    return {
        "81 megapixels in a kilobyte": make_png(9000, 9000, (b"IDAT", zlib.compress(bytes(1000)))),
        "2**31 pixels wide": make_png(2**31 - 1, 1, (b"IDAT", zlib.compress(bytes(1000)))),
        "15 megapixels in 15 kilobytes": make_png(3900, 3900, (b"IDAT", zlib.compress(bytes(3901 * 3900), 9))),
        "text that unpacks to 50 MB": make_png(9, 9, (b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))),
        "two headers": make_png(9, 9, (b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)), (b"IDAT", b"x")),
        "no pixels": make_png(0, 0),
        "small header, nothing else": make_png(28, 28),
    }


def make_png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    content = b"\x89PNG\r\n\x1a\n"
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    for name, body in (header, *chunks, (b"IEND", b"")):
        content += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return content


def make_seeds() -> list[bytes]:
    """Return a small image of every format."""
    grey = Image.fromarray((np.arange(40 * 30).reshape(40, 30) % 251).astype(np.uint8))
    seeds = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        stream = io.BytesIO()
        grey.save(stream, kind)
        seeds.append(stream.getvalue())
    return seeds


def make_body(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Return random bytes or a damaged image, in some cases inside a form that may be malformed."""
    if rng.random() < 0.2:
        content = rng.randbytes(rng.randrange(400))
    else:
        content = damage(rng, rng.choice(seeds))
    if rng.random() < 0.2:
        content = damage(rng, make_archive(rng, content))
    if rng.random() < 0.3:
        name = rng.choice(("image", "image", "other", "\u00e9", ""))
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode()
        content = b"--x\r\n" + disposition + content + rng.choice((b"\r\n--x--\r\n", b"\r\n--x", b""))
    return content


def damage(rng: random.Random, content: bytes) -> bytes:
    """Return the content with random bytes replaced, in some cases truncated."""
    damaged = bytearray(content)
    for _ in range(rng.randrange(12)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged[: rng.randrange(1, len(damaged) + 1)] if rng.random() < 0.3 else damaged)


def make_archive(rng: random.Random, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))) as file:
        for number in range(rng.randrange(4)):
            file.writestr(f"{number}.png", content)
    return stream.getvalue()


class Findings:
    """Counts of statuses, and responses that are failures."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.failures: list[str] = []

    def add(self, request: str, head: bytes, body: bytes, seconds: float) -> None:
        status = int(head[9:12])
        self.statuses[status] += 1
        self.slowest = max(self.slowest, seconds)
        if (status >= 500 and status != 503) or b"Traceback" in body:
            self.failures.append(f"{request}: {status} {body[:200]!r}")


async def send_random(findings: Findings, port: int, rng: random.Random, number: int, end: float) -> None:
    """Send random bodies over one connection; reconnect when it is closed."""
    seeds = make_seeds()
    reader = writer = None
    for _ in range(number):
        if time.perf_counter() > end:
            break
        is_batch = rng.random() < 0.2
        body, kind = make_body(rng, seeds), rng.choice(BATCH_KINDS if is_batch else KINDS)
        request = make_request(BATCH if is_batch else rng.choice(PATHS), body, kind)
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head, response, seconds = await _exchange(reader, writer, request)
            findings.add(f"{kind} {body!r:.300}", head, response, seconds)
        except (OSError, asyncio.IncompleteReadError) as error:
            findings.failures.append(f"{kind} {body!r:.300}: the connection broke ({error!r})")
            writer = None


async def _exchange(reader, writer, request: bytes) -> tuple[bytes, bytes, float]:
    sent_at = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    body = await reader.readexactly(int(length)) if length else await _read_chunks(reader)
    return head, body, time.perf_counter() - sent_at


async def _read_chunks(reader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def send_hostile(port: int) -> dict[str, dict]:
    """Return status and seconds of each hostile image, on both paths."""
    results = {}
    for name, content in make_hostile().items():
        for path in PATHS[:2]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head, _, seconds = await _exchange(reader, writer, make_request(path, content, "image/png"))
            results[f"{name}, {path}"] = {"status": int(head[9:12]), "seconds": round(seconds, 3)}
            writer.close()
    return results


def run_schemathesis(python: str, port: int, seconds: int) -> tuple[int, str]:
    """Test the OpenAPI document with schemathesis; return its exit code and the end of its report."""
    command = [str(Path(python).with_name("schemathesis")), "run", f"http://127.0.0.1:{port}/openapi.json"]
    # A valid form may contain no image, which gives 422.
    command += ["--exclude-checks", "positive_data_acceptance", "--max-examples", "100", "--max-time", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:  # schemathesis writes into the working directory
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 300, check=False)
    return run.returncode, run.stdout[-6000:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=300, help="maximum time for the random bodies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=find_port())
    parser.add_argument("--peers", help="Python of an environment with schemathesis")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    peers = options.peers or make_peers()
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with start(make_command("skconv", options.port), options.port, log) as (process, _):
            hostile = asyncio.run(send_hostile(options.port))
            before = measure_memory(process)
            asyncio.run(send_all(findings, options))
            code, report = run_schemathesis(peers, options.port, 60)
            is_ready = b" 200 " in get(options.port, "/readyz")
            grown = measure_memory(process) - before
        lines = log.read_text(errors="replace").splitlines()
    unexpected = [line for line in lines if not is_record(line) and line != NO_HTTP]
    wrong = {
        name: result for name, result in hostile.items() if not (result["status"] < 500 and result["seconds"] <= SLOW)
    }
    figures = {
        "bodies": sum(findings.statuses.values()),
        "statuses": dict(sorted(findings.statuses.items())),
        "slowest_seconds": findings.slowest,
        "failures": findings.failures[:20],
        "hostile": hostile,
        "unexpected log lines": unexpected[:20],
        "memory_grown_mib": grown,
        "ready afterwards": is_ready,
        "schemathesis_exit_code": code,
    }
    write_result("serving_fuzz", figures, options.out)
    if code:
        print(report)
    if findings.failures or unexpected or wrong or code or not is_ready:
        sys.exit(1)


async def send_all(findings: Findings, options: argparse.Namespace) -> None:
    end = time.perf_counter() + options.seconds
    counts = [options.bodies // CONNECTIONS + (number < options.bodies % CONNECTIONS) for number in range(CONNECTIONS)]
    await asyncio.gather(
        *(
            send_random(findings, options.port, random.Random(f"{options.seed} {number}"), count, end)
            for number, count in enumerate(counts)
        )
    )


def is_record(line: str) -> bool:
    try:
        return "status" in json.loads(line)
    except (ValueError, TypeError):
        return False


if __name__ == "__main__":
    main()
