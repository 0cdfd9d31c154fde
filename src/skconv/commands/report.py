"""`report`: write one HTML page about a saved model."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from skconv.commands import Result, format_interval
from skconv.commands.model_argument import check_model
from skconv.commands.scoring import describe_images, score_source
from skconv.data.spec import DataOptions
from skconv.evaluation.label_issues import TABLE_NAME, LabelIssue, NamedImages, locate_issues, read_issues
from skconv.exceptions import DataError, OutputError
from skconv.files import atomic_dir, atomic_write, check_new_file, check_new_folder, escape_undecodable
from skconv.signature import expand_options
from skconv.text import format_percent

if TYPE_CHECKING:
    from skconv.reports.page import Section
    from skconv.reports.sections import ScoredSource

_PAGE = "report.html"  # name of the page in a folder with separate figures
_FIGURES = "figures"


@dataclass(frozen=True)
class ReportResult(Result):
    """Result of `report`.

    Parameters
    ----------
    file : str
        Path of the page.
    bytes : int
        Size of the page.
    accuracy, low, high : float
        Accuracy, 0..1, with its 95 % interval.
    n : int
        Number of scored images.
    model, data : str
        Model folder and name of the data.
    split : {"test", "unseen", "all"}
        Images scored, as in `EvaluationResult`.
    n_seen : int or None
        Number of images that the model was trained on, as in `EvaluationResult`.
    figures : str, default=""
        Folder of the separate figures; empty if there are none.
    """

    file: str
    bytes: int
    accuracy: float
    low: float
    high: float
    n: int
    model: str
    data: str
    split: str
    n_seen: int | None
    figures: str = ""

    def __str__(self) -> str:
        figures = f" Figures in {self.figures}." if self.figures else ""
        images = describe_images(self.data, self.split, self.n, self.n_seen)
        return (
            f"{self.model} on {images}: accuracy {format_percent(self.accuracy)} "
            f"({format_interval(self.low, self.high, self.n)}).\n"
            f"Report in {self.file}, {self.bytes / 1e6:.1f} MB.{figures}"
        )


@expand_options(DataOptions)
def report(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    audit: str | os.PathLike[str] | None = None,
    against: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> ReportResult:
    """Write one HTML page about a model: training data, scores, mistakes, calibration, attributions, size and speed.

    The page is self-contained: it embeds its figures and loads no other files.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one; for a run the learning curves and the recipe are shown too.
    source : str or path-like
        Data to score the model on, as in `skconv.evaluate`.
    out : path-like
        HTML file to write or replace, with the suffix ``.html``. A name without suffix creates a folder with
        ``report.html``, and each figure as PNG and SVG in ``figures``.
    audit : path-like or None, default=None
        Folder written by `skconv.audit` for the same data, to show its label issues. None uses ``audit`` in the run
        folder, if it exists.
    against : path-like or None, default=None
        A model to compare with, as the first model of `skconv.compare`. The page then also has the differences of
        `model` minus this model, per class, and the images that both classify differently.
    progress : bool, default=False
        Show progress bars on standard error.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.

    Returns
    -------
    ReportResult
        Accuracy with its 95 % interval, and the path and size of the page.

    Raises
    ------
    OutputError
        If `out` has another suffix, is a folder that is not empty, or cannot be written; an existing file is unchanged.
    SourceNotFoundError, DownloadError, UnknownNameError, DataError, ModelFileError
        As in `skconv.evaluate`, and with `against` as in `skconv.compare`. Also if `audit` contains no audit, or an
        audit of other data.

    Warns
    -----
    UserWarning
        As in `skconv.evaluate`, and with `against` as in `skconv.compare`. Also if captum is not installed; the page
        omits integrated gradients then.
    """
    target = Path(out)
    is_page = _check_target(target)  # raises before the scoring, which takes minutes
    check_model(model, "skconv report RUN DATA --out FILE.html", [source])
    if against is not None:
        check_model(against, "skconv report RUN DATA --against RUN --out FILE.html")
    from skconv.reports.page import render_page
    from skconv.reports.sections import write_sections
    from skconv.reports.style import check_matplotlib

    check_matplotlib()
    found = _find_audit(model) if audit is None else audit
    issues = None if found is None else read_issues(found)
    scored, comparison = _score(model, against, source, progress=progress, **data)
    if issues is not None and not _matches(issues, scored, requested=audit is not None):
        issues = None
    scores, config = scored.scores, scored.classifier.config
    images = describe_images(scored.dataset.name, scored.split, scores.n, scored.n_seen)
    options = {**data, "data_home": None}  # specific to the machine
    command = _describe_command(model, source, out=out, audit=audit, against=against, **options)
    sections = write_sections(scored, command, issues, comparison, progress=progress)
    page = render_page(
        title=f"{config.network.name} on {scored.dataset.name}",
        headline=f"{100 * scores.accuracy:.2f} % accuracy",
        summary=(
            f"95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, measured on "
            f"{images}, n = {scores.n:,}."
        ),
        sections=sections,
    )
    page = escape_undecodable(page)  # names of files
    _write_page(page, sections, target, is_page=is_page)
    return ReportResult(
        file=str(target if is_page else target / _PAGE),
        bytes=len(page.encode()),
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        model=os.fspath(model),
        data=scored.dataset.name,
        split=scored.split,
        n_seen=scored.n_seen,
        figures="" if is_page else str(target / _FIGURES),
    )


def _write_page(page: str, sections: Sequence[Section], target: Path, *, is_page: bool) -> None:
    """Write a page to a file, or to a folder with the figures of its sections beside it."""
    from skconv.reports.style import save_figure

    if is_page:
        with atomic_write(target) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
        return
    with atomic_dir(target) as unfinished:
        (unfinished / _PAGE).write_text(page, encoding="utf-8")
        (unfinished / _FIGURES).mkdir()
        for each in (figure for section in sections for figure in section.figures):
            for suffix in ("png", "svg"):
                save_figure(each.figure, unfinished / _FIGURES / f"{each.name}.{suffix}")


def _score(
    model: str | os.PathLike[str],
    against: str | os.PathLike[str] | None,
    source: str | os.PathLike[str],
    *,
    progress: bool,
    **data: Unpack[DataOptions],
) -> tuple[ScoredSource, list[Section]]:
    """Return the scored model, and the sections of its comparison with the model `against`, if it is not None."""
    if against is None:
        return score_source(model, source, progress=progress, **data), []
    from skconv.commands.compare import compare_scored, score_pair
    from skconv.reports.comparison import show_comparison

    pair = score_pair(against, model, source, progress=progress, **data)
    result = compare_scored((os.fspath(against), os.fspath(model)), pair)
    text = (
        f"First: {against}, second: {model}, on {result.describe_images()}. {result.verdict} "
        f"{result.list_disagreements()}"
    )
    return pair[1], show_comparison(result, text, result.list_scores(), result.differences)


def _describe_command(*arguments: str | os.PathLike[str], **options: Any) -> str:
    """Return the command line that reproduces the report, without options that are None."""
    words = ["skconv", "report", *(os.fspath(each) for each in arguments)]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif name == "image_size" and value is not None:
            words += [option, "x".join(map(str, [value] if isinstance(value, int) else value))]
        elif value not in (None, False):
            for each in value if isinstance(value, list | tuple) else [value]:
                words += [option, os.fspath(each) if isinstance(each, os.PathLike) else str(each)]
    return escape_undecodable(shlex.join(words))


def _check_target(target: Path) -> bool:
    """Return whether `target` is a page rather than a folder; raise `OutputError` if neither can be written."""
    if target.suffix.lower() == ".html":
        check_new_file(target)
        return True
    if target.suffix:
        raise OutputError(
            f"out is '{target}'; expected a name that ends in .html, or the name of a folder for separate figures, "
            "without suffix. Choose another name."
        )
    check_new_folder(target)
    return False


def _find_audit(model: str | os.PathLike[str]) -> Path | None:
    """Return the audit in the run folder of a model, if there is one."""
    from skconv.model_io.folder import find_model_folder

    folder = find_model_folder(model).parent / "audit"
    return folder if (folder / TABLE_NAME).is_file() else None


def _matches(issues: Sequence[LabelIssue], scored: ScoredSource, *, requested: bool) -> bool:
    """Return whether an audit describes the scored data; raise `DataError` if a requested audit does not."""
    try:
        locate_issues(issues, NamedImages(scored.dataset))
    except DataError:
        if requested:
            raise
        return False  # `skconv.audit` of the training data wrote the audit in the run folder
    return True
