"""Networks by name: `create_network`, `list_networks`, `describe_network`, `register_network`."""

# Importing a family registers its networks.
from skconv.networks import compact as _compact  # noqa: F401
from skconv.networks import ensemble as _ensemble  # noqa: F401
from skconv.networks import fast as _fast  # noqa: F401
from skconv.networks import plain as _plain  # noqa: F401
from skconv.networks import tutorials as _tutorials  # noqa: F401
from skconv.networks.registry import create_network, describe_network, list_networks, register_network

__all__ = ["create_network", "describe_network", "list_networks", "register_network"]
