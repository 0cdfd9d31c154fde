"""Entry of the command line: `skconv …` and `python -m skconv …`."""

from skconv.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
