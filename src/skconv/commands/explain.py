"""`explain`: draw activation maps, attributions or the nearest training images for one image."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError, UnknownNameError
from skconv.files import check_new_file
from skconv.signature import expand_paths
from skconv.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.inference import OnnxClassifier
    from skconv.networks.blocks import Network

EXPLANATIONS = ("activations", "occlusion", "attributions", "neighbours")
_MAX_COMPARED = 10_000  # training images; takes a few seconds
_N_NEIGHBOURS = 19  # fills two rows of the figure, together with the image


@dataclass(frozen=True)
class ExplainedLayer:
    """A convolution: name of the module, number and size of its activation maps."""

    name: str
    maps: int
    height: int
    width: int


@dataclass(frozen=True)
class Neighbour:
    """A training image with similar features."""

    position: int  # index of the training image, from 0
    label: str  # its class
    distance: float  # cosine distance of the features, 0..2


@dataclass(frozen=True)
class ExplanationResult(Result):
    """Result of `explain`.

    Parameters
    ----------
    input : str
        Path of the image.
    label : str
        Name of the most probable class.
    confidence : float
        Its probability, 0..1.
    layers : tuple of ExplainedLayer
        The convolutions in the order of the forward pass, each with `name`, `maps`, `height` and `width`; empty unless
        activations are shown.
    figure : str
        Path of the written PNG file.
    neighbours : tuple of Neighbour, default=()
        The nearest training images, nearest first, each with `position`, `label` and `distance`; empty unless
        neighbours are shown.
    """

    input: str
    label: str
    confidence: float
    layers: tuple[ExplainedLayer, ...]
    figure: str
    neighbours: tuple[Neighbour, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.input}: {self.label} ({format_percent(self.confidence, 1)})"]
        if self.layers:
            lines.append("Convolutions:")
            lines += [f"  {each.name}: {each.maps} maps, {each.width}×{each.height}" for each in self.layers]
        if self.neighbours:
            near = ", ".join(f"{each.label} ({each.distance:.3f})" for each in self.neighbours)
            lines.append(f"Nearest training images, with distance: {near}")
        return "\n".join([*lines, f"Figure in {self.figure}."])


@expand_paths
def explain(
    model: str | os.PathLike[str],
    image: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    show: str = "activations",
    network: Any = None,
    source: str | os.PathLike[str] | None = None,
    data_home: str | os.PathLike[str] | None = None,
) -> ExplanationResult:
    """Draw an explanation of a model's prediction for one image.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    image : path-like
        One image.
    out : path-like
        PNG file to write or replace; its name must end in ``.png``.
    show : {"activations", "occlusion", "attributions", "neighbours"}, default="activations"
        "activations": the filters of the first convolution, and after every convolution the activation maps with the
        largest magnitudes, at most 32. "occlusion": how covering parts of the image changes the probabilities of the
        two most probable classes. "attributions": the contribution of each pixel to these probabilities, by integrated
        gradients (requires the extra ``explain``). "neighbours": the nearest training images, by the cosine distance of
        the inputs of the last linear layer, among at most 10,000 evenly spaced ones.
    network : str, class, callable or torch.nn.Module, optional
        The network of your own that the model was trained with, or its import path; required except for "occlusion".
    source : str or path-like or None, default=None
        Training images for "neighbours"; None uses the data that the model was trained on.
    data_home : path-like or None, default=None
        As in `skconv.load_dataset`.

    Returns
    -------
    ExplanationResult
        Label and confidence; the convolutions or the neighbours.

    Raises
    ------
    ModelFileError
        If the model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        If the image is missing or not a single image, or if the training images are missing or have another size than
        the model's.
    OutputError
        If `out` is no PNG file name, is the image itself, or cannot be written; an existing file is unchanged.
    UnknownNameError
        If the value of `show` is unknown.
    ParameterError
        If "attributions" is requested and captum is not installed, or the network of a user's model is missing.

    Warns
    -----
    UserWarning
        If the image was resized or converted for the model, or if only the first member of an ensemble is shown.
    """
    if show not in EXPLANATIONS:
        raise UnknownNameError("explanation", show, EXPLANATIONS)
    check_new_file(out, suffix=".png", inputs=[image])
    check_model(model, "skconv explain RUN IMAGE --out FILE.png", [image])
    from skconv.data.inputs import load_inputs
    from skconv.inference import OnnxClassifier
    from skconv.reports.style import save_figure

    classifier = OnnxClassifier(model)
    names, images, notes = load_inputs(image, classifier.image_spec)
    if len(images) != 1:
        raise DataError(f"{os.fspath(image)} has {len(images):,} images; expected one. Pass a single image file.")
    for note in notes:
        warnings.warn(note, stacklevel=2)
    probabilities = classifier.predict_proba(images)[0]
    label = classifier.class_names[int(probabilities.argmax())]
    layers: tuple[ExplainedLayer, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    module = None if show == "occlusion" else _load_network(classifier, network)  # occlusion uses only predictions
    if module is None or show == "attributions":
        figure = _draw_attributions(classifier, module, images[0], probabilities)
    elif show == "activations":
        figure, layers = _draw_activations(classifier, module, images[0], probabilities)
    else:
        trained_on = _find_source(classifier) if source is None else source
        figure, neighbours = _draw_neighbours(classifier, module, images[0], label, trained_on, data_home)
    save_figure(figure, out)
    return ExplanationResult(
        input=names[0],
        label=label,
        confidence=float(probabilities.max()),
        layers=layers,
        figure=os.fspath(out),
        neighbours=neighbours,
    )


def _find_source(classifier: OnnxClassifier) -> str:
    """Return the stored source of the training data, or its name if that is a known data set."""
    from skconv.data.catalog.lookup import get_entry, list_datasets

    data = classifier.config.data
    known = {get_entry(name).path_name: name for name in list_datasets()}
    if data.name in known:
        return known[data.name]
    if data.source.startswith("openml:") or (data.source and Path(data.source).exists()):
        return data.source
    raise SourceNotFoundError(
        f"The training data '{data.name}' of the model is not at '{data.source}'. Pass it with --source."
    )


def _load_network(classifier: OnnxClassifier, network: Any) -> Network:
    """Return the torch network of a classifier; `network` is the user's own, or its import path."""
    from skconv.estimators.persistence import load_network, uses_own_code
    from skconv.networks.spec import import_network

    if network is None and uses_own_code(classifier.config):
        options = classifier.config.network.options
        path = options.get("network", classifier.config.network.name)
        raise ParameterError(
            f"The model has the network {path}, whose code is not part of a model folder. Pass --network {path} to "
            "import it, or --show occlusion, which needs only predictions."
        )
    return load_network(classifier.folder, import_network(network) if isinstance(network, str) else network)


