"""The result of scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from abxfast.scoring.task import Task


@dataclass(frozen=True)
class AbxScores:
    """Scores of a task, cell by cell.

    Attributes
    ----------
    task : Task
    table : pyarrow.Table
        One row a cell: ON and ``ON_b``, BY, ACROSS and ``ACROSS_x``; then ``score`` float64 (null where the cell has
        no triplet), ``wins2`` int64 (2 · wins + ties) and ``triplets`` int64.
    encoder, variant, snippet : str or None
        Where the vectors came from, if they came from a store.
    marginals : dict of str to pyarrow.Table, or None
        For each role, ``"x"``, ``"a"`` and ``"b"``, what each snippet or block won: see `marginal_tables`.
    """

    task: Task
    table: pa.Table
    encoder: str | None = None
    variant: str | None = None
    snippet: str | None = None
    marginals: dict[str, pa.Table] | None = None
