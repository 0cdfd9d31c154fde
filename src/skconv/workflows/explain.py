"""`explain`: draw what a saved model's convolutions compute for one picture."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from skconv.exceptions import DataError
from skconv.workflows.figure_names import check_figure_name

if TYPE_CHECKING:
    from skconv.networks.blocks import Network
    from skconv.reader import Reader


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
class ExplanationResult:
    """What `explain` found.

    Parameters
    ----------
    input : str
        The picture.
    label : str
        Name of the most probable class.
    confidence : float
        The model's probability of that class, 0..1.
    layers : tuple of ExplainedLayer
        The convolutions, in the order they are computed.
    figure : str
        The file that was written.
    """

    input: str
    label: str
    confidence: float
    layers: tuple[ExplainedLayer, ...]
    figure: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        layers = [f"  {each.name}: {each.maps} maps, {each.height}×{each.width}" for each in self.layers]
        return "\n".join(
            [
                f"{self.input}: {self.label} ({self.confidence:.1%})",
                "Convolutions:",
                *layers,
                f"Figure in {self.figure}.",
            ]
        )


def explain(
    model: str | os.PathLike[str], picture: str | os.PathLike[str], *, out: str | os.PathLike[str]
) -> ExplanationResult:
    """Draw what a model's convolutions compute for one picture.

    The figure shows the picture with the prediction and its runner-up, the filters of the first convolution, and after
    every convolution the activation maps that reach the largest magnitude, at most 32.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    picture : path-like
        One picture.
    out : path-like
        The PNG file to write, by a name that ends in ``.png``. An existing file is replaced in one step.

    Returns
    -------
    ExplanationResult
        Label, confidence and the convolutions.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        The picture is not there, is no picture, or is more than one.
    OutputError
        `out` is no PNG file's name, is the picture itself, or cannot be written; an existing file is as it was.

    Warns
    -----
    UserWarning
        What was done to the picture to make it fit the model: resized, made grey. Or the model is an ensemble, of which
        the filters and maps of the first member are shown.
    """
    check_figure_name(out, [picture])
    from skconv.data.inputs import load_inputs
    from skconv.reader import Reader

    reader = Reader(model)
    names, images, notes = load_inputs(picture, reader.form)
    if len(images) != 1:
        raise DataError(
            f"{os.fspath(picture)} holds {len(images):,} pictures; one is explained at a time. Name one file."
        )

    from skconv.evaluation.activations import collect_activations, filters_on_pixels, first_member
    from skconv.reports.figures import draw_activations, save_figure

    network = load_network(reader)
    layers = collect_activations(network, images[0])
    note = "" if first_member(network) is network else "Filters and maps are those of the ensemble's first member."
    for each in [*notes, note]:
        if each:
            warnings.warn(each, stacklevel=2)
    probabilities = reader.predict_proba(images)[0]
    filters = filters_on_pixels(network, layers[0].kernel)
    figure = draw_activations(images[0], probabilities, reader.class_names, layers, filters, note=note)
    save_figure(figure, out)
    best = int(probabilities.argmax())
    return ExplanationResult(
        input=names[0],
        label=reader.class_names[best],
        confidence=float(probabilities[best]),
        layers=tuple(ExplainedLayer(layer.name, *layer.maps.shape) for layer in layers),
        figure=os.fspath(out),
    )


def load_network(reader: Reader) -> Network:
    """Return the network of a saved model, in torch, on the CPU."""
    from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier

    kind = KFoldEnsembleClassifier if "estimator" in reader.config.parameters else CNNClassifier
    network: Network = kind.load(reader.folder, device="cpu").net_.module_
    return network
