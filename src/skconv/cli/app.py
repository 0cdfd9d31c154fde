"""Typer application, shared options, and the decorators that define commands."""

from __future__ import annotations

import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from enum import Enum, StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from skconv.distributed.process_group import check_not_distributed

# Command names, which are also function names, and the modules that define them.
COMMANDS = {
    **dict.fromkeys(("train", "tune", "ensemble", "cross_validate"), "training"),
    **dict.fromkeys(("evaluate", "predict", "read", "serve", "report"), "models"),
    "audit": "training",
    **dict.fromkeys(("explain", "export"), "models"),
    **dict.fromkeys(("data", "networks", "recipes"), "listings"),
}
_MAX_SEED = 2**31 - 1
_UNUSED = "Ignored by this command."


def create_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the application with the command that `arguments` starts with, or else with all commands.

    Registering one command is faster, because Typer inspects the signature of every registered command.
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
        function = getattr(import_module(f"skconv.cli.{COMMANDS[name]}"), name)
        app.command(epilog=f"Example: {function.example}")(function)
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


def _parse_image_size(text: str | None) -> tuple[int, int] | None:
    # With a tuple type, Typer would expect two arguments.
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})[xX×]([1-9]\d{0,3})", text.strip())
    if match is None:
        raise typer.BadParameter(f"'{text}' is not a size in pixels. Write height x width, for example 28x28.")
    return int(match[1]), int(match[2])


def _set_debug(context: typer.Context, value: bool) -> None:
    if value and context.obj is not None:
        context.obj.debug = True


Device = StrEnum("Device", ["auto", "cpu", "cuda", "mps"])

ModelArgument = Annotated[Path, typer.Argument(help="Run folder, model folder, or digits for the bundled model.")]
SourceArgument = Annotated[str, typer.Argument(help="Name of a data set, CSV or .npz file, or folder.")]
OptionalSourceArgument = Annotated[
    str | None,
    typer.Argument(
        help="Name of a data set, CSV or .npz file, folder of images or of a competition; default: the recipe's data."
    ),
]
RecipeOption = Annotated[str, typer.Option(help="Name of a recipe, or TOML file.")]
NetworkOption = Annotated[str | None, typer.Option(help="Network to use instead of the recipe's.")]
DaskOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Train on the workers of this Dask scheduler, such as tcp://HOST:8786."),
]
DataHomeOption = Annotated[Path | None, typer.Option(help="Folder to search first for data sets, like SKCONV_DATA.")]
ImagesOption = Annotated[Path | None, typer.Option(help="Folder of the images listed in a CSV file of id,label.")]
LabelColumnOption = Annotated[str | None, typer.Option(help="Name of the label column of a CSV file.")]
ImageSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        callback=_parse_image_size,
        help="Height and width in pixels: shape of the rows of a CSV file, or size to resize images to.",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, max=_MAX_SEED, help="Seed of all random numbers; default: the recipe's, or 0.")
]
DeviceOption = Annotated[Device, typer.Option(help="Device to train on; auto uses a GPU if there is one.")]
CoverageOption = Annotated[
    float | None,
    typer.Option(help="Compute prediction sets that contain the true label with this probability, for example 0.99."),
]
MinConfidenceOption = Annotated[
    float, typer.Option(min=0, max=1, help="Replace labels of lower confidence by ? and list the alternatives.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, everything else on standard error.")
]
DebugOption = Annotated[bool, typer.Option("--debug", callback=_set_debug, help="Print the traceback of an error.")]

