"""Start-up time of `skconv --help`, `import skconv`, one prediction, and `skconv train` to the first step.

    python benchmarks/startup.py

Medians of 11 fresh processes, interleaved.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import write_result

import skconv

RUNS = 11
IMAGE = Path(skconv.__file__).parent / "web_page" / "page" / "examples" / "seven.jpg"
# The command, ended after its first step.
FIRST_STEP = """
import os, sys
from skconv.cli.main import main
from skconv.training.net import ClassifierNet
step = ClassifierNet.train_step_single
def first(self, *arguments, **options):
    step(self, *arguments, **options)
    os._exit(0)
ClassifierNet.train_step_single = first
sys.argv = ["skconv", "train", "mnist", "--out", sys.argv[1]]
main()
"""
COMMANDS = {
    "help": ["-m", "skconv", "--help"],
    "import": ["-c", "import skconv"],
    "python": ["-c", "pass"],
    "predict": ["-m", "skconv", "predict", "digits", str(IMAGE)],
    "step": ["-c", FIRST_STEP],
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, *arguments, *([f"{folder}/model"] if name == "step" else [])]
                start = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                seconds[name].append(time.perf_counter() - start)
    figures = {
        name: {"median": statistics.median(times), "min": min(times), "max": max(times), "n": RUNS}
        for name, times in seconds.items()
    }
    write_result("startup", figures)


if __name__ == "__main__":
    main()
