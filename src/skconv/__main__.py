"""Entry point of the command line: `skconv …` and `python -m skconv …`."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    try:
        from skconv.cli.main import INTERRUPTED, main as run
    except KeyboardInterrupt:  # before `run` handles signals
        print("Interrupted.", file=sys.stderr, flush=True)
        os._exit(130)
    code = run()
    if code == INTERRUPTED:
        # After an interrupt inside exec(), which some packages call at import, Python exits by a signal even if the
        # interrupt was handled; the exit code would be lost.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
