"""Decorators that make a function a command: shared options, notes on standard error, result on standard output."""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from enum import Enum, StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from skconv.cli.main import one_line

_MAX_SEED = 2**31 - 1


class Device(StrEnum):
    """Values of ``--device``."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def _parse_image_size(text: str | None) -> tuple[int, int] | None:
    # Typer would parse a pair of numbers from two arguments.
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})[xX×]([1-9]\d{0,3})", text.strip())
    if match is None:
        raise typer.BadParameter(f"'{text}' is not a size in pixels. Write height x width, as in 28x28.")
    return int(match[1]), int(match[2])


def _set_debug(context: typer.Context, value: bool) -> None:
    if value and context.obj is not None:
        context.obj.debug = True


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
DataHomeOption = Annotated[Path | None, typer.Option(help="Folder to search for data sets first, like SKCONV_DATA.")]
LabelColumnOption = Annotated[str | None, typer.Option(help="Name of the label column of a CSV file.")]
CoverageOption = Annotated[
    float | None,
    typer.Option(help="Compute prediction sets that contain the true label with this probability, such as 0.99."),
]
MinConfidenceOption = Annotated[
    float, typer.Option(min=0, max=1, help="Replace labels of lower confidence by ? and list the alternatives.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, everything else on standard error.")
]

# Options that the decorators add: name, type and default.
_Shared = dict[str, tuple[Any, Any]]
_DATA: _Shared = {
    "data_home": (DataHomeOption, None),
    "images": (
        Annotated[Path | None, typer.Option(help="Folder of the images that a CSV file of id,label lists.")],
        None,
    ),
    "label_column": (LabelColumnOption, None),
    "image_size": (
        Annotated[
            str | None,
            typer.Option(
                metavar="HxW",
                callback=_parse_image_size,
                help="Height and width in pixels: of the rows of a CSV file, or to resize images to.",
            ),
        ],
        None,
    ),
}
_TRAINING: _Shared = {
    "seed": (
        Annotated[
            int | None,
            typer.Option(min=0, max=_MAX_SEED, help="Seed of all random numbers; default: the recipe's, or 0."),
        ],
        None,
    ),
    "device": (
        Annotated[Device, typer.Option(help="Device to train on; auto uses a GPU if there is one.")],
        Device.auto,
    ),
}
# Every command accepts these two, so that a script can pass them to all; --help omits them where they have no effect.
_IGNORED: _Shared = {
    "seed": (
        Annotated[int, typer.Option("--seed", min=0, max=_MAX_SEED, hidden=True, help="Ignored: nothing is random.")],
        0,
    ),
    "device": (
        Annotated[Device, typer.Option("--device", hidden=True, help="Ignored: the CPU is used.")],
        Device.auto,
    ),
}
_OUTPUT: _Shared = {
    "as_json": (JsonOption, False),
    "debug": (
        Annotated[bool, typer.Option("--debug", callback=_set_debug, help="Print the traceback of an error.")],
        False,
    ),
}


def command(*, redirect: bool = True) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a function a command: add ``--json`` and ``--debug``, print what it returns.

    Parameters
    ----------
    redirect : bool, default=True
        Send whatever the function prints to standard error.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        own = inspect.signature(function).parameters

        def run(context: typer.Context, **arguments: Any) -> None:
            as_json = arguments["as_json"]
            with library_messages() if redirect else nullcontext():
                result = function(**{name: arguments[name] for name in own})
            if result is not None:
                show_result(result.to_json(), str(result), as_json=as_json)

        return _declare(run, function, _IGNORED | _OUTPUT)

    return decorate


def library_command(
    *, data: bool = False, trains: bool = False, progress: bool | None = None
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a declaration of options a command that calls the function of the same name in `skconv.commands`.

    The declaration's docstring is the help text; its parameters are those of the library function.

    Parameters
    ----------
    data : bool, default=False
        Add the options that describe data: ``--data-home``, ``--images``, ``--label-column``, ``--image-size``.
    trains : bool, default=False
        Pass ``--seed`` and ``--device`` on; without it they are accepted and ignored.
    progress : bool or None, default=None
        Whether to show progress bars; None shows them if standard error is a terminal.
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
            with library_messages():
                function = getattr(import_module(f"skconv.commands.{name}"), name)
                taken = inspect.signature(function).parameters
                if "progress" in taken:
                    arguments["progress"] = is_interactive() if progress is None else progress
                if "command" in taken and context.obj is not None:
                    arguments["command"] = context.obj.command
                result = function(**arguments)
            show_result(result.to_json(), str(result), as_json=as_json)
            if getattr(result, "n_broken", 0):
                raise typer.Exit(1)

        return _declare(run, declaration, (_DATA if data else {}) | (_TRAINING if trains else _IGNORED) | _OUTPUT)

    return decorate


def _declare(run: Callable[..., None], declaration: Callable[..., Any], shared: _Shared) -> Callable[..., None]:
    """Give `run` the name, help and options of a declaration, and those shared options that it lacks."""
    hints = typing.get_type_hints(declaration, include_extras=True)
    hints.pop("return", None)
    own = inspect.signature(declaration).parameters
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, parameter in own.items():
        parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
    for name, (kind, default) in shared.items():
        if name not in own:
            added = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            parameters.append(added)
    run.__name__, run.__doc__ = declaration.__name__, declaration.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


@contextmanager
def library_messages() -> Iterator[None]:
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


@dataclass(frozen=True)
class Output:
    """Result of a command without a library function: its JSON object and its text."""

    record: dict[str, Any]
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return self.record

    def __str__(self) -> str:
        return self.text


class Entry(NamedTuple):
    """One entry of a list: name, one-line title, full text, and JSON object."""

    name: str
    title: str
    text: str
    record: dict[str, Any]


def list_entries(key: str, entries: Sequence[Entry]) -> Output:
    """Return a list with one line per entry, and with `key` as its name in JSON."""
    width = max((len(each.name) for each in entries), default=0)
    text = "\n".join(f"{each.name:<{width}}  {each.title}" for each in entries)
    return Output({key: [each.record for each in entries]}, text)
