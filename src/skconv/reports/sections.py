"""The sections of a report: how good a model is, what it mistakes, what it looks at, what it weighs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.evaluation.issue_table import KINDS, Images, LabelIssue, draw_kind, find_label_issues
from skconv.reports.training_sections import name_machine, show_learning, tell_origin, tell_training

if TYPE_CHECKING:
    from skconv.evaluation.scored import ScoredSource
    from skconv.networks.blocks import Network
    from skconv.reports.page import Section

_EXPLAINED = 9  # images whose answers are explained
_SUSPECTS = 20  # of a kind, that are drawn
_TIMED = 30  # single images, of which the median time is told
_BATCH = 256


def write_sections(scored: ScoredSource, command: str, suspects: Sequence[LabelIssue] | None) -> list[Section]:
    """Return the sections of the page about a model.

    Parameters
    ----------
    scored : ScoredSource
        The model and what it answers to the data.
    command : str
        The command that makes the page.
    suspects : sequence of Suspect or None
        What an audit of the data found; None where there was none.
    """
    from skconv.commands.explain import load_network
    from skconv.reports.figures import draw_confusion, draw_mistakes, draw_samples
    from skconv.reports.page import PageFigure, Section

    names, scores, dataset = scored.reader.class_names, scored.scores, scored.dataset
    samples = draw_samples(dataset.train_images, dataset.train_labels, dataset.class_names)
    confusion = draw_confusion(scores.confusion, names)
    mistakes = draw_mistakes(scored.images, scored.labels, scored.probabilities, names)
    n_wrong = scores.n - int(np.trace(scores.confusion))
    network = load_network(scored.reader)
    return [
        tell_training(scored),
        Section(
            "Images of the data",
            figures=[PageFigure(samples, "samples", f"Images of each class of {dataset.name}.")],
        ),
        *show_learning(scored.reader.folder.parent),
        Section(
            "Which classes are confused",
            "Only mistakes are coloured.",
            figures=[PageFigure(confusion, "confusion", f"Confusion matrix: {n_wrong:,} of {scores.n:,} wrong.")],
        ),
        Section("Each class", "The worst first.", table=_make_table(scored)),
        Section(
            "The most confident mistakes",
            "They show wrong labels in the data, and kinds of images that the model never saw.",
            figures=[PageFigure(mistakes, "mistakes", "Images with their true and their predicted class.")],
        ),
        *([] if suspects is None else [_show_suspects(scored, suspects)]),
        _show_trust(scored),
        _explain_answers(scored, network),
        _show_activations(scored, network),
        Section("Size and speed", facts=_measure(scored, network)),
        tell_origin(scored, command),
    ]


def _make_table(scored: ScoredSource) -> Any:
    from skconv.reports.page import PageTable

    worst = sorted((each for each in scored.scores.per_class if each.support), key=lambda each: each.f1)
    rows = [
        [each.name, *(f"{100 * share:.2f} %" for share in (each.precision, each.recall, each.f1)), f"{each.support:,}"]
        for each in worst
    ]
    return PageTable(["class", "precision", "recall", "F1", "images"], rows)


def _show_suspects(scored: ScoredSource, suspects: Sequence[LabelIssue]) -> Section:
    from skconv.reports.page import PageFigure, Section

    images = Images(scored.dataset)
    by_kind = {kind: [each for each in suspects if each.kind == kind] for kind in KINDS}
    facts = {meaning: f"{len(by_kind[kind]):,}" for kind, meaning in KINDS.items() if by_kind[kind]}
    figures = []
    for kind, found in by_kind.items():
        if found and kind != "broken":  # there is nothing to draw
            figure = draw_kind(images.images, found, find_label_issues(found, images), most=_SUSPECTS)
            figures.append(PageFigure(figure, f"suspects-{kind.replace(' ', '-')}", f"Each {KINDS[kind]}."))
    text = "Images of all splits that deserve a look. Labels were judged by networks that had not seen the image."
    return Section("What an audit of the data suspects", text if suspects else "Nothing.", facts=facts, figures=figures)


def _show_trust(scored: ScoredSource) -> Section:
    from skconv.model_io.folder import HELD_OUT_NAME
    from skconv.reports.page import PageFigure, Section
    from skconv.reports.reliability import draw_trust

    scores = scored.scores
    is_calibrated = HELD_OUT_NAME in scored.reader.config.files
    figure = draw_trust(scored.labels, scored.probabilities)
    return Section(
        "Whether its confidence can be trusted",
        "Left: how often answers of a given confidence are right; below the dotted line the model is overconfident. "
        "Right: how many mistakes are left if only its most confident answers are taken, and people check the rest.",
        facts={
            "calibrated": "by images held out of the training" if is_calibrated else "no: none were held out for that",
            "expected calibration error": f"{100 * scores.expected_calibration_error:.2f} %",
            "negative log likelihood": f"{scores.negative_log_likelihood:.4f}",
            "Brier score": f"{scores.brier:.4f}",
        },
        figures=[PageFigure(figure, "confidence", "A reliability diagram, and risk by coverage.")],
    )


def _explain_answers(scored: ScoredSource, network: Network) -> Section:
    """Show on what the most confident mistakes rest, and where there are few, other answers."""
    from skconv.evaluation.gradients import has_captum, integrate_gradients
    from skconv.evaluation.occlusion import occlude
    from skconv.reports.attributions import draw_attributions
    from skconv.reports.page import PageFigure, Section

    predicted, confidence = scored.probabilities.argmax(1), scored.probabilities.max(1)
    # Mistakes before right answers, and of each the surest first.
    chosen = np.lexsort((-confidence, predicted == scored.labels))[:_EXPLAINED]
    names = scored.reader.class_names
    maps = [[occlude(scored.reader.predict_proba, scored.images[k], int(predicted[k]))] for k in chosen]
    text = (
        "Each image, then the same by covering: orange where the answer rests on it, for its probability falls when "
        "that part is covered; blue where covering raises it."
    )
    if has_captum():
        for k, each in zip(chosen, maps, strict=True):
            each.append(integrate_gradients(network, scored.images[k], int(predicted[k])))
        text += " Then by integrated gradients: orange pixels add to the probability, blue ones take from it."
    else:
        warnings.warn(
            "The report shows no integrated gradients: captum is not installed. Install it: "
            "pip install 'skconv[explain]'.",
            stacklevel=2,
        )
    captions = [f"{names[scored.labels[k]]} → {names[predicted[k]]}, {100 * confidence[k]:.1f} %" for k in chosen]
    figure = draw_attributions(scored.images[chosen], maps, captions)
    told = "Images with the parts coloured that the answers rest on."
    return Section(
        "What its answers rest on", f"{text} Above: true → predicted.", figures=[PageFigure(figure, "answers", told)]
    )


def _show_activations(scored: ScoredSource, network: Network) -> Section:
    """Show the filters and activation maps for the first image of the first class."""
    from skconv.evaluation.activations import collect_activations, filters_on_pixels, first_member
    from skconv.reports.figures import draw_activations
    from skconv.reports.page import PageFigure, Section

    first = int(np.argmin(scored.labels))
    image, names = scored.images[first], scored.reader.class_names
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(image, scored.probabilities[first], names, layers, filters)
    text = (
        "The filters of the first convolution, and what each convolution makes of one image. "
        f"{'' if first_member(network) is network else 'Of an ensemble, its first member. '}"
        "For another image: skconv explain."
    )
    told = "Filters and activation maps."
    return Section("What the network computes", text, figures=[PageFigure(figure, "activations", told)])


def _measure(scored: ScoredSource, network: Network) -> dict[str, str]:
    """Return what the model weighs and how long it takes, on this machine."""
    from skconv.model_io.environment import describe_environment
    from skconv.model_io.folder import ONNX_NAME, WEIGHTS_NAME

    reader, files = scored.reader, scored.reader.config.files
    single = []
    for k in range(_TIMED):
        image = scored.images[k % len(scored.images)][None]
        begun = time.perf_counter()
        reader.predict_proba(image)
        single.append(time.perf_counter() - begun)
    batch = scored.images[:_BATCH]
    begun = time.perf_counter()
    reader.predict_proba(batch)
    each = (time.perf_counter() - begun) / len(batch)
    return {
        "parameters": f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        "ONNX file": f"{files[ONNX_NAME].bytes / 1e6:.2f} MB",
        "weights": f"{files[WEIGHTS_NAME].bytes / 1e6:.2f} MB",
        "one image": f"{1000 * float(np.median(single)):.2f} ms (median of {_TIMED}, with onnxruntime)",
        f"an image among {len(batch)}": f"{1000 * each:.3f} ms",
        "on": name_machine(describe_environment()),
    }
