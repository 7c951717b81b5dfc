"""Dependence: how long a recording remembers, and the stretches of it that may count as independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_BLOCKS = 10
"""Blocks of a recording below which its variance is not to be had: no interval is given."""
_FORGOTTEN = 0.005
_MOST = 0.98


@dataclass(frozen=True)
class ExchangeableUnits:
    """What is resampled and relabelled as a whole.

    Attributes
    ----------
    kind : str
        ``"block"``: contiguous snippets of one recording, where ON is the recording. ``"recording"``: where ON is the
        same all through each recording. ``"snippet"``: where ON changes within recordings.
    unit : ndarray of int64, shape (n,)
        The unit of each snippet.
    stratum : ndarray of int64, shape (units,)
        Units of one stratum are draws of one kind: of a recording, or of a value of ON, in one context.
    recording : ndarray of int64, shape (n,)
    place : ndarray of int64, shape (n,)
        Place of the snippet in its recording, in time.
    correlation : ndarray of float64, shape (recordings,)
        Lag-one correlation of the vectors, 0 where it is not told from 0.
    length : ndarray of int64, shape (recordings,)
        Snippets of a block.
    inflation : ndarray of float64, shape (recordings,)
        By how much the variance of a recording's mean exceeds what its blocks show: cutting hides the correlation
        across the cuts.
    short : ndarray of bool, shape (recordings,)
        Whether a recording makes fewer than `MIN_BLOCKS` blocks; only ever where these are what is resampled.
    """

    kind: str
    unit: NDArray[np.int64]
    stratum: NDArray[np.int64]
    recording: NDArray[np.int64]
    place: NDArray[np.int64]
    correlation: NDArray[np.float64]
    length: NDArray[np.int64]
    inflation: NDArray[np.float64]
    short: NDArray[np.bool_]


def make_exchangeable_units(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    on: NDArray[np.int64],
    recording: NDArray[np.int64],
    start_s: NDArray[np.float64],
    context: NDArray[np.int64] | None = None,
) -> ExchangeableUnits:
    """Choose the units that the design makes exchangeable.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    on, recording : ndarray of int64, shape (n,)
        Codes from 0 on.
    start_s : ndarray of float64, shape (n,)
        Puts the snippets of a recording in order.
    context : ndarray of int64, shape (n,), optional
        Codes of what a cell keeps apart besides ON: of BY and ACROSS together.

    Returns
    -------
    Units
    """
    context = np.zeros(len(on), np.int64) if context is None else context
    place = time_rank(recording, start_s)
    n_recordings = int(recording.max()) + 1
    correlation = np.zeros(n_recordings)
    length = np.ones(n_recordings, np.int64)
    inflation = np.ones(n_recordings)
    short = np.zeros(n_recordings, np.bool_)
    kind = _kind(on, recording)
    if kind == "block":
        order = np.lexsort((place, recording))
        for r, rows in enumerate(np.split(order, np.cumsum(np.bincount(recording))[:-1])):
            correlation[r] = lag_correlation(embeddings[rows])
            length[r] = block_length(correlation[r], len(rows))
            n_blocks = max(1, len(rows) // int(length[r]))
            inflation[r] = variance_inflation(correlation[r], len(rows), n_blocks)
            short[r] = n_blocks < MIN_BLOCKS
        unit, stratum = blocks(recording, context, place, length[recording])
    elif kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = strata_of(unit, codes_of(on, context))
    else:
        unit, stratum = np.arange(len(on)), codes_of(on, context)
    return ExchangeableUnits(kind, unit, stratum, recording, place, correlation, length, inflation, short)


def _kind(on: NDArray[np.int64], recording: NDArray[np.int64]) -> str:
    n_pairs = len(np.unique(np.stack((on, recording), axis=1), axis=0))
    if n_pairs > len(np.unique(recording)):
        return "snippet"
    return "block" if n_pairs == len(np.unique(on)) else "recording"


def time_rank(recording: NDArray[np.int64], start_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the place of each snippet in its recording, in time, int64 ``(n,)``."""
    order = np.lexsort((start_s, recording))
    first = np.searchsorted(recording[order], recording[order])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - first
    return place


