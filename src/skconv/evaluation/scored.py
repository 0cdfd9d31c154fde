"""Images that a model can be scored on, and those it was scored on, which `evaluate` scores and others tell of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from skconv.data.dataset import Dataset
    from skconv.evaluation.metrics import Scores
    from skconv.inference import OnnxClassifier


@dataclass(frozen=True, eq=False)
class UnseenImages:
    """Images of a source that a saved model can be scored on, in the model's form.

    Parameters
    ----------
    dataset : Dataset
        The data, whole.
    split : str
        Which of its images these are, as in `EvaluationResult`.
    n_seen : int or None
        As in `EvaluationResult`.
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        The images.
    labels : ndarray of int, shape (n,)
        Their classes, as positions in the data's.
    """

    dataset: Dataset
    split: str
    n_seen: int | None
    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class ScoredSource:
    """Images that a saved model was scored on, with everything the scores come from.

    Parameters
    ----------
    reader : OnnxClassifier
        The model.
    dataset : Dataset
        The data, whole.
    split : str
        Which of its images were scored, as in `EvaluationResult`.
    n_seen : int or None
        As in `EvaluationResult`.
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        The images scored.
    labels : ndarray of int, shape (n,)
        Their classes, as positions in the model's.
    probabilities : ndarray of float32, shape (n, k)
        The model's answers.
    scores : Scores
        How good these are.
    """

    reader: OnnxClassifier
    dataset: Dataset
    split: str
    n_seen: int | None
    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    scores: Scores
