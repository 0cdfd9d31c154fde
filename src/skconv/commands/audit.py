"""`audit`: what is wrong with a data set, before a network learns it."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skconv.commands.train import check_whole_number, choose_seed
from skconv.evaluation.label_issues import KINDS, TABLE_NAME, LabelIssue, NamedImages, write_issues
from skconv.exceptions import SkconvError
from skconv.files import atomic_dir, check_new_folder
from skconv.progress import show_progress

_MAX_DRAWN = 100
_SHOWN = 10  # of a kind, as text


@dataclass(frozen=True)
class AuditResult:
    """What `audit` found.

    Parameters
    ----------
    data : str
        Name of the data.
    n : int
        Images looked at, of all splits.
    classes : dict of str to int
        Training images of each class.
    issues : tuple of LabelIssue
        By kind, of wrong labels the most probable first.
    folder : str
        Where the CSV and the contact sheets are; empty if none was asked for.
    """

    data: str
    n: int
    classes: dict[str, int]
    issues: tuple[LabelIssue, ...]
    folder: str = ""

    def count(self) -> dict[str, int]:
        """Return the number of issues of each kind."""
        return {kind: sum(each.kind == kind for each in self.issues) for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Return what was found as plain values."""
        return {
            "data": self.data,
            "n": self.n,
            "classes": self.classes,
            "counts": self.count(),
            "issues": [asdict(each) for each in self.issues],
        }

    def __str__(self) -> str:
        lines = [f"{self.data}: {self.n:,} images."]
        if self.classes:
            rarest, commonest = (choose(self.classes, key=self.classes.__getitem__) for choose in (min, max))
            least, most = self.classes[rarest], self.classes[commonest]
            spread = f"from {least:,} training images ({rarest}) to {most:,} ({commonest})"
            told = spread if least < most else f"each of {most:,} training images"
            lines.append(f"Classes: {len(self.classes)}, {told}.")
        for kind, number in self.count().items():
            if number:
                lines.append(f"{KINDS[kind].capitalize()} ({number:,}):")
                found = [each for each in self.issues if each.kind == kind]
                lines += [str(each) for each in found[:_SHOWN]]
                lines += [f"  … and {number - _SHOWN:,} more"] if number > _SHOWN else []
        if any(each.kind == "broken" for each in self.issues):
            lines.append("Nothing else was looked for: mend or remove these, and run it again.")
        if not self.issues:
            lines.append("No issues were found.")
        return "\n".join([*lines, f"The full list is in {self.folder}."] if self.folder else lines)


def audit(
    source: str | os.PathLike[str],
    *,
    recipe: str | os.PathLike[str] = "audit",
    folds: int = 5,
    out: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    device: str = "auto",
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
) -> AuditResult:
    """Look for broken and blank images, duplicates, images in both splits, and labels that are probably wrong.

    A label is judged by a network that was trained without the image: a k-fold ensemble is trained for that.
    Nothing is changed. Where images are broken, only they are told: the others cannot be read without them.

    Parameters
    ----------
    source : str or path-like
        What `skconv.load_dataset` takes.
    recipe : str or path-like, default="audit"
        How these networks are trained.
    folds : int, default=5
        Their number, 2..1000.
    out : path-like or None, default=None
        A new folder to write: ``issues.csv``, and a contact sheet of each kind as PNG.
    seed : int or None, default=None
        Of the folds and the networks; None takes the recipe's, 0 where it has none.
    device, data_home, images, label_column, image_size, progress
        As in `skconv.train`.

    Returns
    -------
    AuditResult
        All issues found.

    Raises
    ------
    SourceNotFoundError, DownloadError, DataError
        Data that cannot be found, fetched or used.
    ParameterError
        A setting out of range, or cleanlab is not installed.
    OutputError
        The folder exists and is not empty, or cannot be written.
    """
    from skconv.data.sources import load_dataset
    from skconv.evaluation.label_issues import find_blanks
    from skconv.recipes import load_recipe

    check_whole_number("folds", folds, 2, 1000)
    if out is not None:
        check_new_folder(out)
    plan = load_recipe(recipe)
    seed = choose_seed(seed, plan)
    files = _list_images(Path(source))
    broken = _find_broken(files, progress=progress)
    if broken:
        result = AuditResult(str(source), len(files), {}, tuple(broken), "" if out is None else str(out))
        if out is not None:
            _write(Path(out), result, np.empty(0), [])
        return result
    dataset = load_dataset(
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size or plan.image_size,
        normalize=plan.normalize,
        progress=progress,
    )
    every = NamedImages(dataset)
    blanks = find_blanks(every.images).tolist()
    found = [(LabelIssue("blank", every.name(each), every.label(each)), each) for each in blanks]
    found += _find_duplicates(every, set(blanks))
    counts = np.bincount(dataset.train_labels, minlength=len(dataset.class_names))
    folds = min(folds, int(counts.min()))
    if folds >= 2:
        member = plan.create_member(random_state=seed, device=device, verbose=int(progress))
        ensemble = plan.create_ensemble(member, folds=folds)
        ensemble.fit(dataset.train_images, dataset.train_labels)
        found += _find_wrong_labels(every, ensemble)
    else:
        warnings.warn("A class has a single image: labels cannot be judged, and were not looked at.", stacklevel=2)
    order = list(KINDS)
    found.sort(key=lambda item: order.index(item[0].kind))
    issues = tuple(issue for issue, _ in found)
    classes = {name: int(count) for name, count in zip(dataset.class_names, counts, strict=True)}
    result = AuditResult(dataset.name, len(every.labels), classes, issues, "" if out is None else str(out))
    if out is not None:
        _write(Path(out), result, every.images, [position for _, position in found])
    return result


