"""`explain`: draw what a saved model computes for one image, what its answer rests on, and what it finds alike."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError, UnknownNameError
from skconv.reports.style import check_figure_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.inference import OnnxClassifier
    from skconv.networks.blocks import Network

SHOWN = ("activations", "occlusion", "attributions", "neighbours")
_MOST_COMPARED = 10_000  # training images, so that the answer comes in seconds
_NEIGHBOURS = 19  # with the image itself, two rows


@dataclass(frozen=True)
class ExplainedLayer:
    """One convolution.

    Parameters
    ----------
    name : str
        Where it stands in the network.
    maps, height, width : int
        How many activation maps it gives, and their size.
    """

    name: str
    maps: int
    height: int
    width: int


@dataclass(frozen=True)
class Neighbour:
    """A training image that the network finds near.

    Parameters
    ----------
    position : int
        Which of the training images it is, from 0.
    label : str
        Its class.
    distance : float
        1 - cosine of the features: 0 for the same, 2 for the opposite.
    """

    position: int
    label: str
    distance: float


@dataclass(frozen=True)
class ExplanationResult:
    """What `explain` found.

    Parameters
    ----------
    input : str
        The image.
    label : str
        Name of the most probable class.
    confidence : float
        The model's probability of that class, 0..1.
    layers : tuple of ExplainedLayer
        The convolutions, in the order they are computed; none where something else is shown.
    figure : str
        The file that was written.
    neighbours : tuple of Neighbour, default=()
        The nearest training images, the nearest first, where these are shown.
    """

    input: str
    label: str
    confidence: float
    layers: tuple[ExplainedLayer, ...]
    figure: str
    neighbours: tuple[Neighbour, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.input}: {self.label} ({self.confidence:.1%})"]
        if self.layers:
            lines.append("Convolutions:")
            lines += [f"  {each.name}: {each.maps} maps, {each.height}×{each.width}" for each in self.layers]
        if self.neighbours:
            near = ", ".join(f"{each.label} ({each.distance:.3f})" for each in self.neighbours)
            lines.append(f"Nearest training images, with distance: {near}")
        return "\n".join([*lines, f"Figure in {self.figure}."])


def explain(
    model: str | os.PathLike[str],
    image: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    show: str = "activations",
    source: str | os.PathLike[str] | None = None,
    data_home: str | os.PathLike[str] | None = None,
) -> ExplanationResult:
    """Draw what a model computes for one image, what its answer rests on, or which training images it finds alike.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    image : path-like
        One image.
    out : path-like
        The PNG file to write, by a name that ends in ``.png``. An existing file is replaced in one step.
    show : {"activations", "occlusion", "attributions", "neighbours"}, default="activations"
        "activations": the filters of the first convolution, and after every convolution the activation maps that reach
        the largest magnitude, at most 32. "occlusion": for the two most probable classes, the parts of the image
        whose covering changes their probability. "attributions": for these classes, what each pixel adds to their
        probability, by integrated gradients (with the extra ``explain``). "neighbours": the training images nearest
        to it in what the last linear layer gets, of at most 10,000 evenly picked ones.
    source : str or path-like or None, default=None
        The training images for "neighbours"; None takes the data that the model says it was trained on.
    data_home : path-like or None, default=None
        As in `skconv.load_dataset`.

    Returns
    -------
    ExplanationResult
        Label and confidence; the convolutions or the neighbours.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        The image is not there, is no image, or is more than one; training images that cannot be found, or are of
        another size than the model's.
    OutputError
        `out` is no PNG file's name, is the image itself, or cannot be written; an existing file is as it was.
    UnknownNameError
        There is nothing of that name to show.
    ParameterError
        "attributions" without captum.

    Warns
    -----
    UserWarning
        What was done to the image to make it fit the model: resized, made grey. Or the model is an ensemble, of which
        the filters and maps, or the features, of the first member are shown.
    """
    if show not in SHOWN:
        raise UnknownNameError("explanation", show, SHOWN)
    check_figure_path(out, [image])
    from skconv.data.inputs import load_inputs
    from skconv.inference import OnnxClassifier
    from skconv.reports.style import save_figure

    reader = OnnxClassifier(model)
    names, images, notes = load_inputs(image, reader.image_spec)
    if len(images) != 1:
        raise DataError(f"{os.fspath(image)} holds {len(images):,} images; one is explained at a time. Name one file.")
    for note in notes:
        warnings.warn(note, stacklevel=2)
    probabilities = reader.predict_proba(images)[0]
    best = int(probabilities.argmax())
    layers: tuple[ExplainedLayer, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    if show == "activations":
        figure, layers = _draw_layers(reader, images[0], probabilities)
    elif show in ("occlusion", "attributions"):
        figure = _draw_parts(reader, images[0], probabilities, by_gradients=show == "attributions")
    else:
        chosen = reader.config.data.name if source is None else source
        figure, neighbours = _draw_nearest(reader, images[0], reader.class_names[best], chosen, data_home)
    save_figure(figure, out)
    return ExplanationResult(
        input=names[0],
        label=reader.class_names[best],
        confidence=float(probabilities[best]),
        layers=layers,
        figure=os.fspath(out),
        neighbours=neighbours,
    )


def _draw_layers(
    reader: OnnxClassifier, image: np.ndarray, probabilities: np.ndarray
) -> tuple[Figure, tuple[ExplainedLayer, ...]]:
    from skconv.estimators.persistence import load_network
    from skconv.evaluation.activations import collect_activations, filters_on_pixels
    from skconv.reports.activations import draw_activations

    network = load_network(reader.folder)
    note = _note_ensemble(network, "Filters and maps are")
    layers = collect_activations(network, image)
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(image, probabilities, reader.class_names, layers, filters, note=note)
    return figure, tuple(ExplainedLayer(layer.name, *layer.maps.shape) for layer in layers)


def _draw_parts(reader: OnnxClassifier, image: np.ndarray, probabilities: np.ndarray, *, by_gradients: bool) -> Figure:
    from skconv.evaluation.attributions import integrate_gradients, occlude
    from skconv.reports.attributions import draw_attributions

    order = [int(k) for k in np.argsort(-probabilities, kind="stable")[:2]]
    if by_gradients:
        from skconv.estimators.persistence import load_network

        network = load_network(reader.folder)
        maps = [integrate_gradients(network, image, k) for k in order]
    else:
        patch = max(1, min(image.shape[:2]) // 6)
        maps = [occlude(reader.predict_proba, image, k, patch=patch) for k in order]
    captions = [f"for {reader.class_names[k]}, {100 * probabilities[k]:.1f} %" for k in order]
    return draw_attributions(np.stack([image] * len(order)), [[each] for each in maps], captions)


def _draw_nearest(
    reader: OnnxClassifier,
    image: np.ndarray,
    label: str,
    source: str | os.PathLike[str],
    data_home: str | os.PathLike[str] | None,
) -> tuple[Figure, tuple[Neighbour, ...]]:
    from skconv.commands.evaluate import choose_size, preprocess_images
    from skconv.data.sources import load_dataset
    from skconv.estimators.persistence import load_network
    from skconv.evaluation.features import collect_features, find_nearest
    from skconv.reports.image_grids import draw_grid

    network = load_network(reader.folder)
    _note_ensemble(network, "The features are")
    size = choose_size(reader, source, None)
    dataset = load_dataset(source, data_home=data_home, image_size=size, normalize=reader.image_spec.normalization)
    n_train = len(dataset.train_images)
    picked = np.unique(np.linspace(0, n_train - 1, min(n_train, _MOST_COMPARED)).astype(int))
    images, note = preprocess_images(reader, dataset, dataset.train_images[picked])
    if note:
        warnings.warn(note, stacklevel=3)
    features = collect_features(network, images)
    nearest, distances = find_nearest(features, collect_features(network, image[None])[0], _NEIGHBOURS)
    labels = [dataset.class_names[dataset.train_labels[picked[k]]] for k in nearest]
    title = f"Nearest of {len(picked):,} training images of {dataset.name}\n(class, distance)"
    drawn = np.concatenate([image[None], images[nearest]])
    captions = [
        [label, "the image"],
        *([name, f"{distance:.3f}"] for name, distance in zip(labels, distances, strict=True)),
    ]
    figure = draw_grid(drawn, captions, title)
    found = zip(picked[nearest].tolist(), labels, distances.tolist(), strict=True)
    return figure, tuple(Neighbour(position, name, distance) for position, name, distance in found)


def _note_ensemble(network: Network, subject: str) -> str:
    """Tell that one member stands for all where the network is an ensemble; return what was told."""
    from skconv.evaluation.activations import first_member

    if first_member(network) is network:
        return ""
    note = f"{subject} those of the ensemble's first member."
    warnings.warn(note, stacklevel=4)
    return note
