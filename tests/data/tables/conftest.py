"""Fixtures of the tests of tables."""

from .listed_images import flat  # noqa: F401
