"""Servers that `serving.py` and `serving_fuzz.py` ask: skconv's own, and what it is measured against."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
# The service itself, with one change: one image a run of the network.
_UNBATCHED = """
import sys
from skconv.server import batching
batching._MAX_BATCH = 1
from skconv.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def make_command(way: str, port: int, peers: str = sys.executable, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command of a server: "skconv", "unbatched", "minimal" or "litserve"; the last in the peers' Python."""
    serve = ["serve", "--port", str(port), *options]
    if way == "skconv":
        return [sys.executable, "-m", "skconv", *serve]
    if way == "unbatched":
        return [sys.executable, "-c", _UNBATCHED, *serve]
    return [peers if way == "litserve" else sys.executable, str(HERE / f"serving_{way}.py"), str(port)]


@contextlib.contextmanager
def start(command: list[str], port: int, log: Path | None = None) -> Iterator[tuple[subprocess.Popen, float]]:
    """Yield a server's process and the seconds until it was ready; its errors go to `log`."""
    begun = time.perf_counter()
    with contextlib.ExitStack() as files:
        errors = files.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        sources = {"PYTHONPATH": str(HERE.parent / "src")}
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ | sources, start_new_session=True
        )
    try:
        while b" 200 " not in get(port, "/readyz"):
            if process.poll() is not None:
                raise RuntimeError(f"The server ended with {process.returncode}: {command[:3]}")
            time.sleep(0.01)
        yield process, time.perf_counter() - begun
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):  # LitServe's processes outlive their parent, and keep the port
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def find_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as any_free:
        any_free.bind(("127.0.0.1", 0))
        return int(any_free.getsockname()[1])


def get(port: int, path: str) -> bytes:
    """Return the whole answer to a GET request; nothing where nobody answers."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    try:
        return asyncio.run(ask())
    except OSError:
        return b""


def measure_memory(process: subprocess.Popen) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure_processor(process: subprocess.Popen) -> float:
    """Return the seconds of processor time that a process has used; threads included, children not."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
