"""Scoring on a cluster: the client finds the cells, workers count tiles of them; the client never holds a vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abxfast.cluster.connection import connect, workers_of
from abxfast.cluster.running import Killed, TaskRun
from abxfast.cluster.score_worker import ScoreJob, count_tile
from abxfast.cluster.tiles import make_tile, partition_cells
from abxfast.errors import ClusterError, ClusterLostError, TaskError
from abxfast.scoring import AbxScores, Task, choose_snippets, label_names, make_score_table, prepare_counting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributed import Client
    from numpy.typing import NDArray

    from abxfast.kernels import PairConstraint
    from abxfast.scoring import TaskCells

_BYTES_PER_VALUE = 16
"""A tile has two ranges of float32 vectors, which take half of the memory; the kernels have the other half."""


def score_on_cluster(
    store: str | Path,
    cluster: str | Path,
    *,
    snippet: float | str | None = None,
    variant: str | None = None,
    manifest: str | Path | None = None,
    on: str = "recording",
    by: Sequence[str] = (),
    across: Sequence[str] = (),
    min_gap_s: float = 0.0,
    different: Sequence[str] = (),
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
    memory_mb: float = 512,
) -> AbxScores:
    """Score the snippets of a store, as `abxfast.score_store` does, with the workers of a Dask cluster.

    The counts are equal to those of one machine, to the last triplet. The store must be on a drive that all workers
    share, under the same path. Each worker reads the parts that it needs once, into memory or into a scratch file.

    Parameters
    ----------
    store, snippet, variant, manifest, on, by, across, min_gap_s, different, max_size_group, max_x_across, seed
        See `abxfast.score_store`.
    cluster : str or path
        See `abxfast.cluster.connect`.
    memory_mb : float
        Memory of each worker: for vectors that are not in a scratch file, and for counting.

    Returns
    -------
    AbxScores

    Raises
    ------
    ClusterError
        If the cluster cannot be used, a worker cannot see the store, or a tile ended three workers.
    ClusterLostError
        If the scheduler is gone.
    AbxfastError
        See `abxfast.score_store`.
    """
    if not 0 < memory_mb < np.inf:
        raise TaskError(f"`memory_mb`: found {memory_mb}, expected megabytes above 0")
    task = Task(on, label_names(by), label_names(across))
    chosen = choose_snippets(Path(store).absolute(), snippet, variant, manifest)
    digest = chosen.store.digest(chosen.length_s)
    snippets = chosen.store.read(chosen.length_s, None)
    has_metadata = np.array([item in chosen.metadata for item in snippets.items], bool)
    rows = np.flatnonzero(has_metadata)
    snippets = snippets.take(rows)
    cells, constraint = prepare_counting(
        task,
        chosen.make_labels(snippets, (*task.labels, *label_names(different))),
        len(rows),
        min_gap_s=min_gap_s,
        different=different,
        max_size_group=max_size_group,
        max_x_across=max_x_across,
        seed=seed,
    )
    job = ScoreJob(chosen.store.root, chosen.length_s, chosen.variant, digest, memory_mb)
    with connect(cluster) as client:
        wins2, triplets = _count(client, job, cells, constraint, rows, chosen.store.dim)
    return chosen.with_source(AbxScores(task, make_score_table(task, cells, wins2, triplets)))


def _count(
    client: Client,
    job: ScoreJob,
    cells: TaskCells,
    constraint: PairConstraint | None,
    rows: NDArray[np.int64],
    dim: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return wins and triplets of each cell; ``rows[i]`` is the row of the store of snippet i."""
    wins2, triplets = np.zeros(len(cells.groups), np.int64), np.zeros(len(cells.groups), np.int64)
    max_rows = max(1, int(job.memory_mb * 1e6 / (_BYTES_PER_VALUE * dim)))
    parts = [_CellIndices(indices) for indices in partition_cells(cells, sum(workers_of(client).values()), max_rows)]

    def encode(part: _CellIndices) -> object:
        tile = make_tile(cells, constraint, part.cells)
        return replace(tile, rows=rows[tile.rows])

    run = TaskRun(client, count_tile, job, encode=encode)
    try:
        for outcome in run.outcomes(parts):
            if outcome is None:
                continue
            part, counts = outcome
            if isinstance(counts, Killed):
                problem = f"{counts.deaths} workers ended while they counted the same cells (out of memory?)"
                raise ClusterError(f"{problem}; lower `memory_mb`")  # noqa: TRY301
            wins2[part.cells], triplets[part.cells] = counts
    except ClusterLostError:
        raise
    except BaseException:
        run.stop()
        raise
    return wins2, triplets


@dataclass(frozen=True, eq=False)
class _CellIndices:
    """The cells of a tile, as rows of the score table."""

    cells: NDArray[np.int64]
