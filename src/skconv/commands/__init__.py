"""Library commands, such as `train`: one module per command, with its function and its result record.

This file defines the base class of the result records, and their formatting of intervals.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from skconv.text import format_percent


@dataclass(frozen=True)
class Result:
    """Base class of command results: ``str(result)`` returns the text, `to_json` the JSON object."""

    # Fields that `to_json` omits if they are None.
    _optional: ClassVar[tuple[str, ...]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, without optional fields that are None."""
        fields = asdict(self)
        return {key: value for key, value in fields.items() if key not in self._optional or value is not None}

    def _repr_html_(self) -> str:
        """Return the result as HTML for notebooks."""
        from skconv.commands.notebook import render_result

        return render_result(self)


def format_interval(low: float, high: float, n: int) -> str:
    """Return a 95 % confidence interval of an accuracy with the number of images.

    Examples
    --------
    >>> format_interval(0.975, 0.99, 1000)
    '95 % interval 97.50 % to 99.00 %, n = 1000'
    """
    return f"95 % interval {format_percent(low)} to {format_percent(high)}, n = {n}"
