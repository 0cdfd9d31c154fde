"""Fixtures of the tests of published files."""

from .published_files import cifar10  # noqa: F401
