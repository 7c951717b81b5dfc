"""Where recordings go: their order in a matrix, their places on a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_OPTIMAL = 250
"""Leaves beyond which the order is not optimised: that takes cubic time."""
_STEPS = 500
_ENOUGH = 1e-9


class Places(NamedTuple):
    """A map: `at` of shape (n, 2), in units of score; `stress`, the root of its normalised square, 0 if faithful."""

    at: NDArray[np.float64]
    stress: float


def dissimilarity(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far above chance each pair is told apart, 0 to 0.5; a missing pair gets the mean of the others.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where there is none.
    """
    away = np.maximum(score - 0.5, 0.0)
    known = np.isfinite(away) & ~np.eye(len(away), dtype=bool)
    away = np.where(known, away, away[known].mean() if known.any() else 0.0)
    np.fill_diagonal(away, 0.0)
    return away


def cluster_order(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order by average-linkage clustering, so that what is hard to tell apart stands together.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where there is none.

    Returns
    -------
    ndarray of int64, shape (n,)
        A permutation; the end that holds the first of the names comes first.
    """
    count = len(score)
    if count < 3:  # noqa: PLR2004
        return np.arange(count)
    # Rounded: another order of summation may not turn a tree round.
    distances = squareform(np.round(dissimilarity(score), 9), checks=False)
    tree = linkage(distances, "average", optimal_ordering=count <= _MAX_OPTIMAL)
    order: NDArray[np.int64] = leaves_list(tree).astype(np.int64)
    return order if np.flatnonzero(order == 0)[0] <= (count - 1) / 2 else order[::-1]


def scale(score: NDArray[np.float64]) -> Places:
    """Place recordings on a plane so that distances are the scores above chance: metric MDS by SMACOF.

    The start is classical scaling (Torgerson 1952), so that nothing is drawn by lot; then the majorisation of
    de Leeuw (1977). Pairs without a score count for nothing.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where there is none.
    """
    away = dissimilarity(score)
    count = len(away)
    weight = np.where(np.isfinite(score) & ~np.eye(count, dtype=bool), 1.0, 0.0)
    at = _classical(away)
    pull = -weight
    np.fill_diagonal(pull, weight.sum(axis=1))
    inverse = np.linalg.pinv(pull, hermitian=True)
    total = (weight * away**2).sum()
    stress = _stress(at, away, weight)
    for _ in range(_STEPS if total else 0):
        distance = _distances(at)
        ratio = np.divide(away, distance, out=np.zeros_like(away), where=distance > 0) * weight
        guttman = -ratio
        np.fill_diagonal(guttman, ratio.sum(axis=1))
        at = inverse @ guttman @ at
        before, stress = stress, _stress(at, away, weight)
        if before - stress < _ENOUGH * total:
            break
    at = at - at.mean(axis=0)
    # The widest way lies across, and the first recording in the left upper part, whatever the algebra library.
    _, axes = np.linalg.eigh(at.T @ at)
    at = at @ axes[:, ::-1]
    at = at * np.where(at[0] * [-1, 1] < -_ENOUGH, -1.0, 1.0)
    return Places(at, float(np.sqrt(stress / total)) if total else 0.0)


def _classical(away: NDArray[np.float64]) -> NDArray[np.float64]:
    centre = np.eye(len(away)) - 1 / len(away)
    values, vectors = np.linalg.eigh(-0.5 * centre @ away**2 @ centre)
    at = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    return np.pad(at, ((0, 0), (0, 2 - at.shape[1])))


def _distances(at: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.sqrt(((at[:, None] - at) ** 2).sum(axis=2))
    return distances


def _stress(at: NDArray[np.float64], away: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float((weight * (away - _distances(at)) ** 2).sum())
