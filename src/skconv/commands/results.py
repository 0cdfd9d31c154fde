"""What the library commands return: plain records that print as text and turn into JSON."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from skconv.inference import UNSURE, Alternative


@dataclass(frozen=True)
class SeedResult:
    """One training run.

    Parameters
    ----------
    seed : int
        The seed of this run.
    test_accuracy, low, high : float
        Share of the test images classified correctly, 0..1, with its 95 % interval.
    n : int
        Number of test images.
    fit_seconds : float
        Wall-clock time of `fit`, without reading data and scoring.
    n_epochs, n_parameters : int
        Epochs trained; trainable parameters of the network.
    precision : str
        ``"fp32"`` or ``"bf16"``.
    model : str
        The model folder.
    """

    seed: int
    test_accuracy: float
    low: float
    high: float
    n: int
    fit_seconds: float
    n_epochs: int
    n_parameters: int
    precision: str
    model: str


@dataclass(frozen=True)
class TrainResult:
    """What `train` did.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder : str
        The folder with everything the run wrote.
    seeds : tuple of SeedResult
        One record per seed, in order. The model of the first is the model of the result: choosing by test
        accuracy would make that figure worthless.
    """

    data: str
    recipe: str
    folder: str
    seeds: tuple[SeedResult, ...]

    @property
    def test_accuracy(self) -> float:
        """Mean test accuracy over the seeds, 0..1."""
        return statistics.fmean(each.test_accuracy for each in self.seeds)

    @property
    def fit_seconds(self) -> float:
        """Median time of `fit` over the seeds, in seconds."""
        return statistics.median(each.fit_seconds for each in self.seeds)

    @property
    def model(self) -> str:
        """The model folder of the first seed."""
        return self.seeds[0].model

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values; with several seeds also ``test_accuracy_sd``."""
        first = self.seeds[0]
        record = {
            "test_accuracy": self.test_accuracy,
            "fit_seconds": self.fit_seconds,
            "n_parameters": first.n_parameters,
            "n_epochs": first.n_epochs,
            "model": self.model,
            "seeds": [asdict(each) for each in self.seeds],
        }
        if len(self.seeds) > 1:
            record["test_accuracy_sd"] = statistics.stdev(each.test_accuracy for each in self.seeds)
        return record

    def __str__(self) -> str:
        first = self.seeds[0]
        if len(self.seeds) == 1:
            spread = f"95 % interval {first.low:.2%} to {first.high:.2%}, n = {first.n}"
        else:
            deviation = statistics.stdev(each.test_accuracy for each in self.seeds)
            spread = f"mean of {len(self.seeds)} seeds, standard deviation {deviation:.2%}, n = {first.n}"
        return (
            f"Trained on {self.data} with recipe {self.recipe}: {_count(first.n_epochs, 'epoch')} in "
            f"{self.fit_seconds:.1f} s, {first.n_parameters:,} parameters, {first.precision}.\n"
            f"Test accuracy {self.test_accuracy:.2%} ({spread}).\n"
            f"Results in {self.folder}, the model in {self.model}."
        )


