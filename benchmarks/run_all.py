"""Run of all benchmarks of the first table in RESULTS.md.

    python benchmarks/run_all.py [--quick]

Creates an environment for the libraries compared with (requirements.txt) in `.venv-peers`. Takes up to 40 minutes on
two cores. With --quick it takes about five: other libraries are left out, sizes are small, and RESULTS.md is not
updated, because the figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

import table

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers"
# Script, arguments, arguments of a quick run (None: skipped), whether it runs in the environment of the peers.
SCRIPTS: tuple[tuple[str, list[str], list[str] | None, bool], ...] = (
    ("startup", [], [], False),
    ("overhead", [], ["--runs", "2"], False),
    ("arithmetic", [], ["--runs", "1"], False),
    ("throughput", [], None, True),
    ("prediction", [], None, True),
    ("growth", [], ["--sizes", "10000", "100000", "--rounds", "1"], False),
    ("time_to_99", ["--peers", "PEERS"], ["--seeds", "2", "--epochs", "1", "--rounds", "1"], False),
)


def make_peers() -> str:
    """Create the environment of the peers if it is missing or outdated; return its Python."""
    python = PEERS / "bin" / "python"
    required = (HERE / "requirements.txt").read_text() + (HERE.parent / "constraints.txt").read_text()
    stamp = PEERS / "installed"
    if not stamp.exists() or stamp.read_text() != required:
        venv.create(PEERS, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-c", HERE.parent / "constraints.txt"]
        subprocess.run([*install, "-r", HERE / "requirements.txt", "-e", HERE.parent], check=True)
        stamp.write_text(required)
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="check in five minutes that everything runs")
    options = parser.parse_args()
    peers = "" if options.quick else make_peers()
    environment = {"SKCONV_RESULTS": str(HERE / "results" / "quick")} if options.quick else {}
    for name, arguments, quick_arguments, needs_peers in SCRIPTS:
        chosen = quick_arguments if options.quick else arguments
        if chosen is None:
            continue
        start = time.perf_counter()
        command = [peers if needs_peers else sys.executable, str(HERE / f"{name}.py")]
        command += [peers if argument == "PEERS" else argument for argument in chosen]
        print(f"\n{name} …", flush=True)
        subprocess.run(command, check=True, env=os.environ | environment)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    if not options.quick:
        table.write()


if __name__ == "__main__":
    main()
