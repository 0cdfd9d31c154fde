"""Options with which a registered network computes fast."""

from skconv.networks.registry import list_options


def list_small_options(name: str) -> dict[str, int]:
    """Return the options of a network that reduce its own image size, because all are slow at their default size."""
    return {"size": 32} if "size" in list_options(name) else {}
