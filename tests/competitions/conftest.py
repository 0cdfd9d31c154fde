"""Fixtures shared with the tests of data."""

from ..data_fixtures import cache, digits, make_competition, samples  # noqa: F401
