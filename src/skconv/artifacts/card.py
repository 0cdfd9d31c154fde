"""``card.md``: what a person must know about a model before using it."""

from __future__ import annotations

from collections.abc import Mapping

from skconv.artifacts.config import ModelConfig
from skconv.artifacts.folder import HELD_OUT_NAME, SEEN_NAME


def write_card(config: ModelConfig, *, n_parameters: int, folder_name: str = "model") -> str:
    """Return the model card of `config` as Markdown.

    Parameters
    ----------
    config : ModelConfig
        The model's configuration, `files` included.
    n_parameters : int
        Number of trained values.
    folder_name : str, default "model"
        How the commands on the card name the folder.

    Returns
    -------
    str
        What it does, its data with licence and fingerprint, scores, use, and how it was made.
    """
    channels, height, width = config.input.shape
    colour = "grey" if channels == 1 else f"{channels}-channel"
    sections = [
        f"# {config.network.name} on {_one_line(config.data.name)}",
        f"A convolutional network that sorts {colour} pictures of {height}×{width} pixels into "
        f"{len(config.classes)} classes. {n_parameters:,} parameters. "
        f"Made by skconv {config.skconv_version} on {config.created}.",
        "## Classes\n\n" + ", ".join(_one_line(name) for name in config.class_names),
        "## Data\n\n"
        + _list(
            {
                "name": config.data.name,
                "source": config.data.source,
                "licence": config.data.licence,
                "training pictures": f"{config.data.n_train:,}{_tell_seen(config)}",
                "fingerprint (sha256)": config.data.fingerprint,
            }
        ),
        "## Scores\n\n" + _describe_scores(config) + _tell_calibrated(config),
        _describe_use(folder_name),
        "## Limits\n\nThe scores hold for pictures like those it was trained on. "
        "It answers with one of its classes for any picture, also for one that shows none of them.",
        "## How it was made\n\n" + _list(_flatten(config.environment)),
        "Settings:\n\n" + _list({"network options": config.network.options, **config.parameters}),
        "## Files\n\n"
        + _list({name: f"{file.bytes:,} bytes, sha256 {file.sha256}" for name, file in config.files.items()}),
    ]
    return "\n\n".join(sections) + "\n"


def _tell_seen(config: ModelConfig) -> str:
    if SEEN_NAME not in config.files:
        return ""
    return f" (known again by {SEEN_NAME}: skconv evaluate does not score the model on them)"


def _tell_calibrated(config: ModelConfig) -> str:
    if HELD_OUT_NAME not in config.files:
        return "\n\nIts confidences are not calibrated."
    return (
        "\n\nIts confidences are calibrated: divided by a temperature that fits pictures held out of the training. "
        f"Its answers to these are in {HELD_OUT_NAME}, for skconv predict --coverage."
    )


def _describe_scores(config: ModelConfig) -> str:
    """Write each accuracy with its interval and pictures, and other scores as they are."""
    if not config.scores:
        return "None were measured."
    scores = dict(config.scores)
    facts: dict[str, object] = {}
    for name in config.scores:
        split = name.removesuffix("_accuracy")
        if split == name:
            continue
        told = f"{scores.pop(name):.2%}".replace("%", " %")
        if {f"{split}_low", f"{split}_high", f"{split}_n"} <= set(scores):
            low, high, n = (scores.pop(f"{split}_{part}") for part in ("low", "high", "n"))
            told += f" (95 % interval {100 * low:.2f} to {100 * high:.2f} %, {n:,.0f} pictures)"
        if config.data.scored_on:
            told += f", measured on {config.data.scored_on}"
        facts[f"{split.replace('_', ' ')} accuracy"] = told
    return _list({**facts, **scores})


def _describe_use(folder: str) -> str:
    return f"""## Use

From the command line:

    skconv predict {folder} picture.png
    skconv evaluate {folder} SOURCE

From Python, without torch:

    from skconv import Reader
    reader = Reader("{folder}")
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
