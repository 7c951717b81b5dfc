"""Serial dependence: the autocorrelation of a recording, and the units of a design that may count as independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csgraph

from abxfast.kernels import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_BLOCKS = 10
"""Number of blocks below which the variance of a recording cannot be estimated, so that it has no interval."""
_NEGLIGIBLE_CORRELATION = 0.005
_MAX_CORRELATION = 0.98


@dataclass(frozen=True)
class ExchangeableUnits:
    """The units that are resampled and relabelled as a whole.

    Attributes
    ----------
    kind : str
        ``"block"``: contiguous snippets of one recording, where ON is the recording. ``"recording"``: whole recordings,
        where ON is constant within each. ``"snippet"``: single snippets, where ON varies within recordings.
    unit : ndarray of int64, shape (n,)
        The unit of each snippet.
    stratum : ndarray of int64, shape (units,)
        The stratum of each unit. Units of one stratum are draws from one population: from a recording, or from a value
        of ON in one context.
    recording : ndarray of int64, shape (n,)
    time_rank : ndarray of int64, shape (n,)
        Rank of each snippet within its recording, by start time, from 0.
    correlation : ndarray of float64, shape (recordings,)
        Lag-one correlation of the vectors; 0 where it is not significant, and where units are not blocks.
    block_length : ndarray of int64, shape (recordings,)
        Snippets per block.
    inflation : ndarray of float64, shape (recordings,)
        Variance of a recording's mean over the variance that its blocks show, which treats them as independent.
    too_short : ndarray of bool, shape (recordings,)
        Whether a recording has fewer than `MIN_BLOCKS` blocks; False where units are not blocks.
    """

    kind: str
    unit: NDArray[np.int64]
    stratum: NDArray[np.int64]
    recording: NDArray[np.int64]
    time_rank: NDArray[np.int64]
    correlation: NDArray[np.float64]
    block_length: NDArray[np.int64]
    inflation: NDArray[np.float64]
    too_short: NDArray[np.bool_]


def make_exchangeable_units(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    on: NDArray[np.int64],
    recording: NDArray[np.int64],
    start_s: NDArray[np.float64],
    context: NDArray[np.int64] | None = None,
) -> ExchangeableUnits:
    """Find the units that the design makes exchangeable.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    on, recording : ndarray of int64, shape (n,)
        Codes, from 0.
    start_s : ndarray of float64, shape (n,)
        Start of each snippet in its recording, in seconds; only the order matters.
    context : ndarray of int64, shape (n,), optional
        Codes of the labels other than ON that distinguish cells: of BY and ACROSS jointly.

    Returns
    -------
    ExchangeableUnits
    """
    context = np.zeros(len(on), np.int64) if context is None else context
    rank = time_rank(recording, start_s)
    n_recordings = int(recording.max()) + 1
    correlation = np.zeros(n_recordings)
    length = np.ones(n_recordings, np.int64)
    inflation = np.ones(n_recordings)
    too_short = np.zeros(n_recordings, np.bool_)
    kind = _kind(on, recording)
    if kind == "block":
        order = np.lexsort((rank, recording))
        for r, rows in enumerate(np.split(order, np.cumsum(np.bincount(recording))[:-1])):
            correlation[r] = lag_correlation(embeddings[rows])
            length[r] = block_length(correlation[r], len(rows))
            n_blocks = max(1, len(rows) // int(length[r]))
            inflation[r] = variance_inflation(correlation[r], len(rows), n_blocks)
            too_short[r] = n_blocks < MIN_BLOCKS
        unit, stratum = split_into_blocks(recording, context, rank, length[recording])
    elif kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = connected_strata(unit, joint_codes(on, context))
    else:
        unit, stratum = np.arange(len(on)), joint_codes(on, context)
    return ExchangeableUnits(kind, unit, stratum, recording, rank, correlation, length, inflation, too_short)


def _kind(on: NDArray[np.int64], recording: NDArray[np.int64]) -> str:
    n_pairs = len(np.unique(np.stack((on, recording), axis=1), axis=0))
    if n_pairs > len(np.unique(recording)):
        return "snippet"
    return "block" if n_pairs == len(np.unique(on)) else "recording"


def time_rank(recording: NDArray[np.int64], start_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rank of each snippet within its recording by start time, from 0, int64 ``(n,)``."""
    order = np.lexsort((start_s, recording))
    first = np.searchsorted(recording[order], recording[order])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - first
    return rank


