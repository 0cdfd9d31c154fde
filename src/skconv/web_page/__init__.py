"""Web page on which a model classifies images: of the service, and of ``skconv export --format web``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from skconv.model_io.config import ModelConfig

PAGE = Path(__file__).with_name("page")  # folder of the static files


def describe_config(config: ModelConfig) -> dict[str, Any]:
    """Return the description of a model that the page needs, as JSON values."""
    images = config.input
    return {
        "name": config.data.name,
        "network": config.network.name,
        "class_names": list(config.class_names),
        "input": {"channels": images.channels, "height": images.height, "width": images.width},
        "n_classes": len(config.class_names),
        "created": config.created,
        "skconv_version": config.skconv_version,
        "scores": dict(config.scores),
        "ood": None if config.ood is None else asdict(config.ood),
    }
