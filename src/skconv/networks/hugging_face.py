"""Networks `hf:OWNER/NAME`: image classifiers of the Hugging Face Hub, or of a local folder, with a new head."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skconv.exceptions import ModelFileError, ParameterError
from skconv.networks.hub_files import (
    CONFIG_NAME,
    PREPROCESSOR_NAME,
    fetch,
    fetch_weights,
    import_transformers,
    is_local,
    read_json,
)
from skconv.networks.options import check_option
from skconv.networks.pretrained import PretrainedNetwork, PretrainedNormalization
from skconv.text import format_error

_N_LABELS = 9973  # number of labels of the original head, by which its layers are recognised; no other layer has it
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DEFAULT_SIZE = 224
# Entries of a preprocessor that determine the values of the pixels, and have a default per image processor.
_NORMALIZATION = (
    "do_rescale", "rescale_factor", "rescale_offset", "do_normalize", "image_mean", "image_std",
    "include_top", "do_flip_channel_order",
)  # fmt: skip
# Entries that could import code or download files, that change the dtype or the type of the output, and those of the
# original labels.
_DROPPED = frozenset(
    {"auto_map", "attn_implementation", "_attn_implementation", "quantization_config", "id2label", "label2id"}
    | {"dtype", "torch_dtype", "return_dict", "torchscript", "_name_or_path", "num_labels"}
    | {"backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"}
)


def get_factory(name: str) -> Callable[..., PretrainedNetwork]:
    """Return the function that creates the network `name`, which begins with ``hf:``; see `hugging_face`."""
    create = partial(hugging_face, name)
    create.__doc__ = hugging_face.__doc__
    return create


def hugging_face(
    name: str,
    *,
    revision: str | None = None,
    size: int | None = None,
    config: Mapping[str, Any] | None = None,
    preprocessor: Mapping[str, Any] | None = None,
    **shape: Any,
) -> PretrainedNetwork:
    """Image classifier of the Hugging Face Hub (``hf:OWNER/NAME``) or of a folder (``hf:./FOLDER``) with a new head.

    Options: revision (branch, tag or commit of the repository, its default branch), size (pixels per side to which the
    network resizes images, that of the model), config and preprocessor (contents of ``config.json`` and
    ``preprocessor_config.json``, read from the repository; a saved model contains them). Requires the extra "hub".
    The weights must be safetensors files. Code in the repository is not executed.
    """
    for option, value in (("config", config), ("preprocessor", preprocessor)):
        if not isinstance(value, Mapping | None):
            raise ParameterError(f"The network's option '{option}' is {value!r:.100}; expected a mapping, or omit it.")
    if not isinstance(revision, str | None):
        raise ParameterError(f"The network's option 'revision' is {revision!r}; expected a branch, tag or commit.")
    import_transformers(name)
    if config is None:
        folder = fetch(name, revision, [CONFIG_NAME, PREPROCESSOR_NAME])
        config = read_json(folder / CONFIG_NAME)
        preprocessor = _read_preprocessor(folder) if preprocessor is None else preprocessor
        if not is_local(name):
            revision = folder.name  # the folder of a snapshot has the name of the commit
        if preprocessor.get("do_normalize", True) and not {"image_mean", "image_std"} <= set(preprocessor):
            warnings.warn(
                f"{name} has no {PREPROCESSOR_NAME} with image_mean and image_std, so images are normalised with the "
                "mean and standard deviation of ImageNet. If it expects others, pass the option 'preprocessor' with "
                "image_mean and image_std, or with do_normalize=False.",
                stacklevel=2,
            )
    return HuggingFaceNetwork(name, revision, dict(config), dict(preprocessor or {}), size=size, **shape)


def _read_preprocessor(folder: Path) -> dict[str, Any]:
    """Return the content of ``preprocessor_config.json`` with the defaults of its image processor; {} without the file.

    Defaults of unknown image processors are missing.
    """
    from transformers import AutoImageProcessor

    if not (folder / PREPROCESSOR_NAME).is_file():
        return {}
    preprocessor = {key: value for key, value in read_json(folder / PREPROCESSOR_NAME).items() if value is not None}
    try:
        with _quiet_transformers():
            known = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception:  # errors of transformers have no common base class
        return preprocessor
    defaults = {key: getattr(known, key, None) for key in _NORMALIZATION}
    defaults["do_normalize"] = bool(defaults["do_normalize"])  # None if the processor never normalizes
    return {**{key: value for key, value in defaults.items() if value is not None}, **preprocessor}


class HuggingFaceNetwork(PretrainedNetwork):
    """Image classifier of the library transformers, whose last layer is replaced by a linear layer for the classes.

    Its only stage is the whole network without the original classification layer.
    """

    channels_last = False  # as for users' modules: torch's kernels corrupt the memory for some convolutions

    def __init__(
        self,
        name: str,
        revision: str | None,
        config: dict[str, Any],
        preprocessor: dict[str, Any],
        *,
        in_channels: int,
        image_size: tuple[int, int],
        num_classes: int,
        size: int | None,
    ) -> None:
        side = find_input_size(config, preprocessor)
        if size is not None:
            check_option("size", size, 8, 2048, integer=True)
            side = (int(size), int(size))
        super().__init__(_make_normalization(name, in_channels, image_size, side, preprocessor), num_classes)
        self.name, self.revision = name, revision
        kept = {key: value for key, value in config.items() if key not in _DROPPED}
        self.saved_options = {"config": kept, "preprocessor": preprocessor}
        if revision is not None:
            self.saved_options["revision"] = revision
        model, n_features = _create_model(name, kept)
        self.stages = nn.Sequential(_Features(model))
        self.head = nn.Linear(n_features, num_classes)
        if self.head.weight.device.type != "meta":
            self._check_features(side, n_features)

    def load_pretrained(self) -> list[str]:
        """Download the weights, or read them from the cache or a folder; return the names of their tensors."""
        from transformers import AutoModelForImageClassification

        folder = fetch_weights(self.name, self.revision)
        with _quiet_transformers():
            try:
                original, found = AutoModelForImageClassification.from_pretrained(
                    folder,
                    config=_create_config(self.name, self.saved_options["config"]),
                    use_safetensors=True,
                    trust_remote_code=False,
                    local_files_only=True,
                    ignore_mismatched_sizes=True,  # the original head
                    output_loading_info=True,
                    dtype=torch.float32,
                )
            except Exception as error:  # errors of transformers have no common base class
                raise ModelFileError(f"The weights of {self.name} cannot be loaded ({format_error(error)}).") from error
        model: Any = self.stages[0].model
        tensors = {key: tensor for key, tensor in original.state_dict().items() if key in model.state_dict()}
        unset = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
        missing = sorted(key for key in model.state_dict() if key in unset or key not in tensors)
        if missing:
            raise ModelFileError(
                f"The weights of {self.name} lack {len(missing)} of {len(model.state_dict())} tensors of the network, "
                f"such as '{missing[0]}'. Choose a model whose weights are complete."
            )
        model.load_state_dict(tensors)
        return [f"stages.0.model.{key}" for key in tensors]

    def _check_features(self, side: tuple[int, int], n_features: int) -> None:
        """Raise `ParameterError` unless the model returns features (1, n_features) for an image of its input size."""
        training = self.stages.training
        try:
            with torch.no_grad():
                features = self.stages.eval()(torch.zeros(1, 3, *side))
            if tuple(features.shape) != (1, n_features):
                raise ValueError(f"it returns features of shape {tuple(features.shape)}")
        except Exception as error:  # raised by the code of the model
            raise ParameterError(
                f"{self.name} does not accept images of {side[1]}×{side[0]} pixels ({format_error(error)}). "
                "Pass another option 'size', or choose another model."
            ) from error
        finally:
            self.stages.train(training)


class _Features(nn.Module):
    """Features (n, d) that the original head of a model of transformers receives."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, d) of normalized images (n, 3, height, width)."""
        if not torch.jit.is_tracing():
            features: Tensor = self.model(pixel_values=images).logits
            return features
        with warnings.catch_warnings():
            # Branches of these models depend on the size of the images only, which the input layer fixes.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            return self.model(pixel_values=images).logits


