"""The errors a user can meet; each also is the built-in error it specialises.

::

    SkconvError
    ├── DataError             (ValueError)         images, labels or a data file that cannot be used
    ├── SourceNotFoundError   (FileNotFoundError)  a data set that is in none of the places looked through
    ├── DownloadError         (OSError)            a download that failed or brought other bytes than expected
    ├── ParameterError        (ValueError)         a setting outside its range
    ├── UnknownNameError      (LookupError)        a network, recipe or data set nobody registered
    ├── TrainingError         (ArithmeticError)    a training run whose loss is no longer a number
    ├── ProcessLostError      (ConnectionError)    one of several processes of a training that is gone
    ├── RecipeError           (ValueError)         a recipe file that cannot be followed
    ├── ModelFileError        (ValueError)         a model folder that is incomplete, altered or refused
    ├── ClusterError          (OSError)            other machines that do not answer, differ, or are lost
    └── OutputError           (OSError)            a result that cannot be written

Every message says what came, what was expected and how to mend it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class SkconvError(Exception):
    """Base of every error that skconv raises on purpose."""


class DataError(SkconvError, ValueError):
    """Images, labels or a data file that cannot be used as they are."""


class SourceNotFoundError(SkconvError, FileNotFoundError):
    """A data set or file that is in none of the places looked through."""


class DownloadError(SkconvError, OSError):
    """A download that failed, or that brought other bytes than the catalog's checksum says."""


class ParameterError(SkconvError, ValueError):
    """A setting of the wrong kind or outside its range."""


def missing_package(need: str, package: str, extra: str) -> ParameterError:
    """Return the error of a part that needs a package of an extra; `need` begins the sentence, as "tune needs"."""
    return ParameterError(
        f"{need} the package {package}, which is not installed. Install it: pip install 'skconv[{extra}]'"
    )


def list_some(names: Sequence[str], most: int = 10) -> str:
    """Return the first of the names, at most so many, and how many more there are, as a part of a message.

    Examples
    --------
    >>> list_some(["cat", "dog"])
    'cat, dog'
    >>> list_some(list("abcdefg"), 5)
    'a, b, c, d, e and 2 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class UnknownNameError(SkconvError, LookupError):
    """A name nobody registered; the message suggests the nearest one.

    Parameters
    ----------
    kind : str
        What was looked for, as a reader would call it: ``"network"``, ``"recipe"``.
    name : str
        The name that came.
    available : iterable of str
        The names that exist.

    Examples
    --------
    >>> print(UnknownNameError("network", "fats", ["accurate", "fast"]))
    Unknown network 'fats'. Did you mean 'fast'? Available: accurate, fast.
    """

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        self.kind, self.name, self.available = kind, name, sorted(available)
        nearest = difflib.get_close_matches(name, self.available, n=1)
        suggestion = f" Did you mean '{nearest[0]}'?" if nearest else ""
        super().__init__(f"Unknown {kind} '{name}'.{suggestion} Available: {', '.join(self.available)}.")

    def __reduce__(self) -> tuple[type, tuple[str, str, list[str]]]:
        # Exceptions are rebuilt from self.args, the finished message, when they cross a process border.
        return type(self), (self.kind, self.name, self.available)


class TrainingError(SkconvError, ArithmeticError):
    """A training run whose loss is no longer a finite number."""


class ProcessLostError(SkconvError, ConnectionError):
    """One of the processes that train a model together was killed, or does not answer."""


class RecipeError(SkconvError, ValueError):
    """A recipe file that cannot be followed: unknown keys, wrong types, values out of range."""


class ModelFileError(SkconvError, ValueError):
    """A model folder that is incomplete, altered, of another format, or refused because it could run code."""


class ClusterError(SkconvError, OSError):
    """Other machines to train on that do not answer, have other versions, or are lost on the way."""


class OutputError(SkconvError, OSError):
    """A result that cannot be written: the folder exists, is not writable, or the disk is full."""
