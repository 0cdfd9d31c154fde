"""`evaluate`: score a saved model on labelled data, without torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.commands.prediction_tables import MISTAKES_NAME, write_mistakes
from skconv.commands.scoring import (
    UnseenImages,
    check_has_score,
    choose_unseen,
    describe_images,
    load_for_model,
    make_sets,
    score_source,
)
from skconv.data.spec import DataOptions
from skconv.files import atomic_dir, check_new_folder
from skconv.progress import show_progress
from skconv.signature import expand_options
from skconv.text import format_percent

if TYPE_CHECKING:
    from skconv.reports.sections import ScoredSource

_MAX_CORRUPTED = 2000  # images; the accuracy then has a standard error of at most 1.1 %


@dataclass(frozen=True)
class EvaluationResult(Result):
    """Result of `evaluate`.

    Parameters
    ----------
    accuracy, low, high : float
        Accuracy, 0..1, with its 95 % interval.
    n : int
        Number of images scored.
    balanced_accuracy, macro_f1 : float
        Mean recall and mean F1 of the classes, 0..1.
    model, data : str
        The model folder and the name of the data.
    split : {"test", "unseen", "all"}
        Images scored. "unseen" and "all" are for data without a test split: "unseen" excludes the images that the model
        was trained on; "all" if there are none, or the model has no training fingerprints.
    n_seen : int or None
        Number of images that the model was trained on; they are scored in a test split, and excluded otherwise. None
        without training fingerprints.
    scores : dict
        All scores, as in ``scores.json``.
    text : str
        All scores as a table.
    sets : dict or None
        Prediction sets: requested coverage ``level``, measured ``coverage``, ``mean_set_size``, and ``empty``, the
        share of empty sets. None unless requested.
    corruptions : dict or None
        Accuracy at five severities per corruption; the key "mean" has the mean over all corruptions. None unless
        requested.
    unlike_training : float or None
        Fraction of the images with an out-of-distribution score above the threshold. None if the model has no score.
    against : dict or None
        Out-of-distribution detection: ``data``, ``split`` and ``n`` of the other images, the name of the ``score``, its
        ``auroc``, and ``unlike_training``, the fraction of these images above the threshold. None unless requested.
    """

    _optional: ClassVar[tuple[str, ...]] = ("sets", "corruptions", "unlike_training", "against")

    accuracy: float
    low: float
    high: float
    n: int
    balanced_accuracy: float
    macro_f1: float
    model: str
    data: str
    split: str
    n_seen: int | None
    scores: dict[str, Any]
    text: str
    sets: dict[str, float] | None = None
    corruptions: dict[str, list[float]] | None = None
    unlike_training: float | None = None
    against: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, without those that were not requested."""
        record = super().to_json()
        del record["text"]
        return record

    def __str__(self) -> str:
        images = describe_images(self.data, self.split, self.n, self.n_seen)
        lines = [f"{self.model} on {images}:", self.text]
        if self.sets is not None:
            level, coverage, empty = (format_percent(self.sets[name]) for name in ("level", "coverage", "empty"))
            lines += [
                "",
                f"Prediction sets for a coverage of {level}: {coverage} contain the true class, "
                f"{self.sets['mean_set_size']:.3f} classes on average, {empty} empty.",
            ]
        if self.unlike_training is not None:
            lines += ["", f"{format_percent(self.unlike_training)} of the images are unlike the training images."]
        if self.against is not None:
            lines += [
                "",
                f"Out-of-distribution detection of {self.against['n']:,} images of {self.against['data']}: AUROC "
                f"{self.against['auroc']:.4f}; {format_percent(self.against['unlike_training'])} of them are unlike "
                "the training images.",
            ]
        if self.corruptions is not None:
            width = max(map(len, self.corruptions))
            lines += ["", f"{'accuracy, %':<{width}}  " + "  ".join(f"{severity:>5}" for severity in range(1, 6))]
            for name, accuracies in self.corruptions.items():
                lines.append(f"{name:<{width}}  " + "  ".join(f"{100 * each:5.1f}" for each in accuracies))
        return "\n".join(lines)


