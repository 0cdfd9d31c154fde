"""`main`: run one command line and turn whatever happens into an exit code and at most one line."""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from skconv.cli.console import one_line
from skconv.distributed.process_group import (
    describe_loss,
    is_one_of_several,
    launcher,
    main_process_only,
    should_report,
)
from skconv.exceptions import ProcessLostError, SkconvError

DONE, FAILED, INTERRUPTED = 0, 1, 130


@dataclass
class Invocation:
    """The command line being run.

    Parameters
    ----------
    command : str
        The command as it can be pasted into a shell.
    debug : bool
        Whether a failure shows its traceback.
    out : pathlib.Path or None
        The new folder that the command was told to write.
    terminated : bool
        Whether SIGTERM ended it.
    """

    command: str
    debug: bool = False
    out: Path | None = None
    terminated: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments after the program's name; None takes those of the process.

    Returns
    -------
    int
        0 done; 1 an error, told in one line; 2 wrong usage; 130 interrupted.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    skconv ...
    0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    invocation = Invocation(shlex.join([*launcher(), "skconv", *arguments]))
    # A file name need not be text in the terminal's encoding; printing it must not fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with main_process_only(), _termination_as_interrupt(invocation):
            code = _run(arguments, invocation)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough: nothing to tell
        code = FAILED
        _forget_output()
    except Exception as error:
        code = FAILED
        _tell(error, invocation.debug)
        _forget_output()
    if code == INTERRUPTED and invocation.terminated and is_one_of_several():
        # torchrun ends so the processes that are left when one has failed.
        code = FAILED
        _tell(ProcessLostError(describe_loss()), invocation.debug)
    elif code == INTERRUPTED and should_report():
        print(f"Interrupted. {_say_how_to_go_on(invocation)}", file=sys.stderr)
    return code


@contextmanager
def _termination_as_interrupt(invocation: Invocation) -> Iterator[None]:
    """Clean up after a polite request to end, as schedulers and containers send it, as after Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():  # only there signals can be handled
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        invocation.terminated = True
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(arguments: list[str], invocation: Invocation) -> int:
    import typer.main

    from skconv.cli.app import create_app

    try:
        typer.main.get_command(create_app(arguments)).main(args=arguments, prog_name="skconv", obj=invocation)
    except SystemExit as leaving:  # how Typer ends, also after success
        return leaving.code if isinstance(leaving.code, int) else DONE
    return DONE


def _say_how_to_go_on(invocation: Invocation) -> str:
    out = invocation.out
    # Beside the folder of a run, or in that of several.
    if out is not None and (out.with_name(f"{out.name}.checkpoint").is_dir() or any(out.glob("*.checkpoint"))):
        command = invocation.command.removesuffix(" --resume")
        return f"The training is kept. To go on where it stopped: {command} --resume"
    if out is not None and out.is_dir() and any(out.iterdir()):  # several seeds, of which some were done
        return (
            f"Nothing half-written; finished results are kept in {one_line(str(out))}. "
            f"To run it again, with another --out or that folder removed: {invocation.command}"
        )
    return f"Nothing half-written; finished results are kept. To run it again: {invocation.command}"


def _tell(error: Exception, debug: bool) -> None:
    if not should_report():
        return
    if debug:
        traceback.print_exception(error)
        return
    message = str(error)
    if isinstance(error, MemoryError):
        message = f"Out of memory. {message} Use fewer or smaller images, or close other programs."
    elif not isinstance(error, SkconvError | OSError):
        told = message.rstrip(". \n") or "no message"
        message = f"Unexpected {type(error).__name__}: {told}. Run it again with --debug for the traceback."
    print(f"Error: {one_line(message)}", file=sys.stderr)


def _forget_output() -> None:
    """Drop what standard output still holds, so that Python does not fail again when it closes."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # captured, as in tests, or closed
        return
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, descriptor)
    os.close(silence)
