"""`check_figure_name`: refuse, before any work, a name that a drawn figure cannot have."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from skconv.exceptions import OutputError


def check_figure_name(out: str | os.PathLike[str], images: Iterable[str | os.PathLike[str]]) -> None:
    """Raise `OutputError` unless `out` ends in .png and is none of the images it is drawn from."""
    target = Path(out)
    if target.suffix.lower() != ".png":
        raise OutputError(f"The figure is a PNG file; got the name '{target}'. Choose one that ends in .png.")
    if target.exists() and any(Path(each).exists() and target.samefile(each) for each in images):
        raise OutputError(f"{target} is an image to look at, which the figure would replace. Choose another name.")
