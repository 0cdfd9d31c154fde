"""HTTP client with plain sockets and low processor cost, and its statistics."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Outcome:
    """Latencies by status, and errors, of one or several connections.

    `n_lost` counts requests sent before `stopped_at` that got no response.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    n_broken: int = 0
    n_lost: int = 0
    stopped_at: float = float("inf")
    without_retry_after: int = 0

    def add(self, head: bytes, seconds: float) -> None:
        status = int(head[9:12])
        self.seconds.setdefault(status, []).append(seconds)
        if status == 429 and b"retry-after" not in head.lower():
            self.without_retry_after += 1

    def describe(self, duration: float) -> dict:
        accepted = sorted(self.seconds.get(200, [])) or [float("nan")]
        return {
            "responses_per_second": len(self.seconds.get(200, [])) / duration,
            **{f"p{percent}_ms": 1000 * float(np.percentile(accepted, percent)) for percent in (50, 95, 99)},
            "n": len(self.seconds.get(200, [])),
            "statuses": dict(Counter({status: len(times) for status, times in self.seconds.items()})),
            "broken_connections": self.n_broken,
        }


async def _send_until(end: float, port: int, request: bytes, outcome: Outcome) -> None:
    """Send requests over one connection until `end`; reconnect after an error."""
    while time.perf_counter() < end:
        sent_at = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.perf_counter() < end:
                sent_at = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                outcome.add(head, time.perf_counter() - sent_at)
                sent_at = None
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            outcome.n_broken += 1
            outcome.n_lost += sent_at is not None and sent_at < outcome.stopped_at
            if outcome.stopped_at < float("inf"):  # the server is shutting down
                return
            await asyncio.sleep(0.05)


async def send_requests(outcome: Outcome, port: int, request: bytes, connections: int, duration: float) -> None:
    """Send requests over several connections for `duration` seconds."""
    end = time.perf_counter() + duration
    await asyncio.gather(*(_send_until(end, port, request, outcome) for _ in range(connections)))


def load(port: int, request: bytes, connections: int, duration: float) -> dict:
    """Return the statistics of several connections that send requests for `duration` seconds."""
    outcome = Outcome()
    asyncio.run(send_requests(outcome, port, request, connections, duration))
    return outcome.describe(duration) | {"429_without_retry_after": outcome.without_retry_after}


def make_request(path: str, content: bytes, kind: str) -> bytes:
    """Return the bytes of a POST request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def make_form(path: str, files: list[bytes]) -> bytes:
    """Return the bytes of a POST request with a form of images."""
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body = b"".join(part + file + b"\r\n" for file in files) + b"--x--\r\n"
    return make_request(path, body, "multipart/form-data; boundary=x")
