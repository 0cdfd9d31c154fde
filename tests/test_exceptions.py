"""The error tree: what it says and what it is."""

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
def test_error_is_also_the_builtin_that_the_tree_names(error):
    builtin = re.search(rf"{error.__name__}\s+\((\w+)\)", exceptions.__doc__)
    assert builtin, f"{error.__name__} is not drawn in the module's tree"
    assert builtin[1] in {base.__name__ for base in error.__mro__}


def test_unknown_name_suggests_the_nearest_and_lists_the_rest():
    message = str(UnknownNameError("recipe", "fats", ["standard", "fast"]))
    assert message == "Unknown recipe 'fats'. Did you mean 'fast'? Available: fast, standard."


def test_unknown_name_suggests_nothing_where_nothing_is_near():
    assert "Did you mean" not in str(UnknownNameError("network", "zzz", ["fast"]))


def test_unknown_name_survives_a_process_border():
    error = pickle.loads(pickle.dumps(UnknownNameError("network", "fats", ["fast"])))
    assert str(error) == "Unknown network 'fats'. Did you mean 'fast'? Available: fast."
