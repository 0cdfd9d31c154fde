"""The head of ``card.md`` that a model hub reads: YAML between two lines of dashes."""

from __future__ import annotations

import json
from typing import Any

from skconv.model_io.config import ModelConfig

# What a hub calls the licences of the data sets that are known by name.
_LICENCES = {"CC BY-SA 3.0": "cc-by-sa-3.0", "CC BY 4.0": "cc-by-4.0", "MIT": "mit", "unknown": "unknown"}


def write_front_matter(config: ModelConfig) -> str:
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