def blocks(
    recording: NDArray[np.int64], context: NDArray[np.int64], place: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut recordings, context by context, into contiguous blocks of nearly one size.

    Returns
    -------
    unit : ndarray of int64, shape (n,)
    stratum : ndarray of int64, shape (units,)
        The recording and context of each unit.
    """
    pairs, group = np.unique(np.stack((recording, context), axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    own_place = time_rank(group, place.astype(np.float64))
    size = np.bincount(group, minlength=len(pairs))[group]
    block = own_place * np.maximum(size // length, 1) // size
    found, unit = np.unique(np.stack((group, block), axis=1), axis=0, return_inverse=True)
    return unit.reshape(-1), found[:, 0]


def strata_of(unit: NDArray[np.int64], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each unit a stratum: those that share a code, or are linked by others that do, int64 ``(units,)``.

    Parameters
    ----------
    unit : ndarray of int64, shape (n,)
    codes : ndarray of int64, shape (n,)
    """
    stratum = np.arange(int(unit.max()) + 1)
    while True:
        of_code = np.full(int(codes.max()) + 1, len(stratum))
        np.minimum.at(of_code, codes, stratum[unit])
        linked = stratum.copy()
        np.minimum.at(linked, unit, of_code[codes])
        if (linked == stratum).all():
            return np.unique(stratum, return_inverse=True)[1].reshape(-1)
        stratum = linked


def codes_of(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give one code for each combination of codes, int64 ``(n,)``."""
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def lag_correlation(vectors: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """Estimate the correlation of neighbouring snippets: of unit vectors about their mean, all dimensions together.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        In the order of time.

    Returns
    -------
    float
        0 where it is within two standard errors of 0; at most 0.98.

    Notes
    -----
    The mean is taken from the same vectors, which biases the plain estimate of one series by −(1 + 3ρ) / n (Marriott
    and Pope 1954); that is taken out. Of many dimensions together the bias is down to −(1 + ρ) / n, so that the result
    is too large by up to 2ρ / n: on the side of longer blocks and wider intervals. The standard error is 1 / √(n · d),
    d being the effective number of dimensions, (Σλ)² / Σλ².
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
    value = (plain + 1 / n) / (1 - 3 / n)
    products = centred.T @ centred if dim < n else centred @ centred.T  # of the same eigenvalues but for zeros
    error = math.sqrt(float(np.square(products).sum()) / total**2 / n)
    return min(value, _MOST) if value > 2 * error else 0.0


def block_length(correlation: float, n: int) -> int:
    """Give the length of a block, in snippets, for first-order correlation (Carlstein 1986, Ann. Stat. 14(3))."""
    if correlation <= 0:
        return 1
    return max(1, round(math.pow(2 * correlation / (1 - correlation**2), 2 / 3) * math.cbrt(n)))


def decorrelation_lag(correlation: float) -> int:
    """Give the distance, in snippets, from which on two of them are as good as independent: ρ^distance ≤ 0.5 %."""
    return 1 if correlation <= 0 else max(1, math.ceil(math.log(_FORGOTTEN) / math.log(correlation)))


def variance_inflation(correlation: float, n: int, n_blocks: int) -> float:
    """Give the variance of the mean of n snippets over what `n_blocks` blocks show, for first-order correlation.

    The mean of m neighbours varies v(m) = (1 + ρ) / (1 − ρ) − 2ρ (1 − ρᵐ) / (m (1 − ρ)²) times as much as that of m
    independent ones. Blocks of m show v(m); the recording has v(n).
    """
    rho = correlation

    def ratio(m: float) -> float:
        return (1 + rho) / (1 - rho) - 2 * rho * (1 - math.pow(rho, m)) / (m * (1 - rho) ** 2)

    return ratio(n) / ratio(n / n_blocks)
