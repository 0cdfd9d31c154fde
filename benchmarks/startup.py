"""How long does `skconv --help` take, and `import skconv`? Medians of 11 fresh processes, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from report import write_result

RUNS = 11
COMMANDS = {"help": ["-m", "skconv", "--help"], "import": ["-c", "import skconv"], "python": ["-c", "pass"]}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - start)
    figures = {
        name: {"median": statistics.median(times), "least": min(times), "most": max(times), "n": RUNS}
        for name, times in seconds.items()
    }
    write_result("startup", figures)


if __name__ == "__main__":
    main()
