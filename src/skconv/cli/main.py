"""Entry point of the command line: exit codes, one-line error messages, signals."""

from __future__ import annotations

import _thread
import errno
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
from typing import TextIO

from skconv.cli.app import create_app, one_line
from skconv.distributed.process_group import (
    describe_lost_process,
    is_distributed,
    main_process_only,
    should_report,
    torchrun_prefix,
)
from skconv.exceptions import ProcessLostError, SkconvError, find_missing_package

DONE, FAILED, INTERRUPTED = 0, 1, 130
_REPEAT_SECONDS = 0.1  # until a lost signal is sent again; longer than the callback that lost it


@dataclass
class Invocation:
    """Options and state of the running command."""

    command: str  # quoted for a shell
    debug: bool = False  # print the traceback of an error
    out: Path | None = None  # the value of --out
    received: int | None = None  # SIGINT or SIGTERM if the process received one


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    `argv` excludes the program name; None uses the arguments of the process. The exit code is 0 for success, 1 for an
    error, printed in one line, 2 for wrong usage, and 130 for an interrupt.
    """
    _open_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    invocation = Invocation(shlex.join([*torchrun_prefix(), "skconv", *arguments]))
    # File names may contain characters that the terminal's encoding cannot represent.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with main_process_only(), _handle_signals(invocation):
            code = _run(arguments, invocation)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe exited, for example `head`
        code = FAILED
        _discard_stdout()
    except Exception as error:
        # An interrupted import of a compiled module raises ImportError instead of KeyboardInterrupt.
        code = FAILED if invocation.received is None else INTERRUPTED
        if code == FAILED:
            _print_error(error, invocation.debug)
        _discard_stdout()
    if code == INTERRUPTED and invocation.received == signal.SIGTERM and is_distributed():
        # torchrun sends SIGTERM to the remaining processes when one has failed.
        code = FAILED
        _print_error(ProcessLostError(describe_lost_process()), invocation.debug)
    elif code == INTERRUPTED and should_report():
        print(f"Interrupted. {_describe_continuation(invocation)}", file=sys.stderr)
    return code


def _open_closed_streams() -> None:
    """Replace standard streams that the parent process has closed by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None or (mode == "w" and _is_read_only(stream)):
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the exit


def _is_read_only(stream: TextIO) -> bool:
    """Return whether a stream cannot be written: a shell may open its script with the number of a closed stream."""
    try:
        os.write(stream.fileno(), b"")
    except OSError as error:
        return error.errno == errno.EBADF
    except ValueError:  # a closed file object, or an object without a file descriptor
        return False
    return False


@contextmanager
def _handle_signals(invocation: Invocation) -> Iterator[None]:
    """Record SIGINT (Ctrl-C) and SIGTERM, which schedulers and containers send, and interrupt the command."""
    if threading.current_thread() is not threading.main_thread():  # other threads cannot set signal handlers
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        invocation.received = number
        signal.default_int_handler(number, frame)

    handled = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a background process may ignore it
        handled.append(signal.SIGINT)
    before = {number: signal.signal(number, interrupt) for number in handled}
    try:
        with _repeat_lost_signals(invocation):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _repeat_lost_signals(invocation: Invocation) -> Iterator[None]:
    """Send a signal again if Python has ignored its KeyboardInterrupt, as it does in destructors and weakref callbacks.

    The import system has such callbacks, so a signal that arrives during imports can be lost.
    """
    before = sys.unraisablehook
    timers: list[threading.Timer] = []

    def handle(ignored: sys.UnraisableHookArgs) -> None:
        if invocation.received is None or not issubclass(ignored.exc_type, KeyboardInterrupt):
            before(ignored)
            return
        # In another thread and later, because an exception in this hook would be ignored as well.
        timer = threading.Timer(_REPEAT_SECONDS, _thread.interrupt_main, [invocation.received])
        timer.daemon = True
        timers.append(timer)
        timer.start()

    sys.unraisablehook = handle
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in timers:
            timer.cancel()


def _run(arguments: list[str], invocation: Invocation) -> int:
    import typer.main

    try:
        typer.main.get_command(create_app(arguments)).main(args=arguments, prog_name="skconv", obj=invocation)
    except SystemExit as leaving:  # Typer always raises it
        return leaving.code if isinstance(leaving.code, int) else DONE
    return DONE


def _describe_continuation(invocation: Invocation) -> str:
    """Return instructions for resuming or repeating an interrupted command."""
    out = invocation.out
    # The checkpoint folder is OUT.checkpoint; with several seeds, OUT/seed-N.checkpoint.
    if out is not None and (out.with_name(f"{out.name}.checkpoint").is_dir() or any(out.glob("*.checkpoint"))):
        from skconv.commands.recorded_call import describe_resume

        return f"A checkpoint is saved. To resume the run: {describe_resume(invocation.command, out)}"
    if out is not None and any(out.glob("seed-*")):
        return (
            f"No incomplete files remain; finished results remain in {one_line(str(out))}. "
            f"To run it again, remove that folder or choose another --out: {invocation.command}"
        )
    return f"No incomplete files remain; finished results remain. To run it again: {invocation.command}"


def _print_error(error: Exception, debug: bool) -> None:
    if not should_report():
        return
    if debug:
        traceback.print_exception(error)
        return
    message = str(error)
    if isinstance(error, MemoryError):
        message = f"Out of memory. {message} Use fewer or smaller images, or close other programs."
    elif isinstance(error, ImportError) and (missing := find_missing_package(error, "this command")) is not None:
        message = str(missing)
    elif not isinstance(error, SkconvError | OSError):
        reason = message.rstrip(". \n") or "no message"
        message = f"Unexpected {type(error).__name__}: {reason}. Run it again with --debug for the traceback."
    print(f"Error: {one_line(message)}", file=sys.stderr)


def _discard_stdout() -> None:
    """Redirect standard output to the null device, so that the flush at exit cannot fail again."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # stdout is captured by pytest, or closed
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
