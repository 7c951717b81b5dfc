"""The units of a design that may count as independent: blocks of a recording, runs of one label, or recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csgraph

from abxfast.statistics.autocorrelation import MIN_BLOCKS, estimate_autocorrelation

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_BLOCKS = 30
"""Blocks of a recording; more would hardly narrow an interval, and take longer."""


@dataclass(frozen=True)
class ExchangeableUnits:
    """The units that are resampled and relabelled as a whole.

    Attributes
    ----------
    kind : str
        ``"block"``: contiguous snippets of one recording, where each value of ON is one recording. ``"recording"``:
        whole recordings, where ON is constant within each and a value has several. ``"run"``: the consecutive snippets
        of a recording that share a label, where ON varies within recordings.
    unit : ndarray of int64, shape (n,)
        The unit of each snippet.
    stratum : ndarray of int64, shape (units,)
        The stratum of each unit. Units of one stratum are draws from one population: from a recording, or from a value
        of ON in one context.
    recording : ndarray of int64, shape (n,)
    time_rank : ndarray of int64, shape (n,)
        Rank of each snippet within its recording, by start time, from 0.
    block_length : ndarray of int64, shape (recordings,)
        Snippets per block; 1 where units are not blocks.
    inflation : ndarray of float64, shape (recordings,)
        Variance of a recording's mean over the variance that its blocks show, which treats them as independent; with
        the allowance for the error of the estimate, see `Autocorrelation.allowance`.
    inflation_error : ndarray of float64, shape (recordings,)
        Variance of the estimate of `inflation` over its square.
    too_short : ndarray of bool, shape (recordings,)
        Whether a recording holds too few independent observations; False where units are not blocks.
    drifts : ndarray of bool, shape (recordings,)
        Whether a recording changes over time, see `Autocorrelation.drifts`; False where units are not blocks.
    """

    kind: str
    unit: NDArray[np.int64]
    stratum: NDArray[np.int64]
    recording: NDArray[np.int64]
    time_rank: NDArray[np.int64]
    block_length: NDArray[np.int64]
    inflation: NDArray[np.float64]
    inflation_error: NDArray[np.float64]
    too_short: NDArray[np.bool_]
    drifts: NDArray[np.bool_]


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
    length, inflation = np.ones(n_recordings, np.int64), np.ones(n_recordings)
    inflation_error = np.zeros(n_recordings)
    too_short, drifts = np.zeros((2, n_recordings), np.bool_)
    kind = _kind(on, recording)
    if kind == "block":
        order = np.lexsort((rank, recording))
        for r, rows in enumerate(np.split(order, np.cumsum(np.bincount(recording))[:-1])):
            autocorrelation = estimate_autocorrelation([embeddings[rows]])
            length[r] = max(autocorrelation.block_length, -(-len(rows) // _MAX_BLOCKS))
            n_blocks = max(1, len(rows) // int(length[r]))
            inflation[r] = autocorrelation.inflation(n_blocks) * autocorrelation.allowance
            inflation_error[r] = autocorrelation.relative_variance
            too_short[r] = autocorrelation.too_short or len(rows) < MIN_BLOCKS
            drifts[r] = autocorrelation.drifts
        unit, stratum = split_into_blocks(recording, context, rank, length[recording])
    elif kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = connected_strata(unit, joint_codes(on, context))
    else:
        unit, one_context = find_label_runs(recording, rank, on, context)
        stratum = np.zeros(int(unit.max()) + 1, np.int64)
        stratum[unit] = joint_codes(on, context) if one_context else joint_codes(on)
    return ExchangeableUnits(
        kind, unit, stratum, recording, rank, length, inflation, inflation_error, too_short, drifts
    )


def _kind(on: NDArray[np.int64], recording: NDArray[np.int64]) -> str:
    n_pairs = len(np.unique(np.stack((on, recording), axis=1), axis=0))
    if n_pairs > len(np.unique(recording)):
        return "run"
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


def find_label_runs(
    recording: NDArray[np.int64], rank: NDArray[np.int64], on: NDArray[np.int64], context: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    """Return the runs of one value of ON, and whether each lies within one context.

    If every word is read softly and then loudly, each run is a word, and words can be compared one by one. If all words
    are read softly and then all of them loudly, there are two runs, whatever the words.

    Parameters
    ----------
    recording, rank, on, context : ndarray of int64, shape (n,)

    Returns
    -------
    unit : ndarray of int64, shape (n,)
    one_context : bool
    """
    unit = find_runs(recording, rank, on)
    one_context = len(np.unique(np.stack((unit, context), axis=1), axis=0)) == int(unit.max()) + 1
    return unit, one_context


def find_runs(recording: NDArray[np.int64], rank: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the run of each snippet: runs are the consecutive snippets of a recording that share a label.

    Parameters
    ----------
    recording, rank, label : ndarray of int64, shape (n,)
        Codes of the recording, order in time within it, and codes of the label.

    Returns
    -------
    ndarray of int64, shape (n,)
        Runs are numbered from 0 in order of recording and time.
    """
    order = np.lexsort((rank, recording))
    starts = np.diff(recording[order]).astype(np.bool_) | np.diff(label[order]).astype(np.bool_)
    run = np.empty(len(order), np.int64)
    run[order] = np.concatenate(([0], np.cumsum(starts)))
    return run


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
