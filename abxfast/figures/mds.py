"""Multidimensional scaling: recordings placed on a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.trees import dissimilarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_ITERATIONS = 500
_TOLERANCE = 1e-9


class MapLayout(NamedTuple):
    """Points on a plane.

    Attributes
    ----------
    positions : ndarray of float64, shape (n, 2)
        In units of score.
    stress : float
        sqrt(Σ (δ − d)² / Σ δ²) over the pairs that have a score, of their dissimilarities δ and distances d; 0 if all
        distances are exact.
    """

    positions: NDArray[np.float64]
    stress: float


def multidimensional_scaling(score: NDArray[np.float64]) -> MapLayout:
    """Place recordings on a plane so that distances approximate scores above chance level: metric MDS by SMACOF.

    Iterative majorisation (de Leeuw 1977), started from classical scaling (Torgerson 1952), so that nothing is random.
    Pairs without a score have weight 0.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where a pair has none.

    Returns
    -------
    MapLayout
        Centred, the direction of largest variance horizontal, the first point in the upper left.
    """
    target = dissimilarity(score)
    count = len(target)
    weight = np.where(np.isfinite(score) & ~np.eye(count, dtype=bool), 1.0, 0.0)
    positions = _classical_scaling(target)
    laplacian = -weight
    np.fill_diagonal(laplacian, weight.sum(axis=1))
    inverse = np.linalg.pinv(laplacian, hermitian=True)
    total = (weight * target**2).sum()
    stress = _raw_stress(positions, target, weight)
    for _ in range(_MAX_ITERATIONS if total else 0):
        positions = inverse @ _guttman_matrix(positions, target, weight) @ positions
        previous, stress = stress, _raw_stress(positions, target, weight)
        if previous - stress < _TOLERANCE * total:
            break
    return MapLayout(_orient(positions), float(np.sqrt(stress / total)) if total else 0.0)


def _guttman_matrix(
    positions: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the matrix B of the Guttman transform, shape (n, n)."""
    distance = _pairwise_distances(positions)
    ratio = np.divide(target, distance, out=np.zeros_like(target), where=distance > 0) * weight
    matrix: NDArray[np.float64] = -ratio
    np.fill_diagonal(matrix, ratio.sum(axis=1))
    return matrix


def _orient(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and rotate to principal axes; fix their signs, which depend on the linear algebra library."""
    centred = positions - positions.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    rotated = centred @ axes[:, ::-1]
    oriented: NDArray[np.float64] = rotated * np.where(rotated[0] * [-1, 1] < -_TOLERANCE, -1.0, 1.0)
    return oriented


def _classical_scaling(target: NDArray[np.float64]) -> NDArray[np.float64]:
    centring = np.eye(len(target)) - 1 / len(target)
    values, vectors = np.linalg.eigh(-0.5 * centring @ target**2 @ centring)
    positions = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    return np.pad(positions, ((0, 0), (0, 2 - positions.shape[1])))


def _pairwise_distances(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.sqrt(((positions[:, None] - positions) ** 2).sum(axis=2))
    return distances


def _raw_stress(positions: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    return float((weight * (target - _pairwise_distances(positions)) ** 2).sum())
