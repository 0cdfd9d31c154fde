"""Run scripts in forks of this process, which has imported the heavy packages: the imports take longer than a script.

Reads a script and a folder, separated by a tab, from each line of standard input. Runs the script in the folder, writes
its output to ``stdout.txt`` and ``stderr.txt`` there, and prints its exit status.
"""

import os
import runpy
import signal
import sys
from importlib import import_module

# torch's optimizers import torch._dynamo at first use.
PACKAGES = ("torch._dynamo", "sklearn.datasets", "sklearn.ensemble", "sklearn.model_selection", "skconv.estimators")
SECONDS = 120  # afterwards a script is killed


def run(script: str, folder: str) -> None:
    os.chdir(folder)
    for number, (name, mode) in enumerate([(os.devnull, "rb"), ("stdout.txt", "wb"), ("stderr.txt", "wb")]):
        with open(name, mode) as file:  # noqa: PTH123
            os.dup2(file.fileno(), number)
    signal.alarm(SECONDS)
    runpy.run_path(script, run_name="__main__")
    sys.exit()


for package in PACKAGES:
    import_module(package)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(*line.rstrip("\n").split("\t"))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
