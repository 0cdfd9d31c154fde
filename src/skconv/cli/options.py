"""Command-line options derived from the signatures of library functions."""

from __future__ import annotations

import inspect
import math
import os
import re
import types
from collections.abc import Callable, Iterable
from copy import copy
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from skconv.cli.help import describe_number
from skconv.estimators.parameters import PARAMETERS, Parameter

MAX_SEED = 2**31 - 1
Device = StrEnum("Device", ["auto", "cpu", "cuda", "mps"])
Resize = StrEnum("Resize", ["pad", "crop", "stretch"])


def _parse_image_size(text: str | None) -> tuple[int, ...] | None:
    # With a tuple type, Typer would expect two arguments.
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})(?:[xX×]([1-9]\d{0,3})(?:[xX×]([1-9]\d{0,3}))?)?", text.strip())
    if match is None or (match[3] and not {match[1], match[3]} & {"1", "3"}):
        raise typer.BadParameter(
            f"'{text}' is not a size in pixels. Write height x width, for example 28x28, one number for square images, "
            "or height x width x channels with 1 or 3 channels."
        )
    sides = int(match[1]), int(match[2] or match[1])
    return sides if match[3] is None else (*sides, int(match[3]))


def _parse_setting(name: str) -> Callable[[str | None], Any]:
    """Return the parser of a training parameter that is a number, a duration, or a word such as "auto"."""

    def parse(text: str | None) -> Any:
        from skconv.recipes.settings import parse_value  # not needed by predict and serve

        if text is None:
            return None
        value = parse_value(text)
        if value is None or not PARAMETERS[name].accepts(value):
            raise typer.BadParameter(f"got {text}; expected {PARAMETERS[name].describe(in_recipe=True)}.")
        return value

    return parse


def _declare_setting(name: str, metavar: str, text: str) -> Any:
    """Return the declaration of an option for a training parameter; `text` is its help."""
    return Annotated[str | None, typer.Option(metavar=metavar, callback=_parse_setting(name), help=text)]


def declare_image_size(explanation: str) -> Any:
    """Return the declaration of --image-size; `explanation` follows the form of its value in --help."""
    text = f"Height and width in pixels, or one number for both, and optionally channels: {explanation}"
    return Annotated[str | None, typer.Option(metavar="HxW[xC]", callback=_parse_image_size, help=text)]


COVERAGE = typer.Option(
    help="Compute prediction sets that contain the true label with this probability, for example 0.99."
)
MIN_CONFIDENCE = typer.Option(min=0, max=1, help="Replace labels of lower confidence by ? and list the alternatives.")
DATA_HOME = typer.Option(help="Folder to search first for data sets, like SKCONV_DATA.")
DATA_HELP = "Name of a data set, CSV or .npz file, or folder."

# Help and checks of options that several commands share, in the order of --help. The annotation is that of the library
# function, or the first argument of `Annotated`.
SHARED: dict[str, Any] = {
    "model": typer.Argument(help="Run folder, model folder, or digits for the bundled model."),
    "source": Annotated[
        str | None,
        typer.Argument(
            help="Name of a data set, CSV or .npz file, folder of images or of a competition; default: the recipe's "
            "data."
        ),
    ],
    "recipe": Annotated[str, typer.Option(help="Name of a recipe, or TOML file.")],
    "network": Annotated[
        str | None,
        typer.Option(
            help="Network to use instead of the recipe's: a name, or package.module:Name of a torch.nn.Module of your "
            "own, which is imported."
        ),
    ],
    "epochs": _declare_setting(
        "max_epochs",
        "NUMBER",
        "Passes over the training images, such as 3 or 0.5, or auto, which chooses more for fewer images.",
    ),
    "batch_size": typer.Option(help="Images per training step."),
    "learning_rate": typer.Option(help="Peak learning rate."),
    "time_limit": _declare_setting(
        "time_limit",
        "DURATION",
        "Maximum time of the command, such as 90s, 10m or 1h30m; epochs that do not fit are omitted.",
    ),
    "threads": _declare_setting(
        "n_threads",
        "NUMBER",
        "Number of threads, or auto, which uses the processors that other programs leave free.",
    ),
    "settings": Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Setting of the recipe to change, such as training.weight_decay=0.1; may be repeated.",
        ),
    ],
    "out": typer.Option(help="New folder for the results."),
    "coverage": COVERAGE,
    "min_confidence": MIN_CONFIDENCE,
    "dask": typer.Option(
        metavar="ADDRESS", help="Train on the workers of this Dask scheduler, such as tcp://HOST:8786."
    ),
    "resume": typer.Option(help="Resume the interrupted run in --out."),
    "data_home": DATA_HOME,
    "images": typer.Option(help="Folder of the images that a CSV file lists; default: the folder of the file."),
    "image_column": typer.Option(help="Column of a CSV file with the names of images, by its header or number from 1."),
    "label_column": typer.Option(help="Label column of a CSV file, by its header or number from 1; -1 is the last."),
    "image_size": declare_image_size(
        "size to which images are resized, or shape of the rows of a CSV file (CxHxW if channels come first); default: "
        "images of one small size are unchanged; otherwise a size is chosen and printed."
    ),
    "resize": Annotated[
        Resize | None,
        typer.Option(
            help="How images of another aspect ratio are resized; default: pad with the colour of the border."
        ),
    ],
    "skip_unreadable": typer.Option(help="Leave out image files that cannot be read; default: raise an error."),
    "exclude": Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Leave out files or folders that match a pattern, such as '*_mask.png'; repeatable."
        ),
    ],
    "class_level": typer.Option(
        help="Level of the class folders in a folder of images: 1 for the folders in the source, 2 for the folders in "
        "these, -1 for the folders that contain the images; default: chosen and printed."
    ),
    "label_pattern": typer.Option(
        metavar="REGEX",
        help="Regular expression with one group that finds the class in the names of the image files of a folder, such "
        "as '^(.+)_' for cat_1.jpg.",
    ),
    "groups": typer.Option(
        metavar="none|COLUMN|REGEX",
        help="Images that are trained on or held out together, such as those of one patient: none; a column of a CSV "
        "file; or, for a folder, a regular expression that finds the group in the names of the image files, such as "
        "'^(p[0-9]+)_'; default: found by names and printed.",
    ),
    "min_class_size": typer.Option(min=1, help="Leave out classes with fewer training images than this."),
    "drop_class": Annotated[list[str] | None, typer.Option(metavar="CLASS", help="Leave out this class; repeatable.")],
    "seed": typer.Option(min=0, max=MAX_SEED, help="Seed of all random numbers; default: the recipe's, or 0."),
    "device": Annotated[Device, typer.Option(help="Device to train on; auto uses a GPU if there is one.")],
}
_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