def find_input_size(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of the images that a model expects.

    Examples
    --------
    >>> find_input_size({"image_size": 518}, {"size": {"shortest_edge": 256}, "crop_size": 224})
    (224, 224)
    """
    crop = preprocessor.get("crop_size") if preprocessor.get("do_center_crop", True) else None
    vision = config.get("vision_config")
    nested = vision.get("image_size") if isinstance(vision, Mapping) else None
    for value in (crop, preprocessor.get("size"), config.get("image_size"), nested):
        if isinstance(value, Mapping):
            edge = value.get("shortest_edge")
            value = (value.get("height", edge), value.get("width", edge))
        pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
        if len(pair) == 2 and all(isinstance(side, int) and 0 < side <= 4096 for side in pair):
            return pair
    return _DEFAULT_SIZE, _DEFAULT_SIZE


def _create_model(name: str, config: Mapping[str, Any]) -> tuple[nn.Module, int]:
    """Return a model without its classification layer, with random weights, and its number of features."""
    from transformers import AutoModelForImageClassification

    with _quiet_transformers():
        try:
            model = AutoModelForImageClassification.from_config(_create_config(name, config), trust_remote_code=False)
        except Exception as error:  # errors of transformers have no common base class
            raise ParameterError(
                f"{name} cannot be used as a network ({format_error(error)}). Choose an image classifier."
            ) from error
    heads = {
        path: layer
        for path, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer.out_features == _N_LABELS
    }
    if len({layer.in_features for layer in heads.values()}) != 1:
        raise ParameterError(f"{name} has no linear classification layer, which skconv could replace.")
    for path in heads:
        model.set_submodule(path, nn.Identity())
    return model, next(iter(heads.values())).in_features


def _create_config(name: str, config: Mapping[str, Any]) -> Any:
    """Return the configuration for transformers, with a number of labels that marks the classification layer."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KINDS

    kind: Any = config.get("model_type")
    if kind not in KINDS or kind == "timm_wrapper":
        fix = "Create it with timm, and pass it as network." if kind == "timm_wrapper" else "Choose another model."
        raise ParameterError(f"{name} has the model type {kind!r}, which is no image classifier of transformers. {fix}")
    options = {key: value for key, value in config.items() if key not in (*_DROPPED, "model_type")}
    return AutoConfig.for_model(kind, **options, num_labels=_N_LABELS)


def _make_normalization(
    name: str,
    in_channels: int,
    image_size: tuple[int, int],
    side: tuple[int, int],
    preprocessor: Mapping[str, Any],
) -> PretrainedNormalization:
    """Return the input layer for the preprocessing of a model, whose pixels are 0..255 before it is rescaled."""
    factor = preprocessor.get("rescale_factor", 1 / 255) if preprocessor.get("do_rescale", True) else 1.0
    given = preprocessor.get("image_mean", _IMAGENET_MEAN), preprocessor.get("image_std", _IMAGENET_STD)
    try:
        mean, image_std = (np.broadcast_to(np.asarray(each, float), 3) for each in given)
        std = image_std
        if not preprocessor.get("do_normalize", True):
            mean, std = np.zeros(3), np.ones(3)
        if preprocessor.get("rescale_offset", False):  # EfficientNet: the rescaled pixels are -1..1
            mean = mean + 1
        if preprocessor.get("include_top", False):  # EfficientNet: divided by the standard deviation once more
            std = std * image_std
        mean, std = mean / (255 * float(factor)), std / (255 * float(factor))
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and std.all()):
            raise ValueError
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ParameterError(
            f"{name} has an invalid {PREPROCESSOR_NAME}: image_mean, image_std or rescale_factor are no numbers, or 0."
        ) from error
    return PretrainedNormalization(
        in_channels,
        image_size,
        side,
        channel_mean=mean.tolist(),
        channel_std=std.tolist(),
        reverse_channels=bool(preprocessor.get("do_flip_channel_order", False)),
    )


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Suppress progress bars and reports on unused weights of transformers inside the block."""
    from transformers.utils import logging

    level, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_bars:
            logging.enable_progress_bar()
