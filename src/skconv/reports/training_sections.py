"""Sections of the report page on training: model and data, learning curves, reproduction."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import DataError
from skconv.reports.page import PageFigure, Section
from skconv.text import format_percent

if TYPE_CHECKING:
    from skconv.inference import OnnxClassifier

LEADERBOARD_NAME = "leaderboard.csv"


def describe_model(classifier: OnnxClassifier, n_seen: int | None) -> Section:
    """Describe the network and its training data; `n_seen` of the evaluated images are training images, if known."""
    config = classifier.config
    channels, height, width = config.input.shape
    facts = {
        "data": config.data.name,
        "source": config.data.source,
        "licence": config.data.licence,
        "training images": f"{config.data.n_train:,}",
        "classes": ", ".join(config.class_names),
        "network": config.network.name,
        "input": f"{width}×{height} pixels, {'grey' if channels == 1 else 'colour'}",
    }
    if config.input.normalization:
        facts["preprocessing"] = "one digit is located, centred and scaled, as in MNIST"
    if n_seen:
        facts["seen in training"] = f"{n_seen:,} images of the evaluated source"
    return Section("Model and data", facts=facts)


def show_leaderboard(run: Path) -> list[Section]:
    """Show the comparison of recipes of a run with the recipe `auto`; return no section for another run."""
    from skconv.reports.curves import draw_leaderboard

    file = run / LEADERBOARD_NAME
    if not file.is_file():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        figure = draw_leaderboard(rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is not a valid comparison of recipes ({error}). Remove it, or train again.") from error
    text = "Short trainings, scored on training images that were held out. The best candidate was trained for longer."
    return [Section("Comparison of recipes", text, figures=[PageFigure(figure, "leaderboard", text)])]


def show_learning_curves(run: Path) -> list[Section]:
    """Show the learning curves, duration and settings of a run; return no section if it has no history."""
    from skconv.reports.curves import draw_curves, draw_folds

    histories = _read_histories(run / "history.csv")
    if not histories:
        return []
    facts = _describe_run(run / "scores.json")
    figures = []
    if len(histories) > 1:
        figures = [PageFigure(draw_folds(histories), "curves", f"Loss by epoch of each of {len(histories)} members.")]
    elif len(histories[0]) > 1:
        figures = [PageFigure(draw_curves(histories[0]), "curves", f"Loss over {len(histories[0])} epochs.")]
    else:  # a curve needs at least two epochs
        facts |= _describe_epoch(histories[0][-1])
    return [Section("Learning curves", facts=facts, figures=figures)]


def describe_origin(classifier: OnnxClassifier, command: str) -> Section:
    """Describe how the model was trained, with the commands that reproduce the model and the page."""
    config = classifier.config
    environment = config.environment
    facts = {
        "date": config.created.replace("T", " ").replace("+00:00", " UTC"),
        "packages": ", ".join(f"{name} {version}" for name, version in environment.get("versions", {}).items()),
        "machine": describe_machine(environment),
        "data, sha256": config.data.fingerprint,
    }
    training = environment.get("command", "")
    title = "Commands that produce the model and this page:" if training else "Command that produces this page:"
    listings = [(title, "\n".join(filter(None, [training, command])))]
    recipe = classifier.folder.parent / "recipe.toml"
    if recipe.is_file():
        listings.append(("Recipe of the run:", recipe.read_text(encoding="utf-8", errors="replace").strip()))
    return Section("How to reproduce", facts={k: v for k, v in facts.items() if v}, listings=listings)


def describe_machine(environment: Mapping[str, Any]) -> str:
    """Describe the processor, threads and GPU of a machine; `environment` is a result of `describe_environment`."""
    threads = environment.get("threads", "?")
    processor = f"{environment.get('processor', 'unknown')}, {threads} thread{'' if threads == 1 else 's'}"
    return f"{environment['gpu']}; {processor}" if "gpu" in environment else processor


def _read_histories(file: Path) -> list[list[dict[str, Any]]]:
    """Read the history of a run: a list of rows per network; empty if the file does not exist."""
    if not file.is_file():
        return []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [
                {name: None if text in ("", None) else float(text) for name, text in row.items()}
                for row in csv.DictReader(stream)
            ]
        histories: dict[float, list[dict[str, Any]]] = {}
        for row in rows:
            histories.setdefault(row.get("fold") or 0, []).append({**row, "epoch": int(row["epoch"] or 0)})
            row["train_loss"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is not a valid history of a run ({error}). Remove it, or train again.") from error
    return list(histories.values())


def _describe_epoch(row: Mapping[str, Any]) -> dict[str, str]:
    losses = {"training loss": row["train_loss"], "validation loss": row.get("valid_loss")}
    facts = {name: f"{value:.4f}" for name, value in losses.items() if value is not None}
    if row.get("valid_accuracy") is not None:
        facts["validation accuracy"] = format_percent(row["valid_accuracy"])
    return facts


def _describe_run(file: Path) -> dict[str, str]:
    """Describe duration, precision, seed and calibration of a run, from its ``scores.json``."""
    if not file.is_file():
        return {}
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        facts = {
            "epochs": f"{run['n_epochs']:,}",
            "training time": f"{run['fit_seconds']:,.1f} s",
            "precision": str(run["precision"]),
            "seed": str(run["seed"]),
        }
        if "calibration" in run:
            facts["calibration"] = (
                f"on {run['calibration']['n']:,} held-out images, temperature {run['calibration']['temperature']:.2f}"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} has no valid scores of a run ({error!r}). Remove it, or train again.") from error
    return facts
