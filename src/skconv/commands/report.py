"""`report`: everything about a saved model on one page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.commands.evaluate import score_source
from skconv.evaluation.label_issues import TABLE_NAME, LabelIssue, NamedImages, locate_issues, read_issues
from skconv.exceptions import DataError, OutputError
from skconv.files import atomic_dir, atomic_write, check_new_folder

if TYPE_CHECKING:
    from skconv.reports.page import Section
    from skconv.reports.sections import ScoredSource

_PAGE = "report.html"  # in a folder with the figures
_FIGURES = "figures"
_SPLITS = {
    "test": "the test split of {}",
    "all": "all images of {}",
    "unseen": "the images of {} it was not trained on",
}


@dataclass(frozen=True)
class ReportResult:
    """What `report` wrote.

    Parameters
    ----------
    file : str
        The page.
    bytes : int
        Its size.
    accuracy, low, high : float
        Share of the images classified correctly, 0..1, with its 95 % interval.
    n : int
        Number of images.
    model, data : str
        The model and the name of the data.
    figures : str, default=""
        The folder of the figures apart, where they were asked for.
    """

    file: str
    bytes: int
    accuracy: float
    low: float
    high: float
    n: int
    model: str
    data: str
    figures: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        figures = f" Figures in {self.figures}." if self.figures else ""
        return (
            f"{self.model} on {self.data}: accuracy {self.accuracy:.2%} (95 % interval {self.low:.2%} to "
            f"{self.high:.2%}, n = {self.n}).\nReport in {self.file}, {self.bytes / 1e6:.1f} MB.{figures}"
        )


def report(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    audit: str | os.PathLike[str] | None = None,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
) -> ReportResult:
    """Write one HTML page about a model: what it was trained on, how good it is, what it mistakes and looks at.

    The page holds its figures and asks for nothing else, so that it can be sent to somebody as it is.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one; of a run the learning curves and the recipe are shown too.
    source : str or path-like
        The data to score it on, as in `skconv.evaluate`.
    out : path-like
        The HTML file to write, by a name that ends in ``.html``; an existing file is replaced in one step. By a name
        without ending, a new folder: ``report.html``, and each figure as PNG and SVG in ``figures``.
    audit : path-like or None, default=None
        A folder that `skconv.audit` wrote for the same data, to show its label issues. None takes ``audit`` in the
        run folder, if it exists.
    data_home, images, label_column, image_size, progress
        As in `skconv.evaluate`.

    Returns
    -------
    ReportResult
        The score, and the file with its size.

    Raises
    ------
    OutputError
        `out` is the name of another kind of file, or cannot be written; an existing file is as it was. Or it is a
        folder that is not empty.
    SourceNotFoundError, DownloadError, UnknownNameError, DataError, ModelFileError
        As in `skconv.evaluate`. Or there is no audit in the folder named, or it is of other data.

    Warns
    -----
    UserWarning
        As in `skconv.evaluate`. Or captum is not installed, and the page is without integrated gradients.
    """
    target = Path(out)
    is_page = _check_target(target)  # before minutes of work
    from skconv.reports.page import render_page
    from skconv.reports.sections import write_sections

    found = _find_audit(model) if audit is None else audit
    issues = None if found is None else read_issues(found)
    scored = score_source(
        model,
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    if issues is not None and not _fits(issues, scored, asked=audit is not None):
        issues = None
    scores, config = scored.scores, scored.classifier.config
    options = {
        "--out": out,
        "--audit": audit,
        "--images": images,
        "--label-column": label_column,
        "--image-size": None if image_size is None else "x".join(map(str, image_size)),
    }
    given = [part for name, value in options.items() if value is not None for part in (name, os.fspath(value))]
    command = shlex.join(["skconv", "report", os.fspath(model), os.fspath(source), *given])
    sections = write_sections(scored, command, issues)
    page = render_page(
        title=f"{config.network.name} on {scored.dataset.name}",
        headline=f"{100 * scores.accuracy:.2f} % accuracy",
        summary=(
            f"95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, measured on "
            f"{_SPLITS[scored.split].format(scored.dataset.name)}, {scores.n:,} images."
        ),
        sections=sections,
    )
    if is_page:
        with atomic_write(target) as beside:
            beside.write_text(page, encoding="utf-8")
    else:
        with atomic_dir(target) as unfinished:
            (unfinished / _PAGE).write_text(page, encoding="utf-8")
            _write_figures(unfinished / _FIGURES, sections)
    return ReportResult(
        file=str(target if is_page else target / _PAGE),
        bytes=len(page.encode()),
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        model=os.fspath(model),
        data=scored.dataset.name,
        figures="" if is_page else str(target / _FIGURES),
    )


def _check_target(target: Path) -> bool:
    """Return whether a page alone is asked for, not a folder; raise `OutputError` where neither can be written."""
    if target.suffix.lower() == ".html":
        if not target.absolute().parent.is_dir():
            raise OutputError(f"There is no folder {target.absolute().parent}. Make it first, or choose another.")
        return True
    if target.suffix:
        raise OutputError(
            f"The report is an HTML file, or a folder with its figures apart; got the name '{target}'. Choose one that "
            "ends in .html, or one without an ending."
        )
    check_new_folder(target)
    return False


def _find_audit(model: str | os.PathLike[str]) -> Path | None:
    """Return the folder of an audit inside the run folder of a model, if there is one."""
    from skconv.model_io.folder import find_model_folder

    folder = find_model_folder(model).parent / "audit"
    return folder if (folder / TABLE_NAME).is_file() else None


def _fits(issues: Sequence[LabelIssue], scored: ScoredSource, *, asked: bool) -> bool:
    """Return whether an audit is of the data scored; raise `DataError` where it is not and was asked for."""
    try:
        locate_issues(issues, NamedImages(scored.dataset))
    except DataError:
        if asked:
            raise
        return False  # what lies with the model is about the data it was trained on
    return True


def _write_figures(folder: Path, sections: Sequence[Section]) -> None:
    from skconv.reports.style import save_figure

    folder.mkdir()
    for section in sections:
        for each in section.figures:
            for kind in ("png", "svg"):
                save_figure(each.figure, folder / f"{each.name}.{kind}")
