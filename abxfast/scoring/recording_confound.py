"""Warn when the recordings themselves may explain the scores."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.scoring.cells import concatenate_ranges
from abxfast.scoring.labels import column_names, encode_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from abxfast.scoring.cells import TaskCells
    from abxfast.scoring.labels import Labels
    from abxfast.scoring.task import Task

logger = logging.getLogger(__name__)

_CELLS_PER_CHUNK = 10_000
"""Cells examined together, which bounds the memory."""


def warn_recording_confound(task: Task, labels: Labels, cells: TaskCells, *, different: Sequence[str] = ()) -> None:
    """Warn if a and x may come from one recording that no b comes from.

    What a recording sounds like may then be what is scored. That is intended if ON or BY is the recording, and it
    cannot happen if the recordings of a and x must be different.
    """
    if "recording" not in column_names(labels) or "recording" in (*task.labels, *different):
        return
    if _is_confounded(cells, encode_label("recording", labels)[0][cells.rows].astype(np.int64)):
        logger.warning(
            "%s: some a and x come from one recording that no b comes from, so that the score may be that of the "
            "recordings; to compare between recordings only, pass `different='recording'`",
            task,
        )


class _GroupRecordings(NamedTuple):
    """The recordings of each group of snippets.

    Attributes
    ----------
    n_recordings : int
    keys : ndarray of int64
        ``group * n_recordings + recording`` of each group and recording that occur together, ascending.
    n_snippets : ndarray of int64
        Number of snippets of each key.
    bounds : ndarray of int64, shape (n_groups + 1,)
        The keys of group g are ``keys[bounds[g]:bounds[g + 1]]``.
    """

    n_recordings: int
    keys: NDArray[np.int64]
    n_snippets: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def contain(self, group: NDArray[np.int64], recording: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each group has a snippet of the recording."""
        wanted = group * self.n_recordings + recording
        position = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        contained: NDArray[np.bool_] = self.keys[position] == wanted
        return contained


def _is_confounded(cells: TaskCells, recording: NDArray[np.int64]) -> bool:
    """Return whether there are groups A and X that share a recording which none of their groups B has.

    Parameters
    ----------
    cells : TaskCells
    recording : ndarray of int64, shape (n,)
        Code of the recording of each of ``cells.rows``.
    """
    n_groups = len(cells.bounds) - 1
    group = np.repeat(np.arange(n_groups), np.diff(cells.bounds))
    n_recordings = int(recording.max(initial=0)) + 1
    keys, n_snippets = np.unique(group * n_recordings + recording, return_counts=True)
    bounds = np.searchsorted(keys, np.arange(n_groups + 1) * n_recordings)
    recordings = _GroupRecordings(n_recordings, keys, n_snippets, bounds)
    return any(_has_recording_without_b(recordings, *chunk) for chunk in _chunks(cells.groups))


def _chunks(groups: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Split cells into chunks (a, b, x, ax), each with all cells of its pairs (A, X); `ax` numbers the pairs."""
    a, b, x = groups[np.lexsort((groups[:, 2], groups[:, 0]))].T
    is_first = (np.diff(a, prepend=-1) != 0) | (np.diff(x, prepend=-1) != 0)
    ax = np.cumsum(is_first)
    first = np.flatnonzero(is_first)
    chunk_starts = [pairs[0] for pairs in np.array_split(first, len(a) // _CELLS_PER_CHUNK + 1) if len(pairs)]
    for start, stop in zip(chunk_starts, [*chunk_starts[1:], len(a)], strict=True):
        yield a[start:stop], b[start:stop], x[start:stop], ax[start:stop]


def _has_recording_without_b(
    recordings: _GroupRecordings,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    x: NDArray[np.int64],
    ax: NDArray[np.int64],
) -> bool:
    # One entry for each cell and each recording of its A.
    n = np.diff(recordings.bounds)[a]
    cell = np.repeat(np.arange(len(a)), n)
    entry = concatenate_ranges(recordings.bounds[a], n)
    recording = recordings.keys[entry] % recordings.n_recordings
    # If A and X are one group, a and x of one recording are two snippets of it.
    is_shared = recordings.contain(x[cell], recording) & ((a != x)[cell] | (recordings.n_snippets[entry] > 1))
    is_in_b = recordings.contain(b[cell], recording)
    pair_and_recording = ax[cell] * recordings.n_recordings + recording
    return not np.isin(pair_and_recording[is_shared], pair_and_recording[is_in_b]).all()