def derive_options(
    function: Callable[..., Any], declared: dict[str, Any], excluded: Iterable[str]
) -> list[inspect.Parameter]:
    """Return the command-line options of a library function, as parameters that Typer understands.

    Names, types and defaults are those of the signature; `declared`, or else `SHARED`, has help and checks. Ranges of
    training parameters are those of `PARAMETERS`. `excluded` are parameters that are not options. Arguments come first,
    in the order of the signature.
    """
    names = [name for name in inspect.signature(function).parameters if name not in excluded]
    options = SHARED | declared
    order = {name: position for position, name in enumerate(dict.fromkeys([*declared, *SHARED]))}
    first = [name for name in names if _is_argument(options[name])]
    parameters = inspect.signature(function).parameters
    return [
        _derive_option(parameters[name], options[name], function)
        for name in [*first, *sorted(set(names) - set(first), key=order.__getitem__)]
    ]


def _is_argument(option: Any) -> bool:
    """Return whether an entry of `SHARED` declares a positional argument."""
    return isinstance(get_args(option)[-1] if get_origin(option) is Annotated else option, ArgumentInfo)


def _derive_option(parameter: inspect.Parameter, option: Any, function: Callable[..., Any]) -> inspect.Parameter:
    if get_origin(option) is Annotated:
        kind, info = get_args(option)
    else:
        kind, info = _find_kind(parameter.annotation, inspect.unwrap(function)), option
    return complete_option(parameter, kind, info)


def complete_option(parameter: inspect.Parameter, kind: Any, info: ParameterInfo) -> inspect.Parameter:
    """Return the declaration of an option for Typer: `info` and what follows from the name, type and default."""
    name, default = parameter.name, parameter.default
    info, base = copy(info), next((each for each in get_args(kind) if each is not types.NoneType), kind)
    if info.metavar is None:
        info.metavar = name.upper() if isinstance(info, ArgumentInfo) else _METAVARS.get(base)
    if isinstance(info, OptionInfo) and base is bool and info.default is ... and not info.param_decls:
        info.param_decls = (f"--{name.replace('_', '-')}",)  # without --no-NAME
    if base in (int, float):
        _check_number(info, base, PARAMETERS.get(name), default)
    if isinstance(base, type) and issubclass(base, StrEnum):
        _check_choice(info, base)
        default = base(default) if isinstance(default, str) else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, info], default=default)


def _check_number(info: ParameterInfo, kind: type, known: Parameter | None, default: Any) -> None:
    """Replace Typer's check of a number with one whose message contains the value and the accepted range."""
    low, high = (-math.inf if info.min is None else info.min), (math.inf if info.max is None else info.max)
    accepted = Parameter(kind, low, high) if known is None else known

    def parse(value: Any) -> Any:
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not accepted.accepts(number):
            raise typer.BadParameter(f"got {value}; expected {accepted.describe(in_recipe=True)}.")
        return number

    text = describe_number(accepted.min, accepted.max, open_below=accepted.open_below, default=default)
    info.parser, info.min, info.max, info.show_default = parse, None, None, False
    info.help = f"{info.help}  {text}".rstrip()


def _check_choice(info: ParameterInfo, kind: type[StrEnum]) -> None:
    """Replace Typer's check of a choice with one whose message contains the value and the choices."""
    choices = [each.value for each in kind]

    def parse(value: Any) -> StrEnum:
        if value not in choices:
            raise typer.BadParameter(f"got {value}; expected {' or '.join(choices)}.")
        return kind(value)

    info.parser, info.metavar = parse, "|".join(choices)


def _find_kind(annotation: Any, function: Any) -> Any:
    """Return the type of an option for a parameter's annotation: `Path` for a path, the first type of other unions."""
    if isinstance(annotation, str):
        annotation = eval(annotation, function.__globals__)
    is_union = get_origin(annotation) in (Union, types.UnionType)
    alternatives = get_args(annotation) if is_union else (annotation,)
    if any(get_origin(each) is os.PathLike for each in alternatives):
        kind: Any = Path
    else:
        kind = next(each for each in alternatives if each is not types.NoneType)
    return kind | None if types.NoneType in alternatives else kind