def _draw_activations(
    classifier: OnnxClassifier, network: Network, image: np.ndarray, probabilities: np.ndarray
) -> tuple[Figure, tuple[ExplainedLayer, ...]]:
    from skconv.evaluation.activations import collect_activations, filters_on_pixels
    from skconv.reports.activations import draw_activations

    note = _warn_of_ensemble(network, "Filters and maps are")
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(image, probabilities, classifier.class_names, layers, filters, note=note)
    return figure, tuple(ExplainedLayer(layer.name, *layer.maps.shape) for layer in layers)


def _draw_attributions(
    classifier: OnnxClassifier, network: Network | None, image: np.ndarray, probabilities: np.ndarray
) -> Figure:
    """Draw integrated gradients of a network; without a network, the sensitivity to occlusion."""
    from skconv.evaluation.attributions import integrate_gradients, occlude
    from skconv.reports.image_grids import draw_attributions

    order = [int(k) for k in np.argsort(-probabilities, kind="stable")[:2]]
    if network is not None:
        maps = [integrate_gradients(network, image, k) for k in order]
    else:
        maps = [occlude(classifier.predict_proba, image, k) for k in order]
    captions = [f"for {classifier.class_names[k]}, {100 * probabilities[k]:.1f} %" for k in order]
    return draw_attributions(np.stack([image] * len(order)), [[each] for each in maps], captions)


def _draw_neighbours(
    classifier: OnnxClassifier,
    network: Network,
    image: np.ndarray,
    label: str,
    source: str | os.PathLike[str],
    data_home: str | os.PathLike[str] | None,
) -> tuple[Figure, tuple[Neighbour, ...]]:
    from skconv.commands.scoring import convert_images, load_for_model
    from skconv.evaluation.activations import collect_features, find_nearest
    from skconv.reports.image_grids import draw_grid

    _warn_of_ensemble(network, "The features are")
    dataset = load_for_model(classifier, source, data_home=data_home)
    sample = _space_evenly(len(dataset.train_images), 2 * _MAX_COMPARED)  # more, because some may have been held out
    images, note = convert_images(classifier, dataset, dataset.train_images[sample])
    if note:
        warnings.warn(note, stacklevel=4)
    known = _find_trained(classifier, images)
    known = known[_space_evenly(len(known), _MAX_COMPARED)]
    compared, images = sample[known], images[known]
    features = collect_features(network, images)
    nearest, distances = find_nearest(features, collect_features(network, image[None])[0], _N_NEIGHBOURS)
    labels = [dataset.class_names[dataset.train_labels[compared[k]]] for k in nearest]
    title = f"Nearest of {len(compared):,} training images of {dataset.name}\n(class, distance)"
    captions = [
        [label, "the image"],
        *([name, f"{distance:.3f}"] for name, distance in zip(labels, distances, strict=True)),
    ]
    figure = draw_grid(np.concatenate([image[None], images[nearest]]), captions, title)
    found = zip(compared[nearest].tolist(), labels, distances.tolist(), strict=True)
    return figure, tuple(Neighbour(position, name, distance) for position, name, distance in found)


def _space_evenly(n: int, n_max: int) -> np.ndarray:
    """Return at most `n_max` evenly spaced indices below n."""
    return np.unique(np.linspace(0, n - 1, min(n, n_max)).astype(int))


def _find_trained(classifier: OnnxClassifier, images: np.ndarray) -> np.ndarray:
    """Return the positions of the images that the model was trained on; all positions if it was trained on none."""
    from skconv.model_io.records import read_fingerprints

    fingerprints = read_fingerprints(classifier.folder, classifier.config)
    positions = np.arange(len(images))
    trained = positions if fingerprints is None else positions[fingerprints.contains(images)]
    return trained if len(trained) else positions


def _warn_of_ensemble(network: Network, subject: str) -> str:
    """Warn that the first member of an ensemble is shown, and return the warning; "" for a single network."""
    from skconv.networks.ensemble import first_member

    if first_member(network) is network:
        return ""
    note = f"{subject} those of the ensemble's first member."
    warnings.warn(note, stacklevel=5)
    return note
