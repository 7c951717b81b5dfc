"""Self-baselines: how a recording scores against itself, in alternating blocks and in halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import PairConstraint, abx_counts
from abxfast.statistics.dependence import make_exchangeable_units
from abxfast.statistics.intervals import jackknife_intervals
from abxfast.statistics.unit_marginals import UnitMarginals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import AbxCounts
    from abxfast.statistics.dependence import ExchangeableUnits
    from abxfast.statistics.intervals import Intervals

BLOCK_S = 30.0


@dataclass(frozen=True)
class SelfBaselines:
    """Scores of recordings against themselves, with 95% confidence intervals; arrays of shape (recordings,).

    Attributes
    ----------
    alternating_split, alternating_split_low, alternating_split_high : ndarray of float64
        Score of the odd 30 s blocks (A and X) against the even ones (B), and its interval: what a recording scores
        against itself without a trend over time. NaN where there are no triplets or there is no interval.
    half_split, half_split_low, half_split_high : ndarray of float64
        Score of the first half (A and X) against the second (B), and its interval: what a trend over time adds. NaN as
        above.
    n : ndarray of int64
        Number of snippets.
    note : list of str
        Why a score or an interval is missing; empty otherwise.
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
    """Score each recording against itself, split into alternating blocks and into halves.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    recording : ndarray of int64, shape (n,)
        Codes, from 0.
    start_s, end_s : ndarray of float64, shape (n,)
        Bounds of each snippet in its recording, in seconds. A snippet belongs to the block, or half, that contains its
        midpoint. Blocks last 30 s, or as long as the longest snippet if that is longer.
    min_gap_s : float
        Exclude pairs of a and x less than this many seconds apart.
    memory_mb : float
    threads : int, optional
        See `abx_counts`.

    Returns
    -------
    SelfBaselines
    """
    units = make_exchangeable_units(embeddings, recording, recording, start_s)
    # Times are relative to the first snippet, whatever the clock of the file says.
    first_s = np.full(int(recording.max()) + 1, np.inf)
    np.minimum.at(first_s, recording, start_s)
    duration_s = np.zeros(len(first_s))
    np.maximum.at(duration_s, recording, end_s - first_s[recording])
    midpoint_s = (start_s + end_s) / 2 - first_s[recording]
    block_s = max(BLOCK_S, float((end_s - start_s).max()))
    sides = ((midpoint_s // block_s).astype(np.int64) % 2, (midpoint_s >= duration_s[recording] / 2).astype(np.int64))
    constraint = PairConstraint(np.empty((0, len(recording)), np.int64), recording, start_s, end_s, min_gap_s)
    alternating, halves = (
        _score_split(embeddings, recording, side, units, constraint, memory_mb, threads) for side in sides
    )
    note = [_note(*notes) for notes in zip(alternating.note, halves.note, strict=True)]
    n = np.bincount(recording)
    return SelfBaselines(
        *(alternating.score, alternating.low, alternating.high), *(halves.score, halves.low, halves.high), n, note
    )


def _score_split(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    recording: NDArray[np.int64],
    side: NDArray[np.int64],
    units: ExchangeableUnits,
    constraint: PairConstraint,
    memory_mb: float,
    threads: int | None,
) -> Intervals:
    """Score side 0 (A and X) of each recording against side 1 (B).

    The units are those of the whole recording: one that spans both sides affects A and B alike.
    """
    n_recordings = int(recording.max()) + 1
    group = 2 * recording + side
    rows = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[rows], np.arange(2 * n_recordings + 1))
    first = 2 * np.arange(n_recordings)
    cells = np.stack((first, first + 1, first), axis=1)
    # Every snippet is a block of its own in the marginals.
    slots = np.arange(len(rows)) - bounds[group[rows]]
    counts = abx_counts(
        embeddings, rows, bounds, cells, constraint=constraint, blocks=slots, memory_mb=memory_mb, threads=threads
    )
    marginals = _unit_marginals(counts, cells, rows, bounds, units.unit)
    return jackknife_intervals(counts.wins2, counts.triplets, marginals, np.arange(n_recordings), units)


def _unit_marginals(
    counts: AbxCounts,
    cells: NDArray[np.int64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    unit: NDArray[np.int64],
) -> UnitMarginals:
    """Collect the marginals of all roles, not yet summed by unit, which `jackknife_intervals` does."""
    if counts.marginals is None:
        raise TypeError("counts without marginals")
    parts = []
    for column, marginals in ((2, counts.marginals.x), (0, counts.marginals.a), (1, counts.marginals.b)):
        size = np.diff(marginals.at)
        offset = np.repeat(bounds[cells[:, column]] - marginals.at[:-1], size)
        snippet = rows[offset + np.arange(marginals.at[-1])]
        parts.append((np.repeat(np.arange(len(size)), size), unit[snippet], marginals.wins2, marginals.triplets))
    return UnitMarginals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _note(alternating: str, halves: str) -> str:
    if alternating == halves:
        return alternating
    notes = (("odd against even blocks", alternating), ("first half against second", halves))
    return "; ".join(f"{split}: {text}" for split, text in notes if text)
