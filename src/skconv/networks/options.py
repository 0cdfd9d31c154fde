"""Check of the options of networks."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from skconv.exceptions import ParameterError


def check_option(name: str, value: Any, minimum: float, maximum: float, *, integer: bool = False) -> None:
    """Raise `ParameterError` unless a network's option is a number, or with `integer` an integer, in the range."""
    valid = isinstance(value, Integral if integer else Real) and not isinstance(value, bool)
    if not (valid and minimum <= float(value) <= maximum):
        number = "an integer" if integer else "a number"
        raise ParameterError(
            f"The network's option '{name}' is {value!r}; expected {number} from {minimum:g} to {maximum:g}."
        )