@dataclass(frozen=True)
class EnsembleResult:
    """What `ensemble` did.

    Parameters
    ----------
    data, recipe : str
        Names of the data and the recipe.
    folder, model : str
        The folder with everything the run wrote, and the model folder in it.
    test_accuracy, low, high : float or None
        Share of the test images classified correctly, 0..1, with its 95 % interval; None without a labelled test
        split.
    n : int
        Number of test images.
    out_of_fold_accuracy : float
        Share of the training images classified correctly by the members that had not seen them.
    fold_accuracies : tuple of float
        The same for each member.
    fit_seconds : float
        Wall-clock time of all members' training.
    n_parameters, n_epochs : int
        Parameters of all members; epochs of the longest training.
    """

    data: str
    recipe: str
    folder: str
    model: str
    test_accuracy: float | None
    low: float | None
    high: float | None
    n: int
    out_of_fold_accuracy: float
    fold_accuracies: tuple[float, ...]
    fit_seconds: float
    n_parameters: int
    n_epochs: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        members, spread = len(self.fold_accuracies), statistics.stdev(self.fold_accuracies)
        lines = [
            f"Trained {members} members on {self.data} with recipe {self.recipe} in {self.fit_seconds:.1f} s, "
            f"{self.n_parameters:,} parameters.",
            f"Out-of-fold accuracy {self.out_of_fold_accuracy:.2%} (a member alone; standard deviation over folds "
            f"{spread:.2%}).",
        ]
        if self.test_accuracy is not None:
            interval = f"95 % interval {self.low:.2%} to {self.high:.2%}, n = {self.n}"
            lines.append(f"Test accuracy of the ensemble {self.test_accuracy:.2%} ({interval}).")
        return "\n".join([*lines, f"Results in {self.folder}, the model in {self.model}."])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class EvaluationResult:
    """What `evaluate` found.

    Parameters
    ----------
    accuracy, low, high : float
        Share of the images classified correctly, 0..1, with its 95 % interval.
    n : int
        Number of images scored.
    model, data : str
        The model folder and the name of the data.
    split : str
        ``"test"``; where the data has no test split ``"unseen"``, the images that the model was not trained on, or
        ``"all"`` if it was trained on none of them, or does not know.
    n_seen : int or None
        How many of the images at hand the model was trained on: of a test split they are scored with the others,
        else left out. None if the model does not know.
    scores : dict
        All scores, as in ``scores.json``.
    text : str
        All scores as a table for people.
    sets : dict or None
        Of prediction sets: ``level`` as asked for, ``coverage`` as measured, ``mean_set_size``, ``empty`` (share).
    corruptions : dict or None
        Accuracy at each of five strengths by the kind of damage, and under "mean" over all of them.
    against : dict or None
        Of other images: ``data``, ``split`` and ``n`` as above, ``score``, the definition of a score that is high for
        images of none of the classes, and ``auroc``, how often it is higher for one of them than for one scored here.
    """

    accuracy: float
    low: float
    high: float
    n: int
    model: str
    data: str
    split: str
    n_seen: int | None
    scores: dict[str, Any]
    text: str
    sets: dict[str, float] | None = None
    corruptions: dict[str, list[float]] | None = None
    against: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values; what was not asked for is left out."""
        record = asdict(self)
        del record["text"]
        asked_for = ("sets", "corruptions", "against")
        return {key: value for key, value in record.items() if key not in asked_for or value is not None}

    def __str__(self) -> str:
        n_all = self.n + (self.n_seen or 0)
        images = {
            "test": f"the test split of {self.data}",
            "all": f"all images of {self.data}",
            "unseen": f"the {self.n:,} of {n_all:,} images of {self.data} that it was not trained on",
        }
        return "\n".join([f"{self.model} on {images[self.split]}:\n{self.text}", *self._tell_more()])

    def _tell_more(self) -> list[str]:
        lines = []
        if self.sets is not None:
            lines += [
                "",
                f"Prediction sets for a coverage of {self.sets['level']:.2%}: {self.sets['coverage']:.2%} hold the "
                f"true class, {self.sets['mean_set_size']:.3f} classes on average, {self.sets['empty']:.2%} empty.",
            ]
        if self.against is not None:
            lines += [
                "",
                f"Told from {self.against['n']:,} images of {self.against['data']} with an AUROC of "
                f"{self.against['auroc']:.4f}, by the {self.against['score']}.",
            ]
        if self.corruptions is not None:
            width = max(map(len, self.corruptions))
            lines += ["", f"{'accuracy, %':<{width}}  " + "  ".join(f"{strength:>5}" for strength in range(1, 6))]
            for name, accuracies in self.corruptions.items():
                lines.append(f"{name:<{width}}  " + "  ".join(f"{100 * each:5.1f}" for each in accuracies))
        return lines


@dataclass(frozen=True)
class Prediction:
    """The class of one image.

    Parameters
    ----------
    input : str
        The image: a file's path, or the file and row it came from.
    label : str
        Name of the most probable class; "?" where its confidence is below what was asked for.
    confidence : float
        The model's probability of the most probable class, 0..1.
    alternatives : tuple of Alternative
        The next classes, best first; after "?" the most probable one too.
    labels : tuple of str or None
        The classes that it may be, with the coverage asked for: most often one, none where no class is credible. None
        if no coverage was asked for.
    error : str or None
        Why the image could not be read; its label is then empty and its confidence 0. None where it was.
    """

    input: str
    label: str
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
    labels: tuple[str, ...] | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as plain values; the set of labels, and the error, only where there is one."""
        record = asdict(self)
        return {key: value for key, value in record.items() if key not in ("labels", "error") or value is not None}

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.input}: error: {self.error}"
        sets = "" if self.labels is None else f" {{{', '.join(self.labels)}}}"
        if self.label != UNSURE:
            return f"{self.input}: {self.label} ({self.confidence:.1%}){sets}"
        return f"{self.input}: {UNSURE} ({', '.join(map(str, self.alternatives))}){sets}"


@dataclass(frozen=True)
class PredictionResult:
    """What `predict` found.

    Parameters
    ----------
    predictions : tuple of Prediction
        One record per image, in the order of the inputs.
    written, drawn : str
        What was written and drawn where, as sentences; empty if nothing was. What was written is not printed.
    """

    predictions: tuple[Prediction, ...]
    written: str = ""
    drawn: str = ""

    @property
    def n_broken(self) -> int:
        """How many of the images could not be read."""
        return sum(each.error is not None for each in self.predictions)

    def to_json(self) -> dict[str, Any]:
        """Return the predictions as plain values."""
        return {"predictions": [each.to_json() for each in self.predictions]}

    def __str__(self) -> str:
        lines = [self.written] if self.written else [str(each) for each in self.predictions]
        return "\n".join([*lines, self.drawn] if self.drawn else lines)
