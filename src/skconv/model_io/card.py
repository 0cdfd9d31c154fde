"""Model card ``card.md``: front matter for model hubs, data, scores, use and reproduction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import FINGERPRINTS_NAME, HELD_OUT_NAME, ONNX_NAME
from skconv.text import format_percent

# Scores listed below an accuracy, by the suffix of their key: name, and whether the value is a percentage.
_SECONDARY = {
    "balanced_accuracy": ("balanced accuracy", True),
    "macro_f1": ("macro F1", False),
    "cohen_kappa": ("Cohen's kappa", False),
    "quadratic_kappa": ("quadratic kappa", False),
    "mean_absolute_error": ("mean absolute error", False),
    "roc_auc": ("ROC AUC", False),
    "average_precision": ("average precision", False),
    "ece": ("calibration error", True),
    "nll": ("log loss", False),
    "brier": ("Brier score", False),
}
# Identifiers that model hubs use for the licences of the named data sets.
_LICENCES = {"CC BY-SA 3.0": "cc-by-sa-3.0", "CC BY 4.0": "cc-by-4.0", "MIT": "mit", "unknown": "unknown"}


def write_card(
    config: ModelConfig,
    *,
    n_parameters: int,
    folder_name: str = "model",
    per_class: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the model card of `config`, including its `files`, as Markdown.

    `n_parameters` counts the trainable parameters; `folder_name` is the argument of the commands on the card.
    `per_class` has name, precision, recall, f1 and support of each class, as in `skconv.evaluation.Scores.to_json`.
    """
    channels, height, width = config.input.shape
    colour = "grey" if channels == 1 else f"{channels}-channel"
    data = {
        "name": config.data.name,
        "source": config.data.source,
        "licence": config.data.licence,
        "training images": f"{config.data.n_train:,}",
        "fingerprint (sha256)": config.data.fingerprint,
    }
    if FINGERPRINTS_NAME in config.files:
        data["training images"] += f" (skconv evaluate excludes them by their hashes in {FINGERPRINTS_NAME})"
    files = {name: f"{file.bytes:,} bytes, sha256 {file.sha256}" for name, file in config.files.items()}
    sections = [
        _write_front_matter(config),
        f"# {config.network.name} on {_one_line(config.data.name)}",
        f"A convolutional network that classifies {colour} images of {width}×{height} pixels into "
        f"{len(config.classes)} classes. {n_parameters:,} parameters. "
        f"Trained with skconv {config.skconv_version} on {config.created}.",
        "## Classes\n\n" + ", ".join(_one_line(name) for name in config.class_names),
        f"## Data\n\n{_format_list(data)}\n\n"
        "The licence is that of the data. The publisher of the model chooses its licence.",
        "## Scores\n\n" + _describe_scores(config) + _describe_calibration(config),
        *_tabulate_classes(per_class),
        _describe_use(folder_name, has_onnx=not config.files or ONNX_NAME in config.files),
        "## Limits\n\nThe scores hold for images like the training images. "
        "Every image is assigned to one of the classes, even if it shows none of them." + _describe_ood(config),
        *_describe_origin(config),
        "Settings:\n\n" + _format_list({"network options": config.network.options, **config.parameters}),
        f"## Files\n\n{_format_list(files)}",
    ]
    return "\n\n".join(sections) + "\n"


def _write_front_matter(config: ModelConfig) -> str:
    """Return YAML front matter with the keys that model hubs read."""
    licence = _LICENCES.get(config.data.licence, "other")
    values: dict[str, Any] = {"license": licence}
    if licence == "other":
        values["license_name"] = _clean(config.data.licence)
    values |= {
        "library_name": "skconv",
        "pipeline_tag": "image-classification",
        "tags": ["skconv", "image-classification", "convolutional-network", "onnx", "safetensors"],
        "datasets": [_clean(config.data.name)],
    }
    results = _list_results(config)
    if results:
        values |= {
            "metrics": ["accuracy"],
            "model-index": [{"name": f"{config.network.name} on {_clean(config.data.name)}", "results": results}],
        }
    # JSON is valid YAML, and escapes quotes and colons in names.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def _list_results(config: ModelConfig) -> list[dict[str, Any]]:
    """Return one result for each split that has an accuracy."""
    data = _clean(config.data.name)
    metric = f"accuracy, {_clean(config.data.scored_on)}" if config.data.scored_on else "accuracy"
    return [
        {
            "task": {"type": "image-classification"},
            "dataset": {"type": data, "name": data, "split": split},
            "metrics": [{"type": "accuracy", "value": config.scores[f"{split}_accuracy"], "name": metric}],
        }
        for split in _list_splits(config)
    ]


