"""Entry of the command line: `skconv …` and `python -m skconv …`."""

import os
import sys
from typing import NoReturn

from skconv.cli.main import INTERRUPTED
from skconv.cli.main import main as run


def main() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    code = run()
    if code == INTERRUPTED:
        # Python ends itself by a signal if the interrupt fell into an exec(), as some packages call it when imported,
        # even where it was handled; the exit code would be lost.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
