"""Typer application, shared options, and the decorators that define commands."""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from skconv.cli.help import HelpCommand
from skconv.cli.options import MAX_SEED, Device, complete_option, derive_options
from skconv.distributed.process_group import check_not_distributed
from skconv.progress import is_terminal

# Command names, which are also function names, and the modules that define them.
COMMANDS = {
    **dict.fromkeys(("train", "tune", "ensemble", "cross_validate"), "training"),
    **dict.fromkeys(("evaluate", "compare", "predict", "read", "serve", "report"), "models"),
    "audit": "training",
    **dict.fromkeys(("explain", "export", "init_service"), "models"),
    **dict.fromkeys(("data", "networks", "recipes"), "listings"),
}
_UNUSED = "Ignored by this command."


def create_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the application with the command named by the first of `arguments`, or with all commands if there is none.

    Deriving options imports library functions, so only the named command gets its options, or all commands if there are
    no arguments.
    """
    # Rich would triple the time of --help; skconv.cli.main prints errors.
    app = typer.Typer(
        name="skconv",
        epilog="Example: skconv train mnist --recipe fast",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_application)
    named = [name for name in COMMANDS if [name.replace("_", "-")] == list(arguments[:1])]
    for name in named or COMMANDS:
        each: Command = getattr(import_module(f"skconv.cli.{COMMANDS[name]}"), name)
        each.register(app, with_options=bool(named) or not arguments)
    return app


def _show_version(value: bool) -> None:
    if value:
        import skconv

        typer.echo(f"skconv {skconv.__version__}")
        raise typer.Exit


def _application(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Train, evaluate and use convolutional networks for small images."""
    if context.invoked_subcommand != "train":
        check_not_distributed(str(context.invoked_subcommand))


def _set_debug(context: typer.Context, value: bool) -> None:
    if value and context.obj is not None:
        context.obj.debug = True


# Every command accepts these two, so that scripts can always pass them; --help hides them if they have no effect.
_IGNORED: dict[str, tuple[Any, Any]] = {
    "seed": (Annotated[int, typer.Option(min=0, max=MAX_SEED, hidden=True, help=_UNUSED)], 0),
    "device": (Annotated[Device, typer.Option(hidden=True, help=_UNUSED)], Device.auto),
}
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, everything else on standard error.")
]
_OUTPUT: dict[str, tuple[Any, Any]] = {
    "as_json": (JsonOption, False),
    "debug": (
        Annotated[bool, typer.Option("--debug", callback=_set_debug, help="Print the traceback of an error.")],
        False,
    ),
}
_NOT_OPTIONS = ("progress", "command")  # parameters of library functions that the decorator sets


@dataclass(frozen=True)
class Command:
    """A command of the application, with its help, options and function."""

    name: str
    help: str
    example: str
    list_options: Callable[[], list[inspect.Parameter]]
    run: Callable[..., None]  # called with the context and all options

    def register(self, app: typer.Typer, *, with_options: bool) -> None:
        """Add the command to an application; without options, it can be listed but not run."""
        options = self.list_options() if with_options else []
        names = [each.name for each in options]
        options += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in (_IGNORED | _OUTPUT).items()
            if name not in names
        ]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        def run(**arguments: Any) -> None:
            self.run(**arguments)

        run.__name__, run.__doc__ = self.name, self.help
        run.__signature__ = inspect.Signature([context, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in [context, *options]}
        app.command(epilog=f"Example: {self.example}", cls=HelpCommand)(run)


def command(example: str, *, redirect: bool = True) -> Callable[[Callable[..., Any]], Command]:
    """Turn a function into a command with ``--json`` and ``--debug`` that prints the function's result.

    If `redirect`, output that the function prints is redirected to standard error.
    """

    def decorate(function: Callable[..., Any]) -> Command:
        def list_options() -> list[inspect.Parameter]:
            parameters = inspect.signature(function, eval_str=True).parameters.values()
            return [complete_option(each, *get_args(each.annotation)) for each in parameters]

        def run(context: typer.Context, *, as_json: bool, **arguments: Any) -> None:
            own = inspect.signature(function).parameters
            if "as_json" in own:
                arguments["as_json"] = as_json
            with _library_messages(redirect=redirect):
                result = function(**{name: arguments[name] for name in own})
            if result is not None:
                show_result(result.to_json(), str(result), as_json=as_json)

        return Command(function.__name__, function.__doc__ or "", example, list_options, run)

    return decorate


def library_command(
    example: str, *, progress: bool | None = None, **options: Any
) -> Callable[[Callable[[], None]], Command]:
    """Turn a declaration into a command that calls the function of the same name in `skconv.commands`.

    The declaration's docstring is the help text. Options and arguments are the parameters of the library function;
    `options` has the help and checks of those that are not in `skconv.cli.options.SHARED`. `progress` is passed to the
    function; None shows progress if standard error is a terminal.
    """

    def decorate(declaration: Callable[[], None]) -> Command:
        name = declaration.__name__

        def find_function() -> Callable[..., Any]:
            function: Callable[..., Any] = getattr(import_module(f"skconv.commands.{name}"), name)
            return function

        def run(context: typer.Context, *, as_json: bool, debug: bool, **arguments: Any) -> None:
            if context.obj is not None:
                context.obj.out = None if arguments.get("out") is None else _expand_home(arguments["out"])
            with _library_messages():
                function = find_function()
                accepted = inspect.signature(function).parameters
                if "progress" in accepted:
                    arguments["progress"] = is_terminal() if progress is None else progress
                if "command" in accepted and context.obj is not None:
                    arguments["command"] = context.obj.command
                given = {name: _plain(value) for name, value in arguments.items() if name in accepted}
                try:
                    result = function(**given)
                except KeyboardInterrupt as interrupt:
                    if context.obj is not None:
                        context.obj.out = getattr(interrupt, "run_folder", context.obj.out)
                    raise
            show_result(result.to_json(), str(result), as_json=as_json)
            if getattr(result, "n_broken", 0):
                raise typer.Exit(1)

        return Command(
            name,
            declaration.__doc__ or "",
            example,
            lambda: derive_options(find_function(), options, _NOT_OPTIONS),
            run,
        )

    return decorate


@contextmanager
def _library_messages(*, redirect: bool = True) -> Iterator[None]:
    """Print skconv's warnings as lines that begin with ``Note:``; if `redirect`, standard output to standard error.

    Warnings of other packages are ignored, unless Python was started with ``-W`` or ``PYTHONWARNINGS``.
    """
    with redirect_stdout(sys.stderr) if redirect else nullcontext(), warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        warnings.filterwarnings("always", module=r"skconv\.")
        warnings.showwarning = _print_note
        yield


def _print_note(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Note: {one_line(str(message))}", file=sys.stderr)


def _expand_home(path: Path) -> Path:
    from skconv.files import expand_home

    return expand_home(path)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def show_result(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print `result` as one JSON object if `as_json`, otherwise print `text`."""
    print(json.dumps(result) if as_json else text)


def one_line(message: str) -> str:
    r"""Return `message` without line breaks and with control characters escaped.

    Examples
    --------
    >>> one_line("no such file:\n  a\x1b[31m.png")
    'no such file: a\\x1b[31m.png'
    """
    joined = " ".join(message.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)
