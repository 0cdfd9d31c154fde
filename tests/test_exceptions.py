"""Exceptions: built-in base classes and messages."""

import pickle
import re

import pytest

from skconv import exceptions
from skconv.exceptions import SkconvError, UnknownNameError

ERRORS = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, SkconvError) and value is not SkconvError
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_error_derives_from_the_documented_builtin(error):
    builtin = re.search(rf"{error.__name__}\s+\((\w+)\)", exceptions.__doc__)
    assert builtin, f"{error.__name__} is missing in the module's docstring"
    assert builtin[1] in {base.__name__ for base in error.__mro__}


def test_unknown_name_suggests_the_closest_and_lists_all():
    message = str(UnknownNameError("recipe", "fats", ["standard", "fast"]))
    assert message == "Unknown recipe 'fats'. Did you mean 'fast'? Available: fast, standard."


def test_unknown_name_without_close_match_suggests_nothing():
    assert "Did you mean" not in str(UnknownNameError("network", "zzz", ["fast"]))


def test_unknown_name_can_be_pickled():
    error = pickle.loads(pickle.dumps(UnknownNameError("network", "fats", ["fast"])))
    assert str(error) == "Unknown network 'fats'. Did you mean 'fast'? Available: fast."
