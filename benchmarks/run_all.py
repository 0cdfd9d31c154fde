"""Run the benchmarks one after the other, and write their figures into README.md.

    python benchmarks/run_all.py [--quick]

Makes an environment for the libraries that skconv is measured against (requirements.txt) in `.venv-peers`, beside this
one. Takes up to 40 minutes on two cores, with --quick about five: then the libraries are left out, and sizes and turns
are so small that the figures only show that everything runs; they are not written into README.md.
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
# Script, its arguments, those of a quick run (None: left out), and whether it runs in the peers' environment.
SCRIPTS: tuple[tuple[str, list[str], list[str] | None, bool], ...] = (
    ("startup", [], [], False),
    ("overhead", [], ["--runs", "2"], False),
    ("arithmetic", [], ["--runs", "1"], False),
    ("throughput", [], None, True),
    ("prediction", [], None, True),
    ("growth", [], ["--sizes", "10000", "100000", "--turns", "1"], False),
    ("time_to_99", ["--peers", "PEERS"], ["--seeds", "2", "--epochs", "1", "--turns", "1"], False),
)


def make_peers() -> str:
    """Install what is measured against, where it is not yet; return that environment's Python."""
    python = PEERS / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text() + (HERE.parent / "constraints.txt").read_text()
    stamp = PEERS / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(PEERS, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-c", HERE.parent / "constraints.txt"]
        subprocess.run([*install, "-r", HERE / "requirements.txt", "-e", HERE.parent], check=True)
        stamp.write_text(wanted)
    return str(python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five minutes: does everything run?")
    options = parser.parse_args()
    peers = "" if options.quick else make_peers()
    places = {"SKCONV_RESULTS": str(HERE / "results" / "quick")} if options.quick else {}
    for name, arguments, quick, among_peers in SCRIPTS:
        chosen = quick if options.quick else arguments
        if chosen is None:
            continue
        start = time.perf_counter()
        command = [peers if among_peers else sys.executable, str(HERE / f"{name}.py")]
        command += [peers if argument == "PEERS" else argument for argument in chosen]
        print(f"\n{name} …", flush=True)
        subprocess.run(command, check=True, env=os.environ | places)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    if not options.quick:
        table.write()


if __name__ == "__main__":
    main()