def split_into_blocks(
    recording: NDArray[np.int64],
    context: NDArray[np.int64],
    rank: NDArray[np.int64],
    length: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split each context of each recording into contiguous blocks of nearly equal size.

    Parameters
    ----------
    recording, context : ndarray of int64, shape (n,)
        Codes.
    rank : ndarray of int64, shape (n,)
        Order of the snippets of a recording in time.
    length : ndarray of int64, shape (n,)
        Snippets per block, at least, in the recording of each snippet. A context with fewer is one block.

    Returns
    -------
    unit : ndarray of int64, shape (n,)
        The block of each snippet.
    stratum : ndarray of int64, shape (units,)
        The recording and context of each block, as one code.
    """
    pairs, group = np.unique(np.stack((recording, context), axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    rank_in_group = time_rank(group, rank.astype(np.float64))
    size = np.bincount(group, minlength=len(pairs))[group]
    block = rank_in_group * np.maximum(size // length, 1) // size
    blocks, unit = np.unique(np.stack((group, block), axis=1), axis=0, return_inverse=True)
    return unit.reshape(-1), blocks[:, 0]


def connected_strata(unit: NDArray[np.int64], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stratum of each unit: units are in one stratum if they share a code, directly or through others.

    Parameters
    ----------
    unit, codes : ndarray of int64, shape (n,)
        Codes from 0, without gaps.

    Returns
    -------
    ndarray of int64, shape (units,)
        Numbered from 0 in the order of their first units.
    """
    n_units = int(unit.max()) + 1
    n_nodes = n_units + int(codes.max()) + 1
    edges = coo_array((np.ones(len(unit)), (unit, n_units + codes)), shape=(n_nodes, n_nodes))
    component = csgraph.connected_components(edges, directed=False)[1][:n_units]
    return np.unique(component, return_inverse=True)[1].reshape(-1)


def joint_codes(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one code, from 0, for each combination of the codes in `columns`, int64 ``(n,)``."""
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def lag_correlation(vectors: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """Estimate the lag-one correlation of unit vectors about their mean, pooled over dimensions.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        In order of time.

    Returns
    -------
    float
        0 if the estimate is below two standard errors, or if n < 6; at most 0.98.

    Notes
    -----
    Estimating the mean from the same vectors biases the plain estimate for one series by −(1 + 3ρ) / n (Marriott and
    Pope 1954); this bias is removed. Pooled over many dimensions the bias is only −(1 + ρ) / n, so the result may be
    too large by up to 2ρ / n, which errs towards longer blocks and wider intervals. The standard error is 1 / √(n · d),
    where d = (Σλ)² / Σλ² is the effective number of dimensions.
    """
    n, dim = vectors.shape
    if n < 6:  # noqa: PLR2004
        return 0.0
    centred = unit_vectors(vectors)
    centred -= centred.mean(axis=0)
    total = float(np.square(centred).sum())
    if total <= 1e-20 * n:
        return 0.0
    plain = float((centred[1:] * centred[:-1]).sum()) / total * n / (n - 1)
    corrected = (plain + 1 / n) / (1 - 3 / n)
    products = centred.T @ centred if dim < n else centred @ centred.T  # the nonzero eigenvalues are the same
    standard_error = math.sqrt(float(np.square(products).sum()) / total**2 / n)
    return min(corrected, _MAX_CORRELATION) if corrected > 2 * standard_error else 0.0


def block_length(correlation: float, n: int) -> int:
    """Return the block length for n snippets with first-order correlation (Carlstein 1986, Ann. Stat. 14(3))."""
    if correlation <= 0:
        return 1
    return max(1, round(math.pow(2 * correlation / (1 - correlation**2), 2 / 3) * math.cbrt(n)))


def decorrelation_lag(correlation: float) -> int:
    """Return the smallest lag, in snippets, at which a first-order correlation has decayed: ρ^lag ≤ 0.005."""
    return 1 if correlation <= 0 else max(1, math.ceil(math.log(_NEGLIGIBLE_CORRELATION) / math.log(correlation)))


def variance_inflation(correlation: float, n: int, n_blocks: int) -> float:
    """Return the ratio of the variance of the mean of n snippets to the one that `n_blocks` blocks show.

    With first-order correlation ρ, the mean of m neighbours has
    v(m) = (1 + ρ) / (1 − ρ) − 2ρ (1 − ρᵐ) / (m (1 − ρ)²) times the variance of the mean of m independent snippets.
    Blocks of m snippets, taken as independent, show v(m); the recording has v(n).
    """
    rho = correlation

    def ratio(m: float) -> float:
        return (1 + rho) / (1 - rho) - 2 * rho * (1 - math.pow(rho, m)) / (m * (1 - rho) ** 2)

    return ratio(n) / ratio(n / n_blocks)
