"""`create_app`: the Typer application, with every command or with the one that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from skconv.distributed.process_group import check_alone

# Each is a file of this folder and a function in it.
VERBS = (
    "train",
    "tune",
    "ensemble",
    "cross_validate",
    "evaluate",
    "predict",
    "read",
    "serve",
    "report",
    "audit",
    "explain",
    "export",
    "data",
    "networks",
    "recipes",
)


def create_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the application for a command line.

    Parameters
    ----------
    arguments : sequence of str, default=()
        What the user wrote. Where it begins with a command, only that one is there: Typer works on the types of every
        command's arguments, which takes as long as a prediction.

    Examples
    --------
    >>> len(create_app(["predict", "digits"]).registered_commands)
    1
    """
    # Rich would triple the time of --help, and the traceback is ours to show or not.
    app = typer.Typer(
        name="skconv",
        help="Train, check and use convolutional networks for small images.",
        epilog="Example: skconv train mnist --recipe fast",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_application)
    asked = [command for command in VERBS if [command.replace("_", "-")] == list(arguments[:1])]
    for command in asked or VERBS:
        module = import_module(f"skconv.cli.{command}")
        app.command(epilog=module.EXAMPLE)(getattr(module, command))
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
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Train, check and use convolutional networks for small images."""
    command = context.invoked_subcommand
    if command != "train":
        check_alone(str(command))
