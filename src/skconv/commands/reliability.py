"""What `evaluate` and `predict` say beyond accuracy: sets, strange and damaged images, a folder of figures."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import ParameterError
from skconv.files import atomic_dir
from skconv.progress import show_progress

if TYPE_CHECKING:
    from skconv.commands.evaluate import UnseenImages
    from skconv.commands.results import EvaluationResult
    from skconv.inference import OnnxClassifier
    from skconv.model_io.held_out import HeldOut
    from skconv.reports.sections import ScoredSource

_MOST_DAMAGED = 2000  # images; enough for an accuracy to a per cent


def load_held_out(reader: OnnxClassifier) -> HeldOut:
    """Return the answers that prediction sets are made by, and strange images are told by.

    Raises
    ------
    ParameterError
        A model that was saved without such answers.
    """
    from skconv.model_io.held_out import read_held_out

    held_out = read_held_out(reader.folder, reader.config)
    if held_out is None:
        raise ParameterError(
            "The model was saved without answers to held-out images, by which prediction sets are made and strange "
            "images are told. Train one with a validation split of 100 images or more (validation_fraction = 0.05 "
            "in the section [training] of the recipe), or an ensemble."
        )
    return held_out


def make_sets(reader: OnnxClassifier, held_out: HeldOut, probabilities: np.ndarray, coverage: float) -> np.ndarray:
    """Return which classes each image may be, bool (n, k); see `predict_sets`."""
    from skconv.evaluation.conformal import predict_sets

    network = reader.config.network
    average = network.options.get("average", "probabilities") if network.name == "ensemble" else None
    return predict_sets(held_out.probabilities, held_out.labels, probabilities, coverage, average=average)


def measure_sets(scored: ScoredSource, coverage: float) -> dict[str, float]:
    """Return how often prediction sets hold the true class, and how large they are; see `EvaluationResult`."""
    sets = make_sets(scored.classifier, load_held_out(scored.classifier), scored.probabilities, coverage)
    sizes = sets.sum(1)
    return {
        "level": coverage,
        "coverage": float(sets[np.arange(len(sets)), scored.labels].mean()),
        "mean_set_size": float(sizes.mean()),
        "empty": float((sizes == 0).mean()),
    }


def measure_out_of_distribution(scored: ScoredSource, others: UnseenImages) -> dict[str, Any]:
    """Return how well a score tells other images from those of the classes; see `EvaluationResult`."""
    from skconv.evaluation.ood import DEFINITION, measure_auroc, ood_score

    known = load_held_out(scored.classifier).probabilities
    inside = ood_score(known, scored.probabilities)
    outside = ood_score(known, scored.classifier.predict_proba(others.images))
    return {
        "data": others.dataset.name,
        "split": others.split,
        "n": len(others.images),
        "auroc": measure_auroc(inside, outside),
        "score": DEFINITION,
    }


def measure_corruptions(scored: ScoredSource, *, progress: bool = False) -> dict[str, list[float]]:
    """Return the accuracy at each strength by the kind of damage, the most harmless first, and the mean over all.

    Of many images 2,000 are damaged, evenly spread over all.
    """
    from skconv.evaluation.corruptions import STRENGTHS, corrupt, list_corruptions

    step = max(1, -(-len(scored.labels) // _MOST_DAMAGED))
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


def write_report(folder: str | os.PathLike[str], scored: ScoredSource, result: EvaluationResult) -> None:
    """Write ``scores.json`` and figures to a new folder, as a whole or not at all."""
    from skconv.reports.confusion import draw_confusion
    from skconv.reports.image_grids import draw_mistakes
    from skconv.reports.reliability import draw_corruptions, draw_reliability
    from skconv.reports.style import save_figure

    names = scored.classifier.class_names
    with atomic_dir(folder) as unfinished:
        (unfinished / "scores.json").write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
        figures = {
            "confusion": draw_confusion(scored.scores.confusion, names),
            "mistakes": draw_mistakes(scored.images, scored.labels, scored.probabilities, names),
            "confidence": draw_reliability(scored.labels, scored.probabilities),
        }
        if result.corruptions is not None:
            damaged = {name: each for name, each in result.corruptions.items() if name != "mean"}
            figures["corruptions"] = draw_corruptions(damaged, result.accuracy)
        for name, figure in figures.items():
            save_figure(figure, unfinished / f"{name}.png")
