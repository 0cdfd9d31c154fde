"""Typer application: all commands, or only the one that is run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from skconv.distributed.process_group import check_not_distributed

# Each is a module of this package with a function of the same name.
COMMANDS = (
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
        The command line. If it begins with a command, the application has that command only: Typer inspects the
        signature of every command it has, which takes as long as a prediction.

    Examples
    --------
    >>> len(create_app(["predict", "digits"]).registered_commands)
    1
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
        module = import_module(f"skconv.cli.{name}")
        app.command(epilog=f"Example: {module.EXAMPLE}")(getattr(module, name))
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
    command = context.invoked_subcommand
    if command != "train":
        check_not_distributed(str(command))
