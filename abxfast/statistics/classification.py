"""Classification of recordings by their scores against labelled ones, without training."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAX_WIDTH = 0.5
"""Width beyond which an interval says too little to be given."""
_TIE = 1e-12
"""Mean scores that differ by at most this much are equal."""


@dataclass(frozen=True)
class Classification:
    """Predicted labels and their accuracy; NaN where no two recordings share a label.

    Attributes
    ----------
    predicted : tuple of str or None
        One per recording; None if several labels share the lowest score, or nothing was scored.
    correct : tuple of bool or None
        One per recording; None if it has no score with another recording of its label.
    accuracy, low, high : float
        Accuracy over the `n` recordings whose label can be predicted, with its 95% interval (Wilson 1927), which is NaN
        if it would be wider than 0.5.
    chance : float
        Majority-class baseline: the accuracy of always predicting the most frequent label.
    n : int
    note : str
        Which recordings are left out of the accuracy, or why there is none; empty otherwise.
    """

    predicted: tuple[str | None, ...]
    correct: tuple[bool | None, ...]
    accuracy: float
    low: float
    high: float
    chance: float
    n: int
    note: str


def classify(scores: NDArray[np.float64], labels: Sequence[str]) -> Classification:
    """Predict the label of each recording as the one whose other recordings have the lowest mean score with it.

    Parameters
    ----------
    scores : ndarray of float64, shape (recordings, recordings)
        Symmetric; NaN where a pair has no score. The diagonal is ignored.
    labels : sequence of str
        One per recording.

    Returns
    -------
    Classification
    """
    names = list(dict.fromkeys(labels))
    code = np.array([names.index(label) for label in labels])
    membership = code[:, None] == np.arange(len(names))
    scored = np.isfinite(scores) & ~np.eye(len(code), dtype=bool)
    n_scored = scored @ membership.astype(np.int64)
    no_score = np.full(n_scored.shape, np.inf)
    mean = np.divide(np.where(scored, scores, 0.0) @ membership, n_scored, where=n_scored > 0, out=no_score)
    lowest = mean.min(axis=1)
    nearest = mean.argmin(axis=1)
    unique = (np.isclose(mean, lowest[:, None], rtol=0, atol=_TIE).sum(axis=1) == 1) & np.isfinite(lowest)
    predictable = n_scored[np.arange(len(code)), code] > 0
    predicted = tuple(names[k] if decided else None for k, decided in zip(nearest, unique, strict=True))
    right = unique & (nearest == code)
    correct = tuple(bool(hit) if counts else None for hit, counts in zip(right, predictable, strict=True))
    n, n_correct = int(predictable.sum()), int(right[predictable].sum())
    if not n:
        return Classification(predicted, correct, math.nan, math.nan, math.nan, math.nan, 0, "no two share a label")
    interval = stats.binomtest(n_correct, n).proportion_ci(method="wilson")
    low, high = float(interval.low), float(interval.high)
    if high - low > _MAX_WIDTH:
        low = high = math.nan
    majority = Counter(label for label, counts in zip(labels, predictable, strict=True) if counts).most_common(1)[0][1]
    left_out = len(correct) - n
    notes = [f"{left_out} left out: no score with another recording of the same label"] if left_out else []
    if math.isnan(low):
        notes.append(f"no interval: it would be wider than {_MAX_WIDTH}")
    return Classification(predicted, correct, n_correct / n, low, high, majority / n, n, "; ".join(notes))
