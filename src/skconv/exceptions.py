"""Exceptions of skconv; each also derives from the built-in exception that it specialises.

::

    SkconvError
    ├── DataError             (ValueError)         invalid images, labels or data file
    ├── SourceNotFoundError   (FileNotFoundError)  a data set or file that was not found
    ├── DownloadError         (OSError)            a failed download, or a wrong checksum
    ├── ParameterError        (ValueError)         a parameter of the wrong type or out of range
    │   └── MissingPackageError (ValueError)       a package of an extra that is not installed
    ├── UnknownNameError      (LookupError)        a network, recipe or data set that is not registered
    ├── TrainingError         (ArithmeticError)    a loss that is not finite
    ├── ProcessLostError      (ConnectionError)    a lost process of a distributed run
    ├── RecipeError           (ValueError)         an invalid recipe file
    ├── ModelFileError        (ValueError)         an incomplete, altered or unsafe model folder
    ├── ClusterError          (OSError)            unreachable, incompatible or lost machines
    └── OutputError           (OSError)            a result that cannot be written

Each message states the actual value, the expected one, and how to fix the error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

# Packages that are imported by another name.
_PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "multipart": "python-multipart",
    "sklearn": "scikit-learn",
}


class SkconvError(Exception):
    """Base class of the exceptions that skconv raises."""


class DataError(SkconvError, ValueError):
    """Invalid images, labels or data file."""


class SourceNotFoundError(SkconvError, FileNotFoundError):
    """A data set or file that was not found in any of the places searched."""


class DownloadError(SkconvError, OSError):
    """A failed download, or a file whose checksum differs from the catalog's."""


class ParameterError(SkconvError, ValueError):
    """A parameter of the wrong type or out of range."""


class UnknownNameError(SkconvError, LookupError):
    """A name that is not registered; the message suggests the closest one.

    Parameters
    ----------
    kind : str
        Noun for the message: ``"network"``, ``"recipe"``.
    name : str
        The unknown name.
    available : iterable of str
        The registered names.
    hint : str, default=""
        Sentence at the end of the message.

    Examples
    --------
    >>> print(UnknownNameError("network", "fats", ["accurate", "fast"]))
    Unknown network 'fats'. Did you mean 'fast'? Available: accurate, fast.
    """

    def __init__(self, kind: str, name: str, available: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.available, self.hint = kind, name, sorted(available), hint
        closest = difflib.get_close_matches(name, self.available, n=1)
        suggestion = f" Did you mean '{closest[0]}'?" if closest else ""
        message = f"Unknown {kind} '{name}'.{suggestion} Available: {', '.join(self.available)}. {hint}"
        super().__init__(message.rstrip())

    def __reduce__(self) -> tuple[type, tuple[str, str, list[str], str]]:
        # Unpickling calls the class with self.args, which is the finished message.
        return type(self), (self.kind, self.name, self.available, self.hint)


class TrainingError(SkconvError, ArithmeticError):
    """A training loss that is not finite."""


class ProcessLostError(SkconvError, ConnectionError):
    """A process of a distributed run that was killed or does not respond."""


class RecipeError(SkconvError, ValueError):
    """An invalid recipe file: unknown keys, wrong types, values out of range."""


class ModelFileError(SkconvError, ValueError):
    """A model folder that is incomplete, altered, of another format, or unsafe because it could run code."""


class ClusterError(SkconvError, OSError):
    """Machines of a cluster that do not respond, have other package versions, or were lost."""


class OutputError(SkconvError, OSError):
    """A result that cannot be written: the folder exists, is not writable, or the disk is full."""


class MissingPackageError(ParameterError):
    """Raised for a feature whose package, part of an extra, is not installed."""


def missing_package(feature: str, package: str, extra: str = "") -> MissingPackageError:
    """Return the error for a feature whose package is not installed.

    Examples
    --------
    >>> print(missing_package("integrated gradients", "captum", "explain"))
    The package captum, required for integrated gradients, is not installed. Install it: pip install 'skconv[explain]'
    """
    name = f"'skconv[{extra}]'" if extra else "skconv"
    return MissingPackageError(
        f"The package {package}, required for {feature}, is not installed. Install it: pip install {name}"
    )


def find_missing_package(error: ImportError, feature: str) -> MissingPackageError | None:
    """Return the error for a feature whose import failed because a package that skconv requires is not installed.

    None if the import failed for another reason.
    """
    from importlib.metadata import requires  # the import takes 20 ms

    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    module = error.name.partition(".")[0]
    package = _PACKAGES.get(module, module.replace("_", "-"))
    for each in requires("skconv") or ():
        if re.match(r"[\w.-]+", each)[0].lower() == package:  # type: ignore[index]
            extra = re.search(r"extra == ['\"](\w+)", each)
            return missing_package(feature, package, extra[1] if extra else "")
    return None


def list_some(names: Sequence[str], max_names: int = 10) -> str:
    """Return the first names and the number of the others, as part of a message.

    Examples
    --------
    >>> list_some(["cat", "dog"])
    'cat, dog'
    >>> list_some(list("abcdefg"), 5)
    'a, b, c, d, e and 2 more'
    """
    n_more = len(names) - max_names
    return ", ".join(names[:max_names]) + (f" and {n_more} more" if n_more > 0 else "")
