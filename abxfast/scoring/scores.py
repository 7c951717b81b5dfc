"""The result of scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from abxfast._notebook import format_html_table, plot_matrix, to_pandas
from abxfast.errors import TaskError
from abxfast.results import short_names

if TYPE_CHECKING:
    from abxfast.scoring.task import Task

_SOURCE = ("encoder", "variant", "snippet", "standardise")
"""Attributes of `AbxScores` that say what was scored."""


@dataclass(frozen=True, repr=False)
class AbxScores:
    """Scores of a task, cell by cell; a notebook shows them as a table.

    Attributes
    ----------
    task : Task
    table : pyarrow.Table
        One row per cell: ON and ``ON_b``, BY, ACROSS and ``ACROSS_x``; then ``score`` float64 (null if the cell has
        no triplet), ``wins2`` int64 (2 · wins + ties) and ``triplets`` int64. Estimated scores have no ``wins2`` but
        ``standard_error``, ``low`` and ``high`` (95% interval of the exact score), and ``triplets`` is the number
        compared; a cell with the standard error 0 was counted exactly.
    encoder, variant, snippet : str or None
        Source of the vectors, if they come from a store; `snippet` is the length in seconds or ``"whole"``.
    marginals : dict of str to pyarrow.Table, or None
        What each snippet or block won in each role, ``"x"``, ``"a"`` and ``"b"``, if `marginals` was asked for. The
        columns are ``cell`` (row of `table`), ``snippet`` (row of the embeddings) or the label of the blocks,
        ``wins2`` and ``triplets``; over a cell, the last two add up to those of the cell.
    standardise : str or None
        How the channels of the vectors were standardised: ``center``, ``zscore``, or not at all.
    pair_marginals : pyarrow.Table, or None
        What pairs of blocks won in two different roles, if `pair_marginals` was asked for. The columns are ``cell``
        (row of `table`), ``first`` and ``second`` (ranks of the two values of the label of the blocks), ``wins2`` and
        ``triplets``. Entries of one cell and pair add up.

    Examples
    --------
    Are a hall and a studio discriminated, from one recording to another? Each row of the table is a cell:

    >>> from abxfast import score_store
    >>> scores = score_store("demo.store", on="condition", by=["experiment"], different=["recording"])
    >>> scores
    AbxScores('ON condition BY experiment', cells=6, encoder='mfcc', variant='mfcc.max', snippet='1')
    >>> for row in scores.table.to_pylist():
    ...     if row["experiment"] == "room":
    ...         print(f"X from a {row['condition']}, B from a {row['condition_b']}: {row['score']:.2f}")
    X from a hall, B from a studio: 0.81
    X from a studio, B from a hall: 0.83

    In a notebook, ``scores.to_pandas()`` returns a data frame, and ``scores.plot()`` draws the matrix of a task
    without BY and ACROSS.
    """

    task: Task
    table: pa.Table
    encoder: str | None = None
    variant: str | None = None
    snippet: str | None = None
    marginals: dict[str, pa.Table] | None = None
    standardise: str | None = None
    pair_marginals: pa.Table | None = None

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame`, with columns for what was scored, if that is known.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingPackageError
            If pandas is not installed.
        """
        return to_pandas(add_source_columns(self))

    def plot(self) -> Any:
        """Draw the scores of all pairs of values of ON as a matrix.

        Rows are the values that A and X share, columns those of B, both ordered by clustering. The marks of
        significance in the matrices of a study need confidence intervals, which scores alone do not have.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        TaskError
            If the task has BY or ACROSS: its cells do not form one matrix.
        MissingPackageError
            If matplotlib is not installed.
        """
        if self.task.by or self.task.across:
            raise TaskError(
                f"{self.task}: only a task without BY and ACROSS forms one matrix; score without `by` and `across`, "
                "or average over them in `to_pandas()`"
            )
        a, b, scores = (self.table[name].to_pylist() for name in (self.task.on, f"{self.task.on}_b", "score"))
        index = {value: number for number, value in enumerate(dict.fromkeys((*a, *b)))}
        matrix = np.full((len(index), len(index)), np.nan)
        for value, other, score in zip(a, b, scores, strict=True):
            matrix[index[value], index[other]] = np.nan if score is None else score
        return plot_matrix(self._title(), short_names(tuple(map(str, index))), matrix)

    def __repr__(self) -> str:
        """Return the task, the number of cells and the source in one line."""
        source = {name: getattr(self, name) for name in _SOURCE}
        described = "".join(f", {name}={value!r}" for name, value in source.items() if value is not None)
        return f"AbxScores({str(self.task)!r}, cells={self.table.num_rows}{described})"

    def _repr_html_(self) -> str:
        """Return the table as HTML, for notebooks."""
        return format_html_table(self.table, self._title())

    def _title(self) -> str:
        standardised = [] if self.standardise is None else [f"standardised: {self.standardise}"]
        if self.encoder is None:
            return " · ".join([f"ABX {self.task}", *standardised])
        length = "whole items" if self.snippet == "whole" else f"{self.snippet} s"
        return " · ".join([f"ABX {self.task} · {self.encoder} · {self.variant} · {length}", *standardised])


def add_source_columns(scores: AbxScores) -> pa.Table:
    """Return the table with columns for what was scored, so that encoder, variant and the rest are never lost."""
    table = scores.table
    for name in _SOURCE:
        value = getattr(scores, name)
        if value is not None:
            table = table.append_column(name, pa.array([value] * table.num_rows, pa.string()))
    return table
