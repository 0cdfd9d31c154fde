"""``card.md``: what a person must know about a model before using it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import FINGERPRINTS_NAME, HELD_OUT_NAME

# Scores that stand beside an accuracy, by the end of their names: what they are called, and whether they are shares.
_BESIDE = {
    "ece": ("expected calibration error", True),
    "nll": ("negative log likelihood", False),
    "brier": ("Brier score", False),
}
# What a hub calls the licences of the data sets that are known by name.
_LICENCES = {"CC BY-SA 3.0": "cc-by-sa-3.0", "CC BY 4.0": "cc-by-4.0", "MIT": "mit", "unknown": "unknown"}


def write_card(
    config: ModelConfig,
    *,
    n_parameters: int,
    folder_name: str = "model",
    per_class: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the model card of `config` as Markdown.

    Parameters
    ----------
    config : ModelConfig
        The model's configuration, `files` included.
    n_parameters : int
        Number of trained values.
    folder_name : str, default "model"
        How the commands on the card name the folder.
    per_class : sequence of mappings, default=()
        For each class its name, precision, recall, f1 and support, as `skconv.evaluation.Scores.to_json` has them.

    Returns
    -------
    str
        The head that a model hub reads; what it does, its data with licence and fingerprint, scores, use, and how to
        make it again.
    """
    channels, height, width = config.input.shape
    colour = "grey" if channels == 1 else f"{channels}-channel"
    sections = [
        _write_front_matter(config),
        f"# {config.network.name} on {_one_line(config.data.name)}",
        f"A convolutional network that sorts {colour} images of {height}×{width} pixels into "
        f"{len(config.classes)} classes. {n_parameters:,} parameters. "
        f"Made by skconv {config.skconv_version} on {config.created}.",
        "## Classes\n\n" + ", ".join(_one_line(name) for name in config.class_names),
        "## Data\n\n"
        + _list(
            {
                "name": config.data.name,
                "source": config.data.source,
                "licence": config.data.licence,
                "training images": f"{config.data.n_train:,}{_tell_seen(config)}",
                "fingerprint (sha256)": config.data.fingerprint,
            }
        )
        + "\n\nThe licence is that of the data. Whoever publishes the model decides about its own.",
        "## Scores\n\n" + _describe_scores(config) + _tell_calibrated(config),
        *_tell_classes(per_class),
        _describe_use(folder_name),
        "## Limits\n\nThe scores hold for images like those it was trained on. "
        "It answers with one of its classes for any image, also for one that shows none of them.",
        *_tell_origin(config),
        "Settings:\n\n" + _list({"network options": config.network.options, **config.parameters}),
        "## Files\n\n"
        + _list({name: f"{file.bytes:,} bytes, sha256 {file.sha256}" for name, file in config.files.items()}),
    ]
    return "\n\n".join(sections) + "\n"


def _tell_seen(config: ModelConfig) -> str:
    if FINGERPRINTS_NAME not in config.files:
        return ""
    return f" (known again by {FINGERPRINTS_NAME}: skconv evaluate does not score the model on them)"


def _tell_calibrated(config: ModelConfig) -> str:
    if HELD_OUT_NAME not in config.files:
        return "\n\nIts confidences are not calibrated."
    if config.network.name == "ensemble":
        images, answers = "the images that each member did not see", "Its members' answers"
    else:
        images, answers = "images held out of the training", "Its answers"
    return (
        f"\n\nIts confidences are calibrated by {images}. {answers} to these are in "
        f"{HELD_OUT_NAME}, for skconv predict --coverage and skconv evaluate --against."
    )


def _describe_scores(config: ModelConfig) -> str:
    """Write each accuracy with its interval and images, then what stands beside it, and other scores as they are."""
    if not config.scores:
        return "None were measured."
    scores = dict(config.scores)
    facts: dict[str, object] = {}
    for name in config.scores:
        split = name.removesuffix("_accuracy")
        if split == name:
            continue
        told = _tell_share(scores.pop(name))
        if {f"{split}_low", f"{split}_high", f"{split}_n"} <= set(scores):
            low, high, n = (scores.pop(f"{split}_{part}") for part in ("low", "high", "n"))
            told += f" (95 % interval {100 * low:.2f} to {100 * high:.2f} %, {n:,.0f} images)"
        if config.data.scored_on:
            told += f", measured on {config.data.scored_on}"
        facts[f"{split.replace('_', ' ')} accuracy"] = told
        for end, (what, is_share) in _BESIDE.items():
            value = scores.pop(f"{split}_{end}", None)
            if value is not None:
                facts[f"{split.replace('_', ' ')} {what}"] = _tell_share(value) if is_share else f"{value:.4f}"
    return _list({**facts, **scores})


