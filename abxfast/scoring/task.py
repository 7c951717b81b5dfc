"""ABX tasks: ON, BY and ACROSS (Schatz 2013; the terms of ABXpy)."""

from __future__ import annotations

from dataclasses import dataclass

from abxfast.errors import TaskError
from abxfast.scoring.labels import label_names


@dataclass(frozen=True)
class Task:
    """An ABX task: which labels A, B and X share, and in which they differ.

    Attributes
    ----------
    on : str
        The label that A and X share and B lacks.
    by : tuple of str
        Labels that all three share.
    across : tuple of str
        Labels that A and B share and in which X differs from them.

    Raises
    ------
    TaskError
        If a label is used twice, or has the name of another column of the score table.

    Examples
    --------
    Are phones discriminated within a context, by speakers other than that of A and B?

    >>> from abxfast import Task
    >>> task = Task("phone", by="context", across="speaker")
    >>> print(task)
    ON phone BY context ACROSS speaker

    The table of its scores has one row per cell, with these columns:

    >>> task.columns
    ('phone', 'phone_b', 'context', 'speaker', 'speaker_x', 'score', 'wins2', 'triplets')
    """

    on: str
    by: tuple[str, ...] = ()
    across: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take a single name for a tuple; check that every label is used once, and that all columns differ."""
        object.__setattr__(self, "by", label_names(self.by))
        object.__setattr__(self, "across", label_names(self.across))
        labels = self.labels
        for label in labels:
            if labels.count(label) > 1:
                raise TaskError(f"label {label!r} occurs twice in `on`, `by` and `across`; use each label once")
        columns = self.columns
        for column in columns:
            if columns.count(column) > 1:
                raise TaskError(f"the score table would have two columns {column!r}; rename the label {column!r}")

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, ON first."""
        return (self.on, *self.by, *self.across)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table of scores."""
        across = [name for label in self.across for name in (label, f"{label}_x")]
        return (self.on, f"{self.on}_b", *self.by, *across, "score", "wins2", "triplets")

    def __str__(self) -> str:
        """Return the task in the notation of the ABX literature."""
        by = f" BY {', '.join(self.by)}" if self.by else ""
        across = f" ACROSS {', '.join(self.across)}" if self.across else ""
        return f"ON {self.on}{by}{across}"
