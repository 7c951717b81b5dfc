"""Floors: what a recording scores against itself, and against its own later half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import PairConstraint, abx_counts
from abxfast.statistics.dependence import make_exchangeable_units
from abxfast.statistics.intervals import UnitMarginals, jackknife_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import AbxCounts
    from abxfast.statistics.dependence import ExchangeableUnits
    from abxfast.statistics.intervals import Intervals

BLOCK_S = 30.0


@dataclass(frozen=True)
class SelfBaselines:
    """One entry a recording; NaN where there is nothing to count, or no interval can be given.

    Attributes
    ----------
    alternating_split, alternating_split_low, alternating_split_high : ndarray of float64
        A and X from the odd blocks of 30 s, B from the even ones: what the same process scores, in alternation.
    half_split, half_split_low, half_split_high : ndarray of float64
        A and X from the first half, B from the second: what time alone changes.
    n : ndarray of int64
        Snippets.
    note : list of str
    """

    alternating_split: NDArray[np.float64]
    alternating_split_low: NDArray[np.float64]
    alternating_split_high: NDArray[np.float64]
    half_split: NDArray[np.float64]
    half_split_low: NDArray[np.float64]
    half_split_high: NDArray[np.float64]
    n: NDArray[np.int64]
    note: list[str]


def self_baselines(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    recording: NDArray[np.int64],
    start_s: NDArray[np.float64],
    end_s: NDArray[np.float64],
    *,
    min_gap_s: float = 0.0,
    memory_mb: float = 512,
    threads: int | None = None,
) -> SelfBaselines:
    """Score each recording against itself.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    recording : ndarray of int64, shape (n,)
        Codes from 0 on.
    start_s, end_s : ndarray of float64, shape (n,)
        A snippet belongs to the block, or half, that its middle is in. Blocks are as long as the longest snippet where
        that is longer than 30 s.
    min_gap_s : float
        Leave out a that lie nearer to x.
    memory_mb, threads
        See `abx_counts`.

    Returns
    -------
    Floors
    """
    units = make_exchangeable_units(embeddings, recording, recording, start_s)
    # From the first sample on, whatever the file's own clock says.
    first = np.full(int(recording.max()) + 1, np.inf)
    np.minimum.at(first, recording, start_s)
    last = np.zeros(len(first))
    np.maximum.at(last, recording, end_s - first[recording])
    middle = (start_s + end_s) / 2 - first[recording]
    block = max(BLOCK_S, float((end_s - start_s).max()))
    sides = ((middle // block).astype(np.int64) % 2, (middle >= last[recording] / 2).astype(np.int64))
    apart = PairConstraint(np.empty((0, len(recording)), np.int64), recording, start_s, end_s, min_gap_s)
    alternating_split, half_split = (
        _sides(embeddings, recording, side, units, apart, memory_mb, threads) for side in sides
    )
    note = [_note(*each) for each in zip(alternating_split.note, half_split.note, strict=True)]
    n = np.bincount(recording)
    return SelfBaselines(
        alternating_split.score,
        alternating_split.low,
        alternating_split.high,
        half_split.score,
        half_split.low,
        half_split.high,
        n,
        note,
    )


def _sides(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    recording: NDArray[np.int64],
    side: NDArray[np.int64],
    units: ExchangeableUnits,
    apart: PairConstraint,
    memory_mb: float,
    threads: int | None,
) -> Intervals:
    """Score A = X = side 0 against B = side 1, recording by recording."""
    n_recordings = int(recording.max()) + 1
    group = 2 * recording + side
    rows = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[rows], np.arange(2 * n_recordings + 1))
    first = 2 * np.arange(n_recordings)
    cells = np.stack((first, first + 1, first), axis=1)
    # Stretches that run across both sides are one unit: what happens in one of them happens to A and to B.
    places = np.arange(len(rows)) - bounds[group[rows]]
    counts = abx_counts(
        embeddings, rows, bounds, cells, apart=apart, blocks=places, memory_mb=memory_mb, threads=threads
    )
    shares = _shares(counts, cells, rows, bounds, units.unit)
    return jackknife_intervals(counts.wins2, counts.triplets, shares, np.arange(n_recordings), units)


def _shares(
    counts: AbxCounts,
    cells: NDArray[np.int64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    unit: NDArray[np.int64],
) -> UnitMarginals:
    if counts.marginals is None:
        raise TypeError("counts without marginals")
    parts = []
    for column, share in ((2, counts.marginals.x), (0, counts.marginals.a), (1, counts.marginals.b)):
        n = np.diff(share.at)
        offset = np.repeat(bounds[cells[:, column]] - share.at[:-1], n)
        snippet = rows[offset + np.arange(share.at[-1])]
        parts.append((np.repeat(np.arange(len(n)), n), unit[snippet], share.wins2, share.triplets))
    return UnitMarginals(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _note(alternating_split: str, half_split: str) -> str:
    if alternating_split == half_split:
        return alternating_split
    return "; ".join(
        f"{name}: {text}"
        for name, text in (("alternating_split", alternating_split), ("half_split", half_split))
        if text
    )