@expand_options(DataOptions)
def evaluate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    coverage: float | None = None,
    corruptions: bool = False,
    against: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> EvaluationResult:
    """Score a model on the test split of `source` or, without one, on the images it was not trained on.

    Training images are recognised by fingerprints of their pixels, not by their file names.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    source : str or path-like
        As in `skconv.load_dataset`. Its class names must be among the model's, in any order; numbers
        are matched by value, as 16 and 00016.
    coverage : float or None, default=None
        Also measure prediction sets with this coverage, above 0 and below 1.
    corruptions : bool, default=False
        Also measure the accuracy under seventeen image corruptions, each at five severities.
    against : str, path-like or None, default=None
        Also measure out-of-distribution detection on this data, which should have other classes. Its images are
        selected as in `source`; its labels are ignored.
    report : path-like or None, default=None
        A new folder for ``scores.json``, ``mistakes.csv`` with the file or index of each wrongly classified image, and
        figures of mistakes, curves, calibration and corruptions.
    progress : bool, default=False
        Show progress bars on standard error.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.

    Returns
    -------
    EvaluationResult
        Accuracy with its 95 % interval, and all other scores.

    Raises
    ------
    ModelFileError
        If the model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DownloadError, UnknownNameError
        If the data cannot be found or downloaded.
    DataError
        If the images have another size, or classes that the model does not have. Or if the model was trained on more
        than 1 % of the test split, or on all images of data without one.
    ParameterError
        If `coverage` is out of range, or if the model has no held-out predictions for `coverage`, or no
        out-of-distribution score for `against`.
    OutputError
        If the folder of the report is not empty, or cannot be written.

    Warns
    -----
    UserWarning
        If the model was trained on a few images of the test split, or has no training fingerprints. If images are not
        scored because they equal training images. Or if the images were converted to greyscale or colour.
    """
    from skconv.evaluation.conformal import check_coverage
    from skconv.evaluation.score_table import format_scores
    from skconv.inference import OnnxClassifier

    if report is not None:
        from skconv.reports.style import check_matplotlib

        check_new_folder(report)
        check_matplotlib()
    if coverage is not None:
        check_coverage(coverage)
    check_model(model, "skconv evaluate RUN DATA", [source, against])
    if coverage is not None or against is not None:  # raise errors before the data is loaded
        classifier = OnnxClassifier(model)
        if against is not None:
            check_has_score(classifier)
        if coverage is not None:
            make_sets(classifier, np.empty((0, len(classifier.class_names))), coverage)
    scored = score_source(model, source, progress=progress, **data)
    others = None
    if against is not None:
        # The other options describe `source` only.
        shared: DataOptions = {"data_home": data.get("data_home"), "image_size": data.get("image_size")}
        loaded = load_for_model(scored.classifier, against, progress=progress, **shared)
        others = choose_unseen(scored.classifier, loaded)
    scores = scored.scores
    result = EvaluationResult(
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        balanced_accuracy=scores.balanced_accuracy,
        macro_f1=scores.macro_f1,
        model=str(model),
        data=scored.dataset.name,
        split=scored.split,
        n_seen=scored.n_seen,
        scores=scores.to_json(),
        text=format_scores(scores),
        sets=None if coverage is None else _measure_sets(scored, coverage),
        corruptions=_measure_corruptions(scored, progress=progress) if corruptions else None,
        unlike_training=scored.unlike_training,
        against=None if others is None else _measure_out_of_distribution(scored, others),
    )
    if report is not None:
        _write_report(report, scored, result)
    return result


def _measure_sets(scored: ScoredSource, coverage: float) -> dict[str, float]:
    """Return coverage and size of the prediction sets; see `EvaluationResult`."""
    sets = make_sets(scored.classifier, scored.probabilities, coverage)
    sizes = sets.sum(1)
    return {
        "level": coverage,
        "coverage": float(sets[np.arange(len(sets)), scored.labels].mean()),
        "mean_set_size": float(sizes.mean()),
        "empty": float((sizes == 0).mean()),
    }


def _measure_out_of_distribution(scored: ScoredSource, others: UnseenImages) -> dict[str, Any]:
    """Return the AUROC of the out-of-distribution score; see `EvaluationResult`."""
    from skconv.evaluation.ranking import measure_auroc

    classifier, inside = scored.classifier, scored.ood_scores
    outside = classifier.predict_with_ood(others.images)[1]
    assert classifier.config.ood is not None and inside is not None and outside is not None
    return {
        "data": others.dataset.name,
        "split": others.split,
        "n": len(others.images),
        "score": classifier.config.ood.method,
        "auroc": measure_auroc(inside, outside),
        "unlike_training": float((outside > classifier.config.ood.threshold).mean()),
    }


def _measure_corruptions(scored: ScoredSource, *, progress: bool) -> dict[str, list[float]]:
    """Return the accuracies by severity of each corruption, the highest mean first, and the mean over all corruptions.

    At most 2,000 images are used, evenly spaced.
    """
    from skconv.evaluation.corruptions import STRENGTHS, corrupt, list_corruptions

    step = max(1, -(-len(scored.labels) // _MAX_CORRUPTED))
    images, labels = np.ascontiguousarray(scored.images[::step]), scored.labels[::step]
    found: dict[str, list[float]] = {}
    kinds = list_corruptions()
    for name in show_progress(kinds, "corruptions", len(kinds), progress=progress):
        found[name] = [
            float((scored.classifier.predict_proba(corrupt(images, name, strength)).argmax(1) == labels).mean())
            for strength in STRENGTHS
        ]
    ordered = dict(sorted(found.items(), key=lambda item: -sum(item[1])))
    return ordered | {"mean": [float(each) for each in np.mean(list(found.values()), axis=0)]}


def _write_report(folder: str | os.PathLike[str], scored: ScoredSource, result: EvaluationResult) -> None:
    """Write ``scores.json``, ``mistakes.csv`` and figures to a new folder atomically."""
    from skconv.reports.class_curves import list_curve_figures
    from skconv.reports.image_grids import draw_mistakes
    from skconv.reports.scores import draw_confusion, draw_corruptions, draw_reliability
    from skconv.reports.style import save_figure

    names = scored.classifier.class_names
    with atomic_dir(folder) as unfinished:
        (unfinished / "scores.json").write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
        write_mistakes(unfinished / MISTAKES_NAME, scored.names, scored.labels, scored.probabilities, names)
        curves = list_curve_figures(scored.labels, scored.probabilities, names)
        figures = {
            "confusion": draw_confusion(scored.scores.confusion, names),
            "mistakes": draw_mistakes(scored.images, scored.labels, scored.probabilities, names),
            "confidence": draw_reliability(scored.labels, scored.probabilities),
            **{name: draw() for name, draw in curves.items()},
        }
        if result.corruptions is not None:
            corruptions = {name: each for name, each in result.corruptions.items() if name != "mean"}
            figures["corruptions"] = draw_corruptions(corruptions, result.accuracy)
        for name, figure in figures.items():
            save_figure(figure, unfinished / f"{name}.png")