def _list_images(source: Path) -> list[Path]:
    """Return the files of a folder whose names are of images; none where the source is no folder."""
    from skconv.data.folders import walk_files
    from skconv.images.opening import IMAGE_SUFFIXES

    return [file for file in walk_files(source) if file.suffix.lower() in IMAGE_SUFFIXES] if source.is_dir() else []


def _find_broken(files: list[Path], *, progress: bool) -> list[LabelIssue]:
    """Return the files that cannot be opened as images."""
    from skconv.images.opening import open_image
    from skconv.images.spec import map_in_threads

    def try_to_open(file: Path) -> str:
        try:
            open_image(file)
        except SkconvError as error:
            return str(error)
        return ""

    reasons = show_progress(map_in_threads(try_to_open, files), "opening", len(files), progress=progress)
    return [
        LabelIssue("broken", str(file), file.parent.name, other=reason)
        for file, reason in zip(files, reasons, strict=True)
        if reason
    ]


# An issue, and its position among all images.
_Found = list[tuple[LabelIssue, int]]


def _find_duplicates(every: NamedImages, blank: set[int]) -> _Found:
    """Return one issue for each image that equals one before it, or nearly does; blank ones are not compared."""
    from skconv.evaluation.label_issues import find_duplicates, find_near_duplicates

    exact = find_duplicates(every.images).tolist()
    copies = {copy for _, copy in exact}
    near = [pair for pair in find_near_duplicates(every.images).tolist() if not set(pair) & (blank | copies)]
    found = []
    for kind, pairs in (("duplicate", exact), ("near duplicate", near)):
        for one, other in pairs:
            if one in blank:
                continue
            across = one < every.n_train <= other
            differs = every.labels[one] != every.labels[other]
            told = f"{every.name(one)}{f', labelled {every.label(one)}' if differs else ''}"
            issue = LabelIssue("overlap" if across else kind, every.name(other), every.label(other), other=told)
            found.append((issue, other))
    return found


def _find_wrong_labels(every: NamedImages, ensemble: Any) -> _Found:
    from skconv.evaluation.label_issues import find_label_issues

    probabilities = ensemble.out_of_fold_proba_
    if every.dataset.test_images is not None:
        probabilities = np.concatenate([probabilities, ensemble.predict_proba(every.dataset.test_images)])
    found = []
    for position in find_label_issues(every.labels, probabilities).tolist():
        best = int(probabilities[position].argmax())
        issue = LabelIssue(
            "label",
            every.name(position),
            every.label(position),
            every.dataset.class_names[best],
            float(probabilities[position, best]),
        )
        found.append((issue, position))
    return found


def _write(folder: Path, result: AuditResult, images: np.ndarray, positions: list[int]) -> None:
    """Write the CSV and a contact sheet of each kind, as a whole or not at all."""
    from skconv.reports.image_grids import draw_issues
    from skconv.reports.style import save_figure

    with atomic_dir(folder) as unfinished:
        write_issues(unfinished / TABLE_NAME, result.issues)
        for kind in KINDS:
            chosen = [number for number, each in enumerate(result.issues) if each.kind == kind]
            if chosen and kind != "broken":  # there is nothing to draw
                issues = [result.issues[number] for number in chosen]
                figure = draw_issues(images, issues, [positions[number] for number in chosen], max_images=_MAX_DRAWN)
                save_figure(figure, unfinished / f"{kind.replace(' ', '_')}.png")
