"""Server processes of the serving benchmarks: start, readiness, memory and processor time."""

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
# The service with batches of one image.
_UNBATCHED = """
import sys
from skconv.server import batching
batching._MAX_BATCH = 1
from skconv.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def make_command(server: str, port: int, peers: str = sys.executable, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command of "skconv", "unbatched", "minimal" or "litserve" (in the peers' Python)."""
    serve = ["serve", "--port", str(port), *options]
    if server == "skconv":
        return [sys.executable, "-m", "skconv", *serve]
    if server == "unbatched":
        return [sys.executable, "-c", _UNBATCHED, *serve]
    return [peers if server == "litserve" else sys.executable, str(HERE / f"serving_{server}.py"), str(port)]


@contextlib.contextmanager
def start(
    command: list[str], port: int, log: Path | None = None, checkout: Path = HERE.parent
) -> Iterator[tuple[subprocess.Popen, float]]:
    """Yield a server's process and the seconds until it was ready; its standard error goes to `log`.

    `checkout` is the folder of the repository whose service is started.
    """
    start_time = time.perf_counter()
    with contextlib.ExitStack() as files:
        errors = files.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        environment = {"PYTHONPATH": str(checkout / "src")}
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ | environment, start_new_session=True
        )
    try:
        while b" 200 " not in get(port, "/readyz"):
            if process.poll() is not None:
                raise RuntimeError(f"The server exited with code {process.returncode}: {command[:3]}")
            time.sleep(0.01)
        yield process, time.perf_counter() - start_time
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):  # LitServe's child processes hold the port
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def find_port() -> int:
    """Return a free port."""
    with socket.socket() as free_socket:
        free_socket.bind(("127.0.0.1", 0))
        return int(free_socket.getsockname()[1])


def get(port: int, path: str) -> bytes:
    """Return the response to a GET request; empty if there is none."""

    async def request() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        response = await reader.read()
        writer.close()
        return response

    try:
        return asyncio.run(request())
    except OSError:
        return b""


def measure_memory(process: subprocess.Popen) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def measure_processor_time(process: subprocess.Popen) -> float:
    """Return the seconds of processor time of a process, with its threads but without its children."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