def _tell_share(share: float) -> str:
    return f"{100 * share:.2f} %"


def _tell_classes(per_class: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write a table with a row for each class, the worst first."""
    worst = sorted((each for each in per_class if each["support"]), key=lambda each: float(each["f1"]))
    if not worst:
        return []
    rows = ["| class | precision | recall | F1 | images |", "|---|---:|---:|---:|---:|"]
    for each in worst:
        name = _one_line(str(each["name"])).replace("|", "\\|")
        shares = " | ".join(_tell_share(each[what]) for what in ("precision", "recall", "f1"))
        rows.append(f"| {name} | {shares} | {each['support']:,} |")
    return ["### Each class\n\n" + "\n".join(rows)]


def _tell_origin(config: ModelConfig) -> list[str]:
    environment = dict(config.environment)
    command = _one_line(str(environment.pop("command", "")))
    # A call from Python is code as well as a command is; four spaces make either.
    how = [f"With the settings below, or by\n\n    {command}"] if command else []
    return ["## How to make it again", *how, "It was made with\n\n" + _list(_flatten(environment))]


def _describe_use(folder: str) -> str:
    return f"""## Use

From the command line:

    skconv predict {folder} image.png
    skconv evaluate {folder} SOURCE

From Python, without torch:

    from skconv import OnnxClassifier
    reader = OnnxClassifier("{folder}")
    labels = reader.predict(images)"""


def _flatten(environment: dict[str, object]) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, value in environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {part}" for key, part in value.items())
        facts[name] = value
    return facts


def _list(facts: Mapping[str, object]) -> str:
    return "\n".join(f"- {name}: {_one_line(str(value))}" for name, value in facts.items())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _write_front_matter(config: ModelConfig) -> str:
    """Return the front matter of a model card, with the keys that model hubs know.

    The licence is that of the data: whoever publishes a model decides about the model's own.

    Parameters
    ----------
    config : ModelConfig
        The model's configuration.

    Returns
    -------
    str
        Lines of YAML, those of dashes included. Every value is quoted as JSON, which is YAML too.
    """
    licence = _LICENCES.get(config.data.licence, "other")
    facts: dict[str, Any] = {"license": licence}
    if licence == "other":
        facts["license_name"] = _clean(config.data.licence)
    facts |= {
        "library_name": "skconv",
        "pipeline_tag": "image-classification",
        "tags": ["skconv", "image-classification", "convolutional-network", "onnx", "safetensors"],
        "datasets": [_clean(config.data.name)],
    }
    results = _list_results(config)
    if results:
        facts |= {
            "metrics": ["accuracy"],
            "model-index": [{"name": f"{config.network.name} on {_clean(config.data.name)}", "results": results}],
        }
    # A name may hold quotes and colons: only as JSON is it surely one value.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join(["---", *lines, "---"])


def _list_results(config: ModelConfig) -> list[dict[str, Any]]:
    """Return one result for each split that an accuracy was measured on."""
    results = []
    for name, value in config.scores.items():
        split = name.removesuffix("_accuracy")
        if split == name:
            continue
        told = f"accuracy, {_clean(config.data.scored_on)}" if config.data.scored_on else "accuracy"
        data = _clean(config.data.name)
        results.append(
            {
                "task": {"type": "image-classification"},
                "dataset": {"type": data, "name": data, "split": split},
                "metrics": [{"type": "accuracy", "value": value, "name": told}],
            }
        )
    return results


def _clean(text: str) -> str:
    """Return a text without what YAML forbids even in quotes."""
    return "".join(character if character.isprintable() else " " for character in text)
