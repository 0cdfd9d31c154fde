"""A client with plain sockets that costs little, and what it met."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Outcome:
    """What one client or many of them met.

    `lost` counts requests that were sent before `until` and were not answered.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    broken: int = 0
    lost: int = 0
    until: float = float("inf")
    without_retry_after: int = 0

    def note(self, head: bytes, seconds: float) -> None:
        status = int(head[9:12])
        self.seconds.setdefault(status, []).append(seconds)
        if status == 429 and b"retry-after" not in head.lower():
            self.without_retry_after += 1

    def describe(self, duration: float) -> dict:
        accepted = sorted(self.seconds.get(200, [])) or [float("nan")]
        return {
            "answers_a_second": len(self.seconds.get(200, [])) / duration,
            **{f"p{share}_ms": 1000 * float(np.percentile(accepted, share)) for share in (50, 95, 99)},
            "n": len(self.seconds.get(200, [])),
            "statuses": dict(Counter({status: len(times) for status, times in self.seconds.items()})),
            "broken_connections": self.broken,
        }


async def _ask_until(end: float, port: int, request: bytes, outcome: Outcome) -> None:
    """Ask again and again over one connection, which is opened anew where it breaks."""
    while time.perf_counter() < end:
        begun = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.perf_counter() < end:
                begun = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                outcome.note(head, time.perf_counter() - begun)
                begun = None
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            outcome.broken += 1
            outcome.lost += begun is not None and begun < outcome.until
            if outcome.until < float("inf"):  # the server is ending: nobody will answer again
                return
            await asyncio.sleep(0.05)


async def ask(outcome: Outcome, port: int, request: bytes, connections: int, duration: float) -> None:
    """Let a number of connections ask for so many seconds."""
    end = time.perf_counter() + duration
    await asyncio.gather(*(_ask_until(end, port, request, outcome) for _ in range(connections)))


def load(port: int, request: bytes, connections: int, duration: float) -> dict:
    """Return what a number of connections met that ask for `duration` seconds."""
    outcome = Outcome()
    asyncio.run(ask(outcome, port, request, connections, duration))
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
