"""`audit`: find label issues, duplicates, and blank or unreadable images in a data set."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from skconv.commands import Result
from skconv.commands.options import DEFAULTS, TrainingOptions, select_changes
from skconv.commands.prepare import check_integer, choose_seed, fit_estimator, note_groups
from skconv.data.splitting import count_different
from skconv.evaluation.label_issues import KINDS, TABLE_NAME, LabelIssue, NamedImages, write_issues
from skconv.exceptions import SkconvError
from skconv.files import atomic_dir, check_new_folder
from skconv.progress import is_interactive, show_progress
from skconv.signature import expand_options
from skconv.text import format_count, format_percent

_MAX_DRAWN = 100
_MAX_PRINTED = 10  # per kind
_MIN_ACCURACY = 0.9  # out-of-fold; below it, many label issues are mistakes of the networks
_MIN_SIDE = 64  # pixels; a lower resolution of large JPEG files is faster to check


# Issues, and the indices of their images among all images.
_Found = list[tuple[LabelIssue, int]]


@dataclass(frozen=True)
class AuditResult(Result):
    """Result of `audit`.

    Parameters
    ----------
    data : str
        Name of the data.
    n : int
        Number of images, of all splits.
    classes : dict of str to int
        Number of training images per class.
    issues : tuple of LabelIssue
        Issues sorted by kind; label issues by descending confidence of the suggested label.
    folder : str, default=""
        Folder of the CSV file and the contact sheets; empty if `out` is None.
    """

    data: str
    n: int
    classes: dict[str, int]
    issues: tuple[LabelIssue, ...]
    folder: str = ""

    def count(self) -> dict[str, int]:
        """Return the number of issues per kind."""
        return {kind: sum(each.kind == kind for each in self.issues) for kind in KINDS}

    def to_json(self) -> dict[str, Any]:
        """Return the issues and their counts as plain values."""
        return {
            "data": self.data,
            "n": self.n,
            "classes": self.classes,
            "counts": self.count(),
            "issues": [asdict(each) for each in self.issues],
        }

    def __str__(self) -> str:
        lines = [f"{self.data}: {format_count(self.n, 'image')}."]
        if self.classes:
            rarest, commonest = (choose(self.classes, key=self.classes.__getitem__) for choose in (min, max))
            low, high = self.classes[rarest], self.classes[commonest]
            spread = f"from {low:,} training images ({rarest}) to {high:,} ({commonest})"
            sizes = spread if low < high else f"{high:,} training images each"
            lines.append(f"Classes: {len(self.classes)}, {sizes}.")
        for kind, number in self.count().items():
            if number:
                lines.append(f"{KINDS[kind].capitalize()} ({number:,}):")
                found = [each for each in self.issues if each.kind == kind]
                lines += [str(each) for each in found[:_MAX_PRINTED]]
                lines += [f"  … and {number - _MAX_PRINTED:,} more"] if number > _MAX_PRINTED else []
        if self.issues and not self.classes:
            lines.append("No other checks were made: fix or remove these images, or pass --skip-unreadable.")
        if not self.issues:
            lines.append("No issues were found.")
        return "\n".join([*lines, f"The full list is in {self.folder}."] if self.folder else lines)


@expand_options(TrainingOptions, {**DEFAULTS, "recipe": "audit"})
def audit(
    source: str | os.PathLike[str],
    *,
    folds: int = 5,
    **options: Unpack[TrainingOptions],
) -> AuditResult:
    """Find label issues, duplicates, images in several splits, and blank or unreadable images.

    Labels are checked against out-of-fold predictions of a k-fold ensemble, which this function trains. The data is
    not changed. If there are unreadable images, only these are reported, because the data cannot be loaded.

    Parameters
    ----------
    source : str or path-like
        As in `skconv.load_dataset`.
    recipe : str or path-like, default="audit"
        Recipe of the ensemble's members. With a pretrained network, images with similar features are near duplicates,
        too: cropped, flipped or brightened copies.
    folds : int, default=5
        Number of members, 2..1000.
    out : path-like or None, default=None
        A new folder for ``issues.csv`` and a contact sheet per kind as PNG.
    seed : int or None, default=None
        Seed of the folds and the members; None uses the recipe's seed, or 0.
    network, epochs, batch_size, learning_rate, time_limit, threads, settings, device, progress
        As in `skconv.train`.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.

    Returns
    -------
    AuditResult
        All issues found.

    Raises
    ------
    SourceNotFoundError, DownloadError, DataError
        If the data cannot be found, downloaded or used.
    ParameterError
        If a setting is out of range, or cleanlab is not installed.
    OutputError
        If the folder is not empty, or cannot be written.

    Warns
    -----
    UserWarning
        If a class has a single image, so that labels cannot be checked, or fewer images than `folds`. Or if the
        networks that check the labels have an out-of-fold accuracy below 90 %, so that many correct labels are
        reported.
    """
    from skconv.data.folder_tree import read_tree
    from skconv.evaluation.label_issues import find_blanks
    from skconv.recipes import load_recipe
    from skconv.recipes.editing import plan_run

    check_integer("folds", folds, 2, 1000)
    out = options["out"]
    progress = is_interactive() if options["progress"] is None else options["progress"]
    if out is not None:
        check_new_folder(out)
    recipe = plan_run(load_recipe(options["recipe"] or "audit"), source=source, **select_changes(options))
    seed = choose_seed(options["seed"], recipe)
    folder = "" if out is None else str(out)
    is_folder = Path(source).is_dir() and not recipe.data.is_named  # a folder may have the name of a data set
    files = read_tree(Path(source), recipe.data.exclude or ())[0].list_images() if is_folder else []
    broken = _find_broken(files, progress=progress)
    if broken and not recipe.data.skip_unreadable:
        result = AuditResult(str(source), len(files), {}, tuple(broken), folder)
        if out is not None:
            _write_folder(Path(out), result, np.empty(0), [])
        return result
    dataset = recipe.data.load(progress=progress)
    if dataset.groups is not None:
        dataset = note_groups(dataset)
    every = NamedImages(dataset)
    blanks = find_blanks(every.images).tolist()
    found = [(issue, -1) for issue in broken]  # -1: the file is not among the loaded images
    found += [(LabelIssue("blank", every.name(each), every.label(each)), each) for each in blanks]
    found += _find_duplicates(every, set(blanks), _compute_features(every, recipe, progress=progress))
    found += _check_labels(every, recipe, folds, seed=seed, device=options["device"], verbose=int(progress))
    counts = np.bincount(dataset.train_labels, minlength=len(dataset.class_names))
    order = list(KINDS)
    found.sort(key=lambda item: order.index(item[0].kind))
    issues = tuple(issue for issue, _ in found)
    classes = {name: int(count) for name, count in zip(dataset.class_names, counts, strict=True)}
    result = AuditResult(dataset.name, len(every.labels), classes, issues, folder)
    if out is not None:
        _write_folder(Path(out), result, every.images, [position for _, position in found])
    return result


def _check_labels(every: NamedImages, recipe: Any, folds: int, *, seed: int, device: str, verbose: int) -> _Found:
    """Return an issue per label that contradicts the out-of-fold predictions; warn if they are few or inaccurate."""
    dataset = every.dataset
    counts = count_different(dataset)
    rarest, n_rarest = dataset.class_names[int(counts.argmin())], int(counts.min())
    if n_rarest < 2:
        warnings.warn(
            f"Labels are not checked: class '{rarest}' has {format_count(n_rarest, 'different training image')}; "
            "cross-validation needs at least 2 of each class. Add images, or leave the class out with "
            "--min-class-size or --drop-class.",
            stacklevel=3,
        )
        return []
    if n_rarest < folds:
        warnings.warn(
            f"{n_rarest} folds instead of {folds} are used, because class '{rarest}' has "
            f"{n_rarest} different training images.",
            stacklevel=3,
        )
    member = recipe.create_member(random_state=seed, device=device, verbose=verbose)
    ensemble = recipe.create_ensemble(member, dataset, folds=min(folds, n_rarest)).set_params(calibrate=False)
    fit_estimator(ensemble, dataset)
    if ensemble.out_of_fold_score_ < _MIN_ACCURACY:
        warnings.warn(
            f"The networks that check the labels predict only {format_percent(ensemble.out_of_fold_score_)} of the "
            "images that they were not trained on correctly. Many of the reported labels may be correct. Pass a "
            "recipe that is more accurate for these images, such as --recipe standard, natural or pretrained "
            "(photos), or more --epochs.",
            stacklevel=3,
        )
    return _find_wrong_labels(every, ensemble)


def _find_broken(files: list[Path], *, progress: bool) -> list[LabelIssue]:
    """Return an issue per file that cannot be opened as an image."""
    from skconv.images.opening import open_image
    from skconv.images.spec import map_in_threads

    def find_error(file: Path) -> str:
        try:
            open_image(file, shortest=_MIN_SIDE)
        except SkconvError as error:
            return str(error)
        return ""

    errors = show_progress(map_in_threads(find_error, files), "opening", len(files), progress=progress)
    return [
        LabelIssue("broken", str(file), file.parent.name, other=error)
        for file, error in zip(files, errors, strict=True)
        if error
    ]


def _compute_features(every: NamedImages, recipe: Any, *, progress: bool) -> np.ndarray | None:
    """Return the features of all images, float32 (n, d), if the recipe has a pretrained network; None otherwise."""
    from skconv.estimators.pretrained_features import compute_features, load_network
    from skconv.networks.spec import NetworkSpec

    network = load_network(NetworkSpec.from_recipe(recipe.network), every.images)
    return None if network is None else compute_features(network, every.images, progress=progress)


def _find_duplicates(every: NamedImages, blank: set[int], features: np.ndarray | None) -> _Found:
    """Return an issue per exact or near duplicate of an earlier image; blank images are not compared.

    With `features` of a pretrained network, (n, d), images that were cropped or flipped are near duplicates, too.
    """
    from skconv.evaluation.label_issues import find_duplicates, find_near_duplicates, find_similar

    exact = find_duplicates(every.images).tolist()
    copies = {copy for _, copy in exact}
    similar = {tuple(pair) for pair in find_near_duplicates(every.images).tolist()}
    if features is not None:
        similar |= {tuple(pair) for pair in find_similar(features).tolist()}
    near = [pair for pair in sorted(similar) if not set(pair) & (blank | copies)]
    found = []
    for kind, pairs in (("duplicate", exact), ("near duplicate", near)):
        for first, other in pairs:
            if first in blank:
                continue
            across = first < every.n_train <= other
            differs = every.labels[first] != every.labels[other]
            original = f"{every.name(first)}{f', labelled {every.label(first)}' if differs else ''}"
            issue = LabelIssue("overlap" if across else kind, every.name(other), every.label(other), other=original)
            found.append((issue, other))
    return found


def _find_wrong_labels(every: NamedImages, ensemble: Any) -> _Found:
    from skconv.evaluation.label_issues import find_label_issues

    probabilities = ensemble.out_of_fold_proba_
    if len(every.images) > every.n_train:
        probabilities = np.concatenate([probabilities, ensemble.predict_proba(every.images[every.n_train :])])
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


def _write_folder(folder: Path, result: AuditResult, images: np.ndarray, positions: list[int]) -> None:
    """Write the CSV file and a contact sheet per kind atomically."""
    from skconv.reports.image_grids import draw_issues
    from skconv.reports.style import save_figure

    with atomic_dir(folder) as unfinished:
        write_issues(unfinished / TABLE_NAME, result.issues)
        for kind in KINDS:
            selected = [number for number, each in enumerate(result.issues) if each.kind == kind]
            if selected and kind != "broken":
                issues = [result.issues[number] for number in selected]
                figure = draw_issues(images, issues, [positions[number] for number in selected], max_images=_MAX_DRAWN)
                save_figure(figure, unfinished / f"{kind.replace(' ', '_')}.png")
