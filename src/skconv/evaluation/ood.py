"""Out-of-distribution score: distance from a prediction to the predictions for held-out images."""

from __future__ import annotations

import numpy as np

N_NEIGHBORS = 10
DEFINITION = f"distance from the log-probabilities of an image to those of the {N_NEIGHBORS}th nearest held-out image"
_MAX_HELD_OUT = 5000  # held-out predictions; more do not raise the AUROC
_FLOOR = 1e-4  # added to probabilities, because smaller differences are noise and would dominate the distance


def ood_score(held_out: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the out-of-distribution score of predictions (n, k), high for images of none of the classes.

    It is the Euclidean distance from log(p + 0.0001) to the tenth nearest of at most 5,000 of the `held_out`
    predictions (m, k), which are transformed alike. The confidence alone does not detect such images, because
    networks are confident on some images of noise. The score also uses the probabilities of the other classes.

    References
    ----------
    Sun, Ming, Zhu, Li: "Out-of-distribution detection with deep nearest neighbors", ICML 2022, who use features;
    logarithms of probabilities are logits up to a constant.

    Examples
    --------
    >>> confident = np.full((100, 3), 0.001) + 0.997 * np.eye(3)[np.arange(100) % 3]
    >>> scores = ood_score(confident, np.array([[0.998, 0.001, 0.001], [0.4, 0.3, 0.3]]))
    >>> bool(scores[0] < 0.01 < scores[1])
    True
    """
    from sklearn.neighbors import NearestNeighbors

    if len(probabilities) == 0:  # scikit-learn rejects an empty array
        return np.empty(0)
    n_known = min(len(held_out), _MAX_HELD_OUT)
    known = held_out[np.arange(n_known) * len(held_out) // n_known]
    neighbors = NearestNeighbors(n_neighbors=min(N_NEIGHBORS, n_known), algorithm="brute").fit(_take_log(known))
    distances, _ = neighbors.kneighbors(_take_log(probabilities))
    return np.asarray(distances[:, -1])


def measure_auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the AUROC of out-of-distribution scores, from those of in-distribution images (`inside`) and of others.

    Examples
    --------
    >>> measure_auroc(np.array([0.1, 0.2]), np.array([0.2, 0.3]))
    0.875
    """
    from sklearn.metrics import roc_auc_score

    is_outside = np.repeat([0, 1], [len(inside), len(outside)])
    return float(roc_auc_score(is_outside, np.concatenate([inside, outside])))


def _take_log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities.astype(np.float64) + _FLOOR)
