"""Web page on which a model classifies images: of the service, and of ``skconv export --format web``."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("page")  # folder of the static files
