"""The Typer application: every verb, registered once."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli import (
    audit,
    cross_validate,
    data,
    ensemble,
    evaluate,
    explain,
    networks,
    predict,
    read,
    recipes,
    report,
    serve,
    train,
    tune,
)
from skconv.exceptions import ParameterError
from skconv.training.distributed import is_one_of_several

# Rich would triple the time of --help, and the traceback is ours to show or not.
app = typer.Typer(
    name="skconv",
    help="Train, check and use convolutional networks for small pictures.",
    epilog="Example: skconv train mnist --recipe fast",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

_VERBS = (
    train,
    tune,
    ensemble,
    cross_validate,
    evaluate,
    predict,
    read,
    serve,
    report,
    audit,
    explain,
    data,
    networks,
    recipes,
)
for _module in _VERBS:
    app.command(epilog=_module.EXAMPLE)(getattr(_module, _module.__name__.rpartition(".")[2]))


def _show_version(value: bool) -> None:
    if value:
        import skconv

        typer.echo(f"skconv {skconv.__version__}")
        raise typer.Exit


@app.callback()
def _application(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Train, check and use convolutional networks for small pictures."""
    verb = context.invoked_subcommand
    if is_one_of_several() and verb != "train":
        raise ParameterError(f"Several processes can train together, and nothing else. Run {verb} without torchrun.")
