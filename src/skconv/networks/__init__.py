"""Registry of networks: `create_network`, `list_networks`, `describe_network`, `register_network`."""

from skconv.networks.registry import check_network, create_network, describe_network, list_networks, register_network

__all__ = ["check_network", "create_network", "describe_network", "list_networks", "register_network"]