# Options that the decorators add: name, type and default.
_Shared = dict[str, tuple[Any, Any]]
_DATA: _Shared = {
    "data_home": (DataHomeOption, None),
    "images": (ImagesOption, None),
    "label_column": (LabelColumnOption, None),
    "image_size": (ImageSizeOption, None),
}
_TRAINING: _Shared = {"seed": (SeedOption, None), "device": (DeviceOption, Device.auto)}
# Every command accepts these two, so that scripts can always pass them; --help hides them if they have no effect.
_IGNORED: _Shared = {
    "seed": (Annotated[int, typer.Option(min=0, max=_MAX_SEED, hidden=True, help=_UNUSED)], 0),
    "device": (Annotated[Device, typer.Option(hidden=True, help=_UNUSED)], Device.auto),
}
_OUTPUT: _Shared = {"as_json": (JsonOption, False), "debug": (DebugOption, False)}


def command(example: str, *, redirect: bool = True) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Turn a function into a command with ``--json`` and ``--debug`` that prints the function's result.

    If `redirect`, output that the function prints is redirected to standard error.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        own = inspect.signature(function).parameters

        def run(context: typer.Context, **arguments: Any) -> None:
            with _library_messages() if redirect else nullcontext():
                result = function(**{name: arguments[name] for name in own})
            if result is not None:
                show_result(result.to_json(), str(result), as_json=arguments["as_json"])

        return _declare(run, function, example, _IGNORED | _OUTPUT)

    return decorate


def library_command(
    example: str, *, data: bool = False, trains: bool = False, progress: bool | None = None
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a declaration of options a command, which calls the function of the same name in `skconv.commands`.

    The declaration's docstring is the help text; its parameters are those of the library function. `data` adds the
    data options. `trains` passes ``--seed`` and ``--device`` to the function; otherwise they are ignored. `progress` is
    passed to the function; None shows progress if standard error is a terminal.
    """

    def decorate(declaration: Callable[..., Any]) -> Callable[..., None]:
        name = declaration.__name__

        def run(context: typer.Context, **arguments: Any) -> None:
            as_json, _ = arguments.pop("as_json"), arguments.pop("debug")
            if not trains:
                del arguments["seed"], arguments["device"]
            arguments = {key: each.value if isinstance(each, Enum) else each for key, each in arguments.items()}
            if context.obj is not None:
                context.obj.out = arguments.get("out")
            with _library_messages():
                function = getattr(import_module(f"skconv.commands.{name}"), name)
                accepted = inspect.signature(function).parameters
                if "progress" in accepted:
                    arguments["progress"] = is_interactive() if progress is None else progress
                if "command" in accepted and context.obj is not None:
                    arguments["command"] = context.obj.command
                result = function(**arguments)
            show_result(result.to_json(), str(result), as_json=as_json)
            if getattr(result, "n_broken", 0):
                raise typer.Exit(1)

        shared = (_DATA if data else {}) | (_TRAINING if trains else _IGNORED) | _OUTPUT
        return _declare(run, declaration, example, shared)

    return decorate


def _declare(run: Any, declaration: Callable[..., Any], example: str, shared: _Shared) -> Callable[..., None]:
    """Copy name, help and options of `declaration` to `run`, and add missing shared options."""
    own = inspect.signature(declaration, eval_str=True).parameters
    options = [
        *own.values(),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in shared.items()
            if name not in own
        ),
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [context, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in options)]
    run.__name__, run.__doc__, run.example = declaration.__name__, declaration.__doc__, example
    run.__signature__ = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


@contextmanager
def _library_messages() -> Iterator[None]:
    """Redirect standard output to standard error, and print skconv's warnings as lines that begin with ``Note:``.

    Warnings of other packages are ignored, unless Python was started with ``-W``.
    """
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.filterwarnings("always", module=r"skconv\.")
            warnings.showwarning = _print_note
        yield


def _print_note(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Note: {one_line(str(message))}", file=sys.stderr)


def show_result(result: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print `result` as one JSON object, or `text`, on standard output."""
    print(json.dumps(result) if as_json else text)


def is_interactive() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


def one_line(message: str) -> str:
    r"""Return `message` without line breaks and with control characters escaped.

    Examples
    --------
    >>> one_line("no such file:\n  a\x1b[31m.png")
    'no such file: a\\x1b[31m.png'
    """
    joined = " ".join(message.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)
