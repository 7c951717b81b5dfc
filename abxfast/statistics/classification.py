"""Classification without training: a recording gets the label of those that it is hardest to tell from."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import MissingPackageError

try:
    from scipy import stats
except ImportError as error:
    raise MissingPackageError("classification needs scipy, which is not installed: pip install '.[report]'") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classification:
    """What each recording was taken for, and how often that is right.

    Attributes
    ----------
    predicted : tuple of str or None
        One a recording; None where two labels share the lowest score, or nothing was scored.
    correct : tuple of bool or None
        None where no other recording has its label, so that it could not be found.
    accuracy, low, high : float
        Of those that could be found, with its 95 % interval (Wilson 1927).
    chance : float
        What the commonest label alone would get.
    n : int
    note : str
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
    """Give each recording the label of the others that it is hardest to tell from, on average.

    Parameters
    ----------
    scores : ndarray of float64, shape (recordings, recordings)
        Symmetric; NaN where a pair has no score, and on the diagonal.
    labels : sequence of str
        One a recording.
    """
    names = list(dict.fromkeys(labels))
    own = np.array([names.index(label) for label in labels])
    member = own[:, None] == np.arange(len(names))
    there = np.isfinite(scores) & ~np.eye(len(own), dtype=bool)
    n = there @ member.astype(np.int64)
    mean = np.divide(np.where(there, scores, 0.0) @ member, n, where=n > 0, out=np.full(n.shape, np.inf))
    lowest = mean.min(axis=1)
    nearest = mean.argmin(axis=1)
    single = (np.isclose(mean, lowest[:, None], rtol=0, atol=1e-12).sum(axis=1) == 1) & np.isfinite(lowest)
    findable = n[np.arange(len(own)), own] > 0
    predicted = tuple(names[k] if good else None for k, good in zip(nearest, single, strict=True))
    correct = tuple(
        bool(good and k == label) if can else None
        for k, label, good, can in zip(nearest, own, single, findable, strict=True)
    )
    counted = [right for right in correct if right is not None]
    if not counted:
        return Classification(predicted, correct, math.nan, math.nan, math.nan, math.nan, 0, "no two share a label")
    interval = stats.binomtest(sum(counted), len(counted)).proportion_ci(method="wilson")
    commonest = Counter(label for label, can in zip(labels, findable, strict=True) if can).most_common(1)[0][1]
    alone = len(correct) - len(counted)
    return Classification(
        predicted,
        correct,
        sum(counted) / len(counted),
        float(interval.low),
        float(interval.high),
        commonest / len(counted),
        len(counted),
        f"{alone} left out: no other recording has their label, or a score with them" if alone else "",
    )
