"""`report`: everything about a saved model on one page."""

from __future__ import annotations

import csv
import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError, OutputError
from skconv.files import write_beside
from skconv.workflows.evaluate import ScoredSource, score_source

if TYPE_CHECKING:
    from skconv.reports.page import Section

_EXPLAINED = 8  # pictures whose answers are explained
_TIMED = 30  # single pictures, of which the median time is told
_BATCH = 256
_SPLITS = {
    "test": "the test split of {}",
    "all": "all pictures of {}",
    "unseen": "the pictures of {} it was not trained on",
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
        Share of the pictures classified correctly, 0..1, with its 95 % interval.
    n : int
        Number of pictures.
    model, data : str
        The model and the name of the data.
    """

    file: str
    bytes: int
    accuracy: float
    low: float
    high: float
    n: int
    model: str
    data: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.data}: accuracy {self.accuracy:.2%} (95 % interval {self.low:.2%} to "
            f"{self.high:.2%}, n = {self.n}).\nReport in {self.file}, {self.bytes / 1e6:.1f} MB."
        )


def report(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
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
        A model folder, or a run folder with one; of a run the learning curves are shown too.
    source : str or path-like
        The data to score it on, as in `skconv.evaluate`.
    out : path-like
        The HTML file to write, by a name that ends in ``.html``. An existing file is replaced in one step.
    data_home, images, label_column, image_size, progress
        As in `skconv.evaluate`.

    Returns
    -------
    ReportResult
        The score, and the file with its size.

    Raises
    ------
    OutputError
        `out` is no HTML file's name, or cannot be written; an existing file is as it was.
    SourceNotFoundError, DownloadError, UnknownNameError, DataError, ModelFileError
        As in `skconv.evaluate`.

    Warns
    -----
    UserWarning
        As in `skconv.evaluate`.
    """
    target = Path(out)
    if target.suffix.lower() != ".html":
        raise OutputError(f"The report is an HTML file; got the name '{target}'. Choose one that ends in .html.")
    if not target.absolute().parent.is_dir():  # before minutes of work
        raise OutputError(f"There is no folder {target.absolute().parent}. Make it first, or choose another.")
    from skconv.reports.page import render_page

    scored = score_source(
        model,
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    scores, config = scored.scores, scored.reader.config
    command = shlex.join(["skconv", "report", os.fspath(model), os.fspath(source), "--out", os.fspath(out)])
    page = render_page(
        title=f"{config.network.name} on {scored.dataset.name}",
        headline=f"{scores.accuracy:.2%} right".replace("%", " %"),
        summary=(
            f"95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, measured on "
            f"{_SPLITS[scored.split].format(scored.dataset.name)}, {scores.n:,} pictures."
        ),
        sections=_write_sections(scored, command),
    )
    with write_beside(target) as beside:
        beside.write_text(page, encoding="utf-8")
    return ReportResult(
        file=os.fspath(out),
        bytes=len(page.encode()),
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        model=os.fspath(model),
        data=scored.dataset.name,
    )


def _write_sections(scored: ScoredSource, command: str) -> list[Section]:
    from skconv.reports.figures import draw_confusion, draw_mistakes, draw_samples
    from skconv.reports.page import PageFigure, Section
    from skconv.reports.trust import draw_trust

    names, scores, dataset = scored.reader.class_names, scored.scores, scored.dataset
    samples = draw_samples(dataset.train_images, dataset.train_labels, dataset.class_names)
    confusion = draw_confusion(scores.confusion, names)
    mistakes = draw_mistakes(scored.images, scored.labels, scored.probabilities, names)
    trust = draw_trust(scored.labels, scored.probabilities)
    n_wrong = scores.n - int(np.trace(scores.confusion))
    return [
        Section("What was trained on what", facts=_describe_training(scored)),
        Section("Pictures of the data", figures=[PageFigure(samples, f"Pictures of each class of {dataset.name}.")]),
        *_show_curves(scored.reader.folder.parent),
        Section(
            "What is taken for what",
            "Only mistakes are coloured.",
            figures=[PageFigure(confusion, f"Confusion matrix: {n_wrong:,} of {scores.n:,} wrong.")],
        ),
        Section("Each class", "The worst first.", table=_make_table(scored)),
        Section(
            "The surest mistakes",
            "They show wrong labels in the data, and kinds of pictures that the model never saw.",
            figures=[PageFigure(mistakes, "Pictures with their true and their predicted class.")],
        ),
        Section(
            "Whether its confidence can be trusted",
            "Left: how often answers of a confidence are right; below the dotted line it is too sure of itself. "
            "Right: how many mistakes are left if only its surest answers are taken, and the others given to a person.",
            facts={
                "expected calibration error": f"{100 * scores.expected_calibration_error:.2f} %",
                "negative log likelihood": f"{scores.negative_log_likelihood:.4f}",
                "Brier score": f"{scores.brier:.4f}",
            },
            figures=[PageFigure(trust, "A reliability diagram, and risk by coverage.")],
        ),
        *_explain_answers(scored),
        *_show_activations(scored),
        Section("Size and speed", facts=_measure(scored)),
        Section("How to make it again", facts=_describe_origin(scored), commands=_list_commands(scored, command)),
    ]


def _describe_training(scored: ScoredSource) -> dict[str, str]:
    config = scored.reader.config
    channels, height, width = config.input.shape
    facts = {
        "data": config.data.name,
        "where from": config.data.source,
        "licence": config.data.licence,
        "training pictures": f"{config.data.n_train:,}",
        "classes": ", ".join(config.class_names),
        "network": config.network.name,
        "input": f"{height}×{width} pixels, {'grey' if channels == 1 else 'colour'}",
    }
    if config.input.normalization:
        facts["before the network"] = "one digit is found, centred and brought to the size, as in MNIST"
    if scored.n_seen:
        facts["seen in training"] = f"{scored.n_seen:,} of the pictures at hand"
    return facts


def _show_curves(run: Path) -> list[Section]:
    from skconv.reports.figures import draw_curves
    from skconv.reports.page import PageFigure, Section

    rows = _read_history(run / "history.csv")
    if len(rows) < 2:  # a point is no curve, and the folds of an ensemble have no common one
        return []
    figure = draw_curves(rows)
    return [Section("How it learned", figures=[PageFigure(figure, f"Loss over {len(rows)} epochs.")])]


def _read_history(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's history as numbers; none where there is no such file, or of an ensemble."""
    if not file.is_file():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [
                {name: None if text in ("", None) else float(text) for name, text in row.items()}
                for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a run's history ({error}). Remove it, or train again.") from error
    if not rows or not {"epoch", "train_loss"} <= set(rows[0]) or "fold" in rows[0]:
        return []
    return [{**row, "epoch": int(row["epoch"] or 0)} for row in rows]


def _make_table(scored: ScoredSource) -> Any:
    from skconv.reports.page import PageTable

    worst = sorted((each for each in scored.scores.per_class if each.support), key=lambda each: each.f1)
    rows = [
        [each.name, *(f"{100 * share:.2f} %" for share in (each.precision, each.recall, each.f1)), f"{each.support:,}"]
        for each in worst
    ]
    return PageTable(["class", "precision", "recall", "F1", "pictures"], rows)


def _explain_answers(scored: ScoredSource) -> list[Section]:
    """Show on what the surest mistakes rest, and where there are few, other answers."""
    from skconv.evaluation.occlusion import occlude
    from skconv.reports.occlusion import draw_occlusion
    from skconv.reports.page import PageFigure, Section

    predicted, confidence = scored.probabilities.argmax(1), scored.probabilities.max(1)
    # Mistakes before right answers, and of each the surest first.
    chosen = np.lexsort((-confidence, predicted == scored.labels))[:_EXPLAINED]
    names = scored.reader.class_names
    drops = [occlude(scored.reader.predict_proba, scored.images[k], int(predicted[k])) for k in chosen]
    captions = [f"{names[scored.labels[k]]} → {names[predicted[k]]}, {100 * confidence[k]:.1f} %" for k in chosen]
    figure = draw_occlusion(scored.images[chosen], drops, captions)
    text = (
        "Each picture beside itself: orange where the answer rests on it, for its probability falls when that part is "
        "covered; blue where covering raises it. Above: true → predicted."
    )
    told = "Pictures with the parts coloured that the answers rest on."
    return [Section("What its answers rest on", text, figures=[PageFigure(figure, told)])]


def _show_activations(scored: ScoredSource) -> list[Section]:
    """Show the filters and activation maps for the first picture of the first class; this takes torch."""
    from skconv.evaluation.activations import collect_activations, filters_on_pixels
    from skconv.reports.figures import draw_activations
    from skconv.reports.page import PageFigure, Section
    from skconv.workflows.explain import load_network

    network = load_network(scored.reader)
    first = int(np.argmin(scored.labels))
    image, names = scored.images[first], scored.reader.class_names
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(image, scored.probabilities[first], names, layers, filters)
    text = (
        "The filters of the first convolution, and what each convolution makes of one picture. "
        f"{'Of an ensemble, its first member. ' if 'estimator' in scored.reader.config.parameters else ''}"
        "For another picture: skconv explain."
    )
    return [Section("What the network computes", text, figures=[PageFigure(figure, "Filters and activation maps.")])]


def _measure(scored: ScoredSource) -> dict[str, str]:
    """Return what the model weighs and how long it takes, on this machine."""
    from skconv.artifacts.environment import describe_environment
    from skconv.artifacts.folder import ONNX_NAME, WEIGHTS_NAME

    reader, files = scored.reader, scored.reader.config.files
    single = []
    for k in range(_TIMED):
        picture = scored.images[k % len(scored.images)][None]
        begun = time.perf_counter()
        reader.predict_proba(picture)
        single.append(time.perf_counter() - begun)
    batch = scored.images[:_BATCH]
    begun = time.perf_counter()
    reader.predict_proba(batch)
    each = (time.perf_counter() - begun) / len(batch)
    machine: Mapping[str, Any] = describe_environment()
    return {
        "ONNX file": f"{files[ONNX_NAME].bytes / 1e6:.2f} MB",
        "weights": f"{files[WEIGHTS_NAME].bytes / 1e6:.2f} MB",
        "one picture": f"{1000 * float(np.median(single)):.2f} ms (median of {_TIMED}, with onnxruntime)",
        f"a picture among {len(batch)}": f"{1000 * each:.3f} ms",
        "on": f"{machine['processor']}, {machine['threads']} threads",
    }


def _describe_origin(scored: ScoredSource) -> dict[str, str]:
    config = scored.reader.config
    environment = config.environment
    versions = environment.get("versions", {})
    facts = {
        "made on": config.created,
        "skconv": config.skconv_version,
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "machine": f"{environment.get('processor', 'unknown')}, {environment.get('threads', '?')} threads",
        "fingerprint of the data (sha256)": config.data.fingerprint,
    }
    return {name: value for name, value in facts.items() if value}


def _list_commands(scored: ScoredSource, command: str) -> str:
    trained = scored.reader.config.environment.get("command", "")
    return "\n".join(filter(None, [trained, command]))
