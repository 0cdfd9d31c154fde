"""Registry of networks: `create_network`, `list_networks`, `describe_network`, `register_network`."""

from skconv.networks.registry import create_network, describe_network, list_networks, register_network

__all__ = ["create_network", "describe_network", "list_networks", "register_network"]
