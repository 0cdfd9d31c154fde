"""Model folders without executable code: weights as safetensors, ``config.json``, ONNX graph and model card.

Importing this package imports neither torch nor onnx; saving and loading weights do.
"""

from __future__ import annotations

from skconv.model_io.config import DataConfig, FileRecord, InputConfig, ModelConfig, NetworkConfig, describe_environment
from skconv.model_io.folder import find_model_folder, read_config
from skconv.model_io.records import TrainingFingerprints, read_fingerprints
from skconv.model_io.saving import load_weights, save_model

__all__ = [
    "DataConfig",
    "FileRecord",
    "InputConfig",
    "ModelConfig",
    "NetworkConfig",
    "TrainingFingerprints",
    "describe_environment",
    "find_model_folder",
    "load_weights",
    "read_config",
    "read_fingerprints",
    "save_model",
]
