"""Does anything that is sent make `skconv serve` fail?

    python benchmarks/serving_fuzz.py [--bodies 50000] [--seconds 300] [--peers PYTHON]

Sends random bodies, damaged images and forms, hostile images, and what schemathesis makes of the OpenAPI document,
to a real server. Every answer has to be a status below 500, or 503 of a service that has enough to do, and of hostile
images within a second; the log must hold records of requests alone; the service must be ready afterwards. Ends with 1
otherwise. Bounded by number and by time, whichever comes first. schemathesis runs in the peers' environment.
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
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from report import write_result
from run_all import make_peers
from serving_client import make_request
from serving_ways import find_port, get, make_command, measure_memory, start

CONNECTIONS = 3  # as many as are worked on at a time
NO_HTTP = "Invalid HTTP request received."  # uvicorn on what is no request at all; it answers 400
SLOW = 1.0  # seconds
KINDS = ("image/png", "image/jpeg", "application/octet-stream", "multipart/form-data; boundary=x", "text/plain", "")
PATHS = ("/v1/predict", "/v1/read", "/v1/predict?seen=true")


def make_hostile() -> dict[str, bytes]:
    """Return images that lie about their size, unpack to far more than they are, or end too early."""
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
    """Return small images of every format, to be damaged."""
    grey = Image.fromarray((np.arange(40 * 30).reshape(40, 30) % 251).astype(np.uint8))
    seeds = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        stream = io.BytesIO()
        grey.save(stream, kind)
        seeds.append(stream.getvalue())
    return seeds


def make_body(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Return random bytes, or an image with some bytes changed, or cut off, or inside a form that may be broken."""
    if chance.random() < 0.2:
        content = chance.randbytes(chance.randrange(400))
    else:
        damaged = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(12)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        content = bytes(damaged[: chance.randrange(1, len(damaged) + 1)] if chance.random() < 0.3 else damaged)
    if chance.random() < 0.3:
        name = chance.choice(("image", "image", "other", "\u00e9", ""))
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="a.png"\r\n\r\n'.encode()
        content = b"--x\r\n" + disposition + content + chance.choice((b"\r\n--x--\r\n", b"\r\n--x", b""))
    return content


class Findings:
    """What the answers were, and those that should not be."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.offences: list[str] = []

    def note(self, what: str, head: bytes, body: bytes, seconds: float) -> None:
        status = int(head[9:12])
        self.statuses[status] += 1
        self.slowest = max(self.slowest, seconds)
        if (status >= 500 and status != 503) or b"Traceback" in body:
            self.offences.append(f"{what}: {status} {body[:200]!r}")


async def send_random(findings: Findings, port: int, chance: random.Random, number: int, end: float) -> None:
    """Send so many random bodies over one connection, which is opened anew where it ends."""
    seeds = make_seeds()
    reader = writer = None
    for _ in range(number):
        if time.perf_counter() > end:
            break
        body, kind = make_body(chance, seeds), chance.choice(KINDS)
        request = make_request(chance.choice(PATHS), body, kind)
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head, answer, seconds = await _exchange(reader, writer, request)
            findings.note(f"{kind} {body!r:.300}", head, answer, seconds)
        except (OSError, asyncio.IncompleteReadError) as error:
            findings.offences.append(f"{kind} {body!r:.300}: the connection broke ({error!r})")
            writer = None


async def _exchange(reader, writer, request: bytes) -> tuple[bytes, bytes, float]:
    begun = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(length), time.perf_counter() - begun


async def send_hostile(port: int) -> dict[str, dict]:
    """Return status and seconds for each hostile image, on both paths."""
    found = {}
    for name, content in make_hostile().items():
        for path in PATHS[:2]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head, _, seconds = await _exchange(reader, writer, make_request(path, content, "image/png"))
            found[f"{name}, {path}"] = {"status": int(head[9:12]), "seconds": round(seconds, 3)}
            writer.close()
    return found


def run_schemathesis(python: str, port: int, seconds: int) -> tuple[int, str]:
    """Let schemathesis test what the OpenAPI document promises; return its exit code and the end of its report."""
    command = [str(Path(python).with_name("schemathesis")), "run", f"http://127.0.0.1:{port}/openapi.json"]
    # What is valid as a form need not be an image: 422 answers what the document allows.
    command += ["--exclude-checks", "positive_data_acceptance", "--max-examples", "100", "--max-time", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:  # it keeps what it found where it is run
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 300, check=False)
    return ran.returncode, ran.stdout[-6000:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=300, help="at most, for the random bodies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=find_port())
    parser.add_argument("--peers", help="the Python of an environment that has schemathesis")
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
    no_records = [line for line in lines if not is_record(line) and line != NO_HTTP]
    wrong = {name: met for name, met in hostile.items() if not (met["status"] < 500 and met["seconds"] <= SLOW)}
    figures = {
        "bodies": sum(findings.statuses.values()),
        "statuses": dict(sorted(findings.statuses.items())),
        "slowest_seconds": findings.slowest,
        "offences": findings.offences[:20],
        "hostile": hostile,
        "lines in the log that are no record of a request": no_records[:20],
        "memory_grown_mib": grown,
        "ready afterwards": is_ready,
        "schemathesis_exit_code": code,
    }
    write_result("serving_fuzz", figures, options.out)
    if code:
        print(report)
    if findings.offences or no_records or wrong or code or not is_ready:
        sys.exit(1)


async def send_all(findings: Findings, options: argparse.Namespace) -> None:
    end = time.perf_counter() + options.seconds
    shares = [options.bodies // CONNECTIONS + (number < options.bodies % CONNECTIONS) for number in range(CONNECTIONS)]
    await asyncio.gather(
        *(
            send_random(findings, options.port, random.Random(f"{options.seed} {number}"), share, end)
            for number, share in enumerate(shares)
        )
    )


def is_record(line: str) -> bool:
    try:
        return "status" in json.loads(line)
    except (ValueError, TypeError):
        return False


if __name__ == "__main__":
    main()