def _list_splits(config: ModelConfig) -> list[str]:
    """Return the names of the splits that have an accuracy."""
    names = [name for name in config.scores if not name.endswith("_balanced_accuracy")]
    return [name.removesuffix("_accuracy") for name in names if name.endswith("_accuracy")]


def _describe_scores(config: ModelConfig) -> str:
    """Return a list of scores: each accuracy with its interval and secondary scores, then all other scores."""
    if not config.scores:
        return "No scores were measured."
    scores = dict(config.scores)
    lines: dict[str, object] = {}
    for split in _list_splits(config):
        text = format_percent(scores.pop(f"{split}_accuracy"))
        if {f"{split}_low", f"{split}_high", f"{split}_n"} <= set(scores):
            low, high, n = (scores.pop(f"{split}_{part}") for part in ("low", "high", "n"))
            text += f" (95 % interval {100 * low:.2f} to {100 * high:.2f} %, n = {n:,.0f})"
        if config.data.scored_on:
            text += f", measured on {config.data.scored_on}"
        label = split.replace("_", " ")
        lines[f"{label} accuracy"] = text
        for suffix, (what, is_percentage) in _SECONDARY.items():
            value = scores.pop(f"{split}_{suffix}", None)
            if value is not None:
                lines[f"{label} {what}"] = format_percent(value) if is_percentage else f"{value:.4f}"
    return _format_list({**lines, **scores})


def _describe_calibration(config: ModelConfig) -> str:
    if HELD_OUT_NAME not in config.files:
        return "\n\nThe probabilities are not calibrated."
    if config.network.name == "ensemble":
        images, predictions = "the out-of-fold images of each member", "The predictions of the members"
    else:
        images, predictions = "held-out images", "The predictions"
    return (
        f"\n\nThe probabilities are calibrated on {images}. {predictions} for these images are in {HELD_OUT_NAME}; "
        "skconv predict --coverage uses them."
    )


def _describe_ood(config: ModelConfig) -> str:
    ood = config.ood
    if ood is None:
        return ""
    images = "held-out images" if ood.held_out else "shifted training images"
    return (
        f" An image with an ood_score above {ood.threshold:.4g} is unlike the training images. The threshold was set "
        f"on {ood.n:,} {images}, for a false-alarm rate of {100 * ood.false_alarm_rate:g} %."
    )


def _tabulate_classes(per_class: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a table with one row per class, the lowest F1 first."""
    worst = sorted((each for each in per_class if each["support"]), key=lambda each: float(each["f1"]))
    if not worst:
        return []
    rows = ["| class | precision | recall | F1 | images |", "|---|---:|---:|---:|---:|"]
    for each in worst:
        name = _one_line(str(each["name"])).replace("|", "\\|")
        values = " | ".join(format_percent(each[what]) for what in ("precision", "recall", "f1"))
        rows.append(f"| {name} | {values} | {each['support']:,} |")
    return ["### Scores per class\n\n" + "\n".join(rows)]


def _describe_use(folder: str, *, has_onnx: bool) -> str:
    if not has_onnx:
        return f"""## Use

This model has no ONNX file. From Python, with torch:

    from skconv import CNNClassifier
    labels = CNNClassifier.load("{folder}").predict(images)"""
    return f"""## Use

From the command line:

    skconv predict {folder} image.png
    skconv evaluate {folder} SOURCE

From Python, without torch:

    from skconv import OnnxClassifier
    model = OnnxClassifier("{folder}")
    probabilities = model.predict_proba(images)
    names = [model.class_names[k] for k in probabilities.argmax(1)]"""


def _describe_origin(config: ModelConfig) -> list[str]:
    environment = dict(config.environment)
    command = _one_line(str(environment.pop("command", "")))
    # In Markdown, an indentation of four spaces marks code.
    steps = [f"Train with the settings below, or run\n\n    {command}"] if command else []
    facts = {
        name: ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else value
        for name, value in environment.items()
    }
    return ["## How to reproduce", *steps, "Environment:\n\n" + _format_list(facts)]


def _format_list(facts: Mapping[str, object]) -> str:
    return "\n".join(f"- {name}: {_one_line(str(value))}" for name, value in facts.items())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _clean(text: str) -> str:
    """Replace characters that YAML does not permit even in quotes."""
    return "".join(character if character.isprintable() else " " for character in text)
