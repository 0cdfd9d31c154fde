"""Sections of the report page: scores, mistakes, label issues, calibration, explanations, speed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skconv.evaluation.attributions import has_captum, integrate_gradients, occlude
from skconv.evaluation.label_issues import KINDS, LabelIssue, NamedImages, locate_issues
from skconv.evaluation.metrics import MISTAKE_COLUMNS, list_mistakes
from skconv.evaluation.score_table import ScoreRow, list_agreement, list_ranking
from skconv.model_io.config import describe_environment
from skconv.model_io.folder import HELD_OUT_NAME, ONNX_NAME, WEIGHTS_NAME
from skconv.progress import show_progress
from skconv.reports import training_sections
from skconv.reports.activations import draw_activations
from skconv.reports.class_curves import list_curve_figures
from skconv.reports.image_grids import draw_attributions, draw_issues, draw_mistakes, draw_samples
from skconv.reports.page import PageFigure, PageTable, Section
from skconv.reports.scores import draw_confusion, draw_reliability
from skconv.text import format_percent

if TYPE_CHECKING:
    from torch import nn

    from skconv.data.dataset import Dataset
    from skconv.evaluation.metrics import Scores
    from skconv.inference import OnnxClassifier

_MAX_EXPLAINED = 9  # maximum number of predictions with attribution maps
_MAX_MISTAKES = 20  # maximum number of rows in the table of mistakes
_MAX_ISSUES = 20  # maximum number of drawn issues per kind
_TIMED = 30  # number of single predictions for the median time
_BATCH = 256  # batch size for measuring the time per image


@dataclass(frozen=True, eq=False)
class ScoredSource:
    """Predictions and scores of a saved model on a data set; `split` and `n_seen` are those of `EvaluationResult`."""

    classifier: OnnxClassifier
    dataset: Dataset  # including images that were not scored
    split: str  # the scored images: "test", "unseen" or "all"
    n_seen: int | None
    images: np.ndarray  # the scored images, uint8 (n, h, w) or (n, h, w, 3)
    labels: np.ndarray  # indices into the classes of the model, int (n,)
    names: list[str]  # of the scored images: files, or splits and indices
    positions: np.ndarray  # of the scored images among those of the split or source, int (n,)
    probabilities: np.ndarray  # float32 (n, k)
    ood_scores: np.ndarray | None  # float32 (n,); None if the model has no out-of-distribution score
    scores: Scores

    @property
    def unlike_training(self) -> float | None:
        """Fraction of the images that are unlike the training images, or None if the model has no score."""
        threshold = self.classifier.ood_threshold
        return None if self.ood_scores is None else float((self.ood_scores > threshold).mean())


def write_sections(
    scored: ScoredSource,
    command: str,
    issues: Sequence[LabelIssue] | None,
    comparison: Sequence[Section] = (),
    *,
    progress: bool = False,
) -> list[Section]:
    """Return all sections of the report page.

    `command` is the command line that writes the page. `issues` are the results of an audit of the data, or None
    without an audit. `comparison` are the sections on another model.
    """
    from skconv.estimators.persistence import load_network, uses_own_code

    classifier, scores, dataset = scored.classifier, scored.scores, scored.dataset
    names = classifier.class_names
    samples = draw_samples(dataset.train_images, dataset.train_labels, dataset.class_names)
    confusion = draw_confusion(scores.confusion, names)
    mistakes = draw_mistakes(scored.images, scored.labels, scored.probabilities, names)
    n_wrong = scores.n - int(np.trace(scores.confusion))
    network = None if uses_own_code(classifier.config) else load_network(classifier.folder)
    if network is None:
        warnings.warn(
            f"The report omits integrated gradients and activation maps, because the code of the network "
            f"{classifier.config.network.name} is not part of the model folder.",
            stacklevel=3,
        )
    return [
        training_sections.describe_model(classifier, scored.n_seen),
        Section("Sample images", figures=[PageFigure(samples, "samples", f"Images of each class of {dataset.name}.")]),
        *training_sections.show_leaderboard(classifier.folder.parent),
        *training_sections.show_learning_curves(classifier.folder.parent),
        Section(
            "Confusion matrix",
            "Percentage of the images of the true class, and number of images. Only mistakes are coloured.",
            facts=_describe(list_agreement(scores)),
            figures=[PageFigure(confusion, "confusion", f"Confusion matrix: {n_wrong:,} of {scores.n:,} wrong.")],
        ),
        _list_classes(scores),
        _show_curves(scored),
        *comparison,
        Section(
            "Most confident mistakes",
            "These mistakes reveal label errors, and kinds of images that are missing from the training data.",
            figures=[PageFigure(mistakes, "mistakes", "Images with true and predicted class.")],
            table=_list_mistakes(scored) if n_wrong else None,
        ),
        *([] if issues is None else [_show_issues(dataset, issues)]),
        _show_calibration(scored),
        _show_attributions(scored, network, progress=progress),
        *_show_activations(scored, network),
        Section("Size and speed", facts=_measure_speed(scored, network)),
        training_sections.describe_origin(classifier, command),
    ]


def _list_mistakes(scored: ScoredSource) -> PageTable:
    rows = list_mistakes(scored.names, scored.labels, scored.probabilities, scored.classifier.class_names)
    return PageTable(MISTAKE_COLUMNS, rows, file="mistakes.csv", max_rows=_MAX_MISTAKES)


def _list_classes(scores: Scores) -> Section:
    worst = sorted((each for each in scores.per_class if each.support), key=lambda each: each.f1)
    rows = [
        [
            each.name,
            *(format_percent(share) for share in (each.precision, each.recall, each.f1)),
            *("–" if area is None else f"{area:.4f}" for area in (each.roc_auc, each.average_precision)),
            f"{each.support:,}",
        ]
        for each in worst
    ]
    columns = ["class", "precision", "recall", "F1", "ROC AUC", "average precision", "images"]
    table = PageTable(columns, rows)
    return Section("Scores per class", "Sorted by F1, lowest first.", table=table)


def _show_curves(scored: ScoredSource) -> Section:
    curves = list_curve_figures(scored.labels, scored.probabilities, scored.classifier.class_names)
    descriptions = {"roc": "ROC curves.", "precision_recall": "Precision-recall curves."}
    return Section(
        "ROC and precision-recall curves",
        "Each point is a threshold of the probability of a class. n: images of the class.",
        facts=_describe(list_ranking(scored.scores)),
        figures=[PageFigure(draw(), name, descriptions[name]) for name, draw in curves.items()],
    )


def _describe(rows: Sequence[ScoreRow]) -> dict[str, str]:
    """Return scores as facts of a section."""
    return {row.name: f"{row.value} ({row.note})" if row.note else row.value for row in rows}


def _show_issues(dataset: Dataset, issues: Sequence[LabelIssue]) -> Section:
    images = NamedImages(dataset)
    by_kind = {kind: [issue for issue in issues if issue.kind == kind] for kind in KINDS}
    facts = {meaning: f"{len(by_kind[kind]):,}" for kind, meaning in KINDS.items() if by_kind[kind]}
    figures = []
    for kind, found in by_kind.items():
        if found and kind != "broken":  # unreadable images cannot be drawn
            figure = draw_issues(images.images, found, locate_issues(found, images), max_images=_MAX_ISSUES)
            figures.append(PageFigure(figure, f"issues-{kind.replace(' ', '-')}", f"Examples: {KINDS[kind]}."))
    text = "Images of all splits that should be checked. Wrong labels are detected by out-of-fold predictions."
    return Section("Label issues", text if issues else "The audit found no issues.", facts=facts, figures=figures)


def _show_calibration(scored: ScoredSource) -> Section:
    scores = scored.scores
    is_calibrated = HELD_OUT_NAME in scored.classifier.config.files
    figure, share = draw_reliability(scored.labels, scored.probabilities), scored.unlike_training
    return Section(
        "Calibration",
        "Left: reliability diagram, the accuracy of predictions by confidence. The model is overconfident where the "
        "accuracy is below the dotted line. Right: error rate if only the most confident predictions are accepted.",
        facts={
            "calibrated": "yes, on held-out images" if is_calibrated else "no",
            "calibration error": format_percent(scores.expected_calibration_error),
            "log loss": f"{scores.negative_log_likelihood:.4f}",
            "Brier score": f"{scores.brier:.4f}",
            **({} if share is None else {"images unlike the training images": format_percent(share)}),
        },
        figures=[PageFigure(figure, "calibration", "Reliability diagram, and error rate by coverage.")],
    )


def _show_attributions(scored: ScoredSource, network: nn.Module | None, *, progress: bool) -> Section:
    """Draw attributions of the most confident mistakes, followed by correct predictions if there are few mistakes."""
    predicted, confidence = scored.probabilities.argmax(1), scored.probabilities.max(1)
    chosen = np.lexsort((-confidence, predicted == scored.labels))[:_MAX_EXPLAINED]
    names = scored.classifier.class_names
    shown = show_progress(chosen, "occlusion", len(chosen), progress=progress)  # minutes for large networks
    maps = [[occlude(scored.classifier.predict_proba, scored.images[k], int(predicted[k]))] for k in shown]
    text = (
        "Each image is followed by its attribution maps. Occlusion: covering orange parts lowers the probability of "
        "the predicted class, covering blue parts raises it."
    )
    if network is None:
        pass
    elif has_captum():
        pairs = show_progress(list(zip(chosen, maps, strict=True)), "gradients", len(chosen), progress=progress)
        for k, each in pairs:
            each.append(integrate_gradients(network, scored.images[k], int(predicted[k])))
        text += " Integrated gradients: orange pixels raise the probability, blue pixels lower it."
    else:
        warnings.warn(
            "The report omits integrated gradients, because captum is not installed. Install it: "
            "pip install 'skconv[explain]'.",
            stacklevel=2,
        )
    captions = [
        f"{names[scored.labels[k]]} → {names[predicted[k]]}, {format_percent(confidence[k], 1)}" for k in chosen
    ]
    figure = draw_attributions(scored.images[chosen], maps, captions)
    return Section(
        "Explanations of predictions",
        f"{text} Captions: true class → predicted class, confidence.",
        figures=[PageFigure(figure, "attributions", "Images with their attribution maps.")],
    )


def _show_activations(scored: ScoredSource, network: nn.Module | None) -> list[Section]:
    """Draw the filters of the first convolution, and the activation maps of the first image of the first class.

    Return no section for a network without convolutions, or whose code is not available.
    """
    from skconv.evaluation.activations import collect_activations, filters_on_pixels, has_convolutions
    from skconv.networks.ensemble import first_member

    if network is None or not has_convolutions(network):
        return []
    first = int(np.argmin(scored.labels))
    image, names = scored.images[first], scored.classifier.class_names
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(image, scored.probabilities[first], names, layers, filters)
    text = (
        "Filters of the first convolution, and output of every convolution for one image. "
        f"{'' if first_member(network) is network else 'They are those of the first member of the ensemble. '}"
        "The command skconv explain draws them for other images."
    )
    figures = [PageFigure(figure, "activations", "Filters and activation maps.")]
    return [Section("Activation maps", text, figures=figures)]


def _measure_speed(scored: ScoredSource, network: nn.Module | None) -> dict[str, str]:
    """Return the size of the model and the time per prediction on this machine."""
    classifier, files = scored.classifier, scored.classifier.config.files
    singles = [scored.images[k % len(scored.images)][None] for k in range(_TIMED)]
    batch = scored.images[:_BATCH]
    per_single = float(np.median([_time(classifier, image) for image in singles]))
    per_image = _time(classifier, batch) / len(batch)
    parameters = [] if network is None else [parameter.numel() for parameter in network.parameters()]
    return {
        **({"parameters": f"{sum(parameters):,}"} if parameters else {}),
        "ONNX file": f"{files[ONNX_NAME].bytes / 1e6:.2f} MB",
        "weights": f"{files[WEIGHTS_NAME].bytes / 1e6:.2f} MB",
        "time for one image": f"{1000 * per_single:.2f} ms (median of {_TIMED}, with onnxruntime)",
        f"time per image in a batch of {len(batch)}": f"{1000 * per_image:.3f} ms",
        "machine": training_sections.describe_machine(describe_environment()),
    }


def _time(classifier: OnnxClassifier, images: np.ndarray) -> float:
    """Return the time of one prediction in seconds."""
    start = time.perf_counter()
    classifier.predict_proba(images)
    return time.perf_counter() - start
