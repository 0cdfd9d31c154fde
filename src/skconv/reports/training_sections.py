"""What a report tells of the training: the data, how it learned, and how to make the model again."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import DataError

if TYPE_CHECKING:
    from skconv.evaluation.scored import ScoredSource
    from skconv.reports.page import Section


def tell_training(scored: ScoredSource) -> Section:
    """Tell what was trained on what."""
    from skconv.reports.page import Section

    config = scored.reader.config
    channels, height, width = config.input.shape
    facts = {
        "data": config.data.name,
        "where from": config.data.source,
        "licence": config.data.licence,
        "training images": f"{config.data.n_train:,}",
        "classes": ", ".join(config.class_names),
        "network": config.network.name,
        "input": f"{height}×{width} pixels, {'grey' if channels == 1 else 'colour'}",
    }
    if config.input.normalization:
        facts["before the network"] = "one digit is found, centred and brought to the size, as in MNIST"
    if scored.n_seen:
        facts["seen in training"] = f"{scored.n_seen:,} of the images at hand"
    return Section("What was trained on what", facts=facts)


def show_learning(run: Path) -> list[Section]:
    """Show the curves of a run, and what it took; nothing where there is no run around the model."""
    from skconv.reports.curves import draw_curves
    from skconv.reports.folds import draw_folds
    from skconv.reports.page import PageFigure, Section

    histories = _read_histories(run / "history.csv")
    if not histories:
        return []
    facts = _tell_effort(run / "scores.json")
    if len(histories) > 1:
        told = f"Loss over the epochs of each of {len(histories)} members."
        figures = [PageFigure(draw_folds(histories), "curves", told)]
    elif len(histories[0]) > 1:
        figures = [PageFigure(draw_curves(histories[0]), "curves", f"Loss over {len(histories[0])} epochs.")]
    else:  # a point is no curve
        figures = []
        facts |= _tell_end(histories[0][-1])
    return [Section("How it learned", facts=facts, figures=figures)]


def _read_histories(file: Path) -> list[list[dict[str, Any]]]:
    """Return the rows of a run's history as numbers, of an ensemble one list a member; none without such a file."""
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
        raise DataError(f"{file} cannot be read as a run's history ({error}). Remove it, or train again.") from error
    return list(histories.values())


def _tell_end(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what the history says of an epoch."""
    facts = {"training loss": row["train_loss"], "validation loss": row.get("valid_loss")}
    told = {name: f"{value:.4f}" for name, value in facts.items() if value is not None}
    if row.get("valid_accuracy") is not None:
        told["validation accuracy"] = f"{100 * row['valid_accuracy']:.2f} %"
    return told


def _tell_effort(file: Path) -> dict[str, str]:
    """Return what the training took, as ``scores.json`` of the run says."""
    if not file.is_file():
        return {}
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        facts = {
            "epochs": f"{run['n_epochs']:,}",
            "time": f"{run['fit_seconds']:,.1f} s",
            "precision": str(run["precision"]),
            "seed": str(run["seed"]),
        }
        if "calibration" in run:
            facts["confidence"] = (
                f"calibrated by {run['calibration']['n']:,} images held out of the training, at temperature "
                f"{run['calibration']['temperature']:.2f}"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read as a run's scores ({error!r}). Remove it, or train again.") from error
    return facts


def tell_origin(scored: ScoredSource, command: str) -> Section:
    """Tell with what the model was made, and the commands that make it and the report again."""
    from skconv.reports.page import Section

    config = scored.reader.config
    environment = config.environment
    facts = {
        "made on": config.created.replace("T", " ").replace("+00:00", " UTC"),
        "packages": ", ".join(f"{name} {version}" for name, version in environment.get("versions", {}).items()),
        "machine": name_machine(environment),
        "data, sha256": config.data.fingerprint,
    }
    trained = environment.get("command", "")
    lines = "\n".join(filter(None, [trained, command]))
    listings = [("The commands that made the model and this page:" if trained else "The command of this page:", lines)]
    recipe = scored.reader.folder.parent / "recipe.toml"
    if recipe.is_file():
        listings.append(("The recipe of the training:", recipe.read_text(encoding="utf-8", errors="replace").strip()))
    return Section("How to make it again", facts={k: v for k, v in facts.items() if v}, listings=listings)


def name_machine(environment: Mapping[str, Any]) -> str:
    """Say on what something ran, as `skconv.model_io.environment.describe_environment` describes it."""
    threads = environment.get("threads", "?")
    processor = f"{environment.get('processor', 'unknown')}, {threads} thread{'' if threads == 1 else 's'}"
    return f"{environment['gpu']}; {processor}" if "gpu" in environment else processor
