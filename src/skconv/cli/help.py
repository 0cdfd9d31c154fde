"""Help of the commands: names of arguments, ranges of numbers, the example."""

from __future__ import annotations

import math
from typing import Any

from typer.core import TyperCommand

_MAX_SHOWN = 1e9  # larger limits, such as that of a seed, are not shown


class HelpCommand(TyperCommand):
    """Command whose help names the arguments in the usual form, ``MODEL INPUTS...``; the example is on one line."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        pieces = [self.options_metavar or ""]
        for argument in self._list_arguments(ctx):
            name = self._name(argument)
            pieces.append(name if argument.required else f"[{name}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the descriptions of arguments and options."""
        arguments = [(self._name(each), each.help or "") for each in self._list_arguments(ctx)]
        options = [each.get_help_record(ctx) for each in self.get_params(ctx) if each.param_type_name == "option"]
        for title, rows in (("Arguments", arguments), ("Options", [row for row in options if row is not None])):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example without line breaks, so that it can be copied."""
        if self.epilog:
            formatter.write(f"\n  {self.epilog}\n")

    def _list_arguments(self, ctx: Any) -> list[Any]:
        return [each for each in self.get_params(ctx) if each.param_type_name == "argument"]

    @staticmethod
    def _name(argument: Any) -> str:
        return f"{argument.metavar}{'' if argument.nargs == 1 else '...'}"


def describe_number(low: float, high: float, *, open_below: bool, default: float | None) -> str:
    """Return default and range of a number for the help of an option, or "".

    Examples
    --------
    >>> describe_number(1, 1000, open_below=False, default=5)
    '[default: 5; 1 to 1000]'
    >>> describe_number(0, math.inf, open_below=True, default=None)
    '[above 0]'
    """
    parts = [] if default is None else [f"default: {default:g}"]
    has_low, has_high = low > -_MAX_SHOWN, high < _MAX_SHOWN
    if has_low and has_high:
        parts.append(f"{'above ' if open_below else ''}{low:g} to {high:g}")
    elif has_low and high == math.inf:
        parts.append(f"{'above' if open_below else 'at least'} {low:g}")
    return f"[{'; '.join(parts)}]" if parts else ""
