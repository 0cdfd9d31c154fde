"""Run scripts, each in a fork of this process, which has imported the heavy packages: that takes longer than they do.

Reads a script and a folder from each line of standard input, parted by a tab; runs the script in the folder, its
output in ``stdout.txt`` and ``stderr.txt`` there; writes its exit status as a line.
"""

import os
import runpy
import signal
import sys
from importlib import import_module

# torch's optimizers import torch._dynamo when the first of them is made.
PACKAGES = ("torch._dynamo", "sklearn.datasets", "sklearn.ensemble", "sklearn.model_selection", "skconv.estimators")
SECONDS = 120  # a script that hangs is killed


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
