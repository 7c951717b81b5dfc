"""What a worker does to score: it loads the vectors that it needs from the store, each part once, and counts."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from distributed import get_worker

from abxfast._version import __version__
from abxfast.cluster.running import WorkerFailure
from abxfast.errors import AbxfastError, ClusterError, StoreError
from abxfast.kernels import abx_counts
from abxfast.scoring import check_embeddings
from abxfast.store import LazyVectors, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.cluster.tiles import Tile

_MAX_ATTEMPTS = 5
_counting = threading.Lock()
"""A worker counts one tile at a time, with all its threads."""
_vectors: dict[ScoreJob, LazyVectors] = {}
"""The vectors of the current job."""


@dataclass(frozen=True)
class ScoreJob:
    """What all tiles share.

    Attributes
    ----------
    root : Path
        The store.
    length_s : float or None
    variant : str
    digest : str
        Hash of the snippets that the client found, see `Store.digest`.
    memory_mb : float
    version : str
        Version of abxfast of the client.
    """

    root: Path
    length_s: float | None
    variant: str
    digest: str
    memory_mb: float
    version: str = __version__


class TileCounts(NamedTuple):
    """Wins and triplets of each cell of a tile, int64; see `AbxCounts`."""

    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]


def count_tile(job: ScoreJob, tile: Tile) -> TileCounts | WorkerFailure:
    """Count the triplets of the cells of a tile."""
    worker = get_worker()
    try:
        with _counting:
            embeddings = check_embeddings(_take(job, tile.rows))
            counts = abx_counts(
                embeddings,
                np.arange(len(tile.rows)),
                tile.bounds,
                tile.groups,
                constraint=tile.constraint,
                memory_mb=job.memory_mb,
                threads=worker.state.nthreads,
            )
    except AbxfastError as error:
        return WorkerFailure(worker.address, error, elsewhere=isinstance(error, StoreError))
    return TileCounts(counts.wins2, counts.triplets)


def _take(job: ScoreJob, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the vectors of rows; read the store again if its parts were merged meanwhile."""
    for _ in range(_MAX_ATTEMPTS):
        try:
            if job not in _vectors:
                _vectors.clear()
                _vectors[job] = _open(job)
            return _vectors[job].take(rows)
        except FileNotFoundError:
            _vectors.clear()
    raise StoreError(f"{job.root}: its parts keep changing; score it when no other program writes to it")


def _open(job: ScoreJob) -> LazyVectors:
    if job.version != __version__:
        raise ClusterError(f"has abxfast {__version__}, the client has {job.version}; install the same version on both")
    if not job.root.is_dir():
        raise ClusterError(f"cannot see the store {job.root}; put it on a drive that all workers share")
    store = open_store(job.root)
    if store.digest(job.length_s) != job.digest:
        raise ClusterError(
            f"{job.root}: has other snippets than the client found; is it another folder, or being extended?"
        )
    return store.read_lazily(job.length_s, job.variant, memory_mb=job.memory_mb)
