"""How close to PyTorch an encoder has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.export.parity import Row


class Limits(NamedTuple):
    """What parity must keep, each None where it does not count."""

    difference: float | None = None
    drift: float | None = None
    abx: float | None = None


LIMITS = {"fp32": Limits(difference=1e-4), "fp16": Limits(drift=0.005), "int8": Limits(drift=0.03, abx=0.01)}


class Excess(NamedTuple):
    """Something that is beyond its limit."""

    what: str
    found: float
    limit: float
    row: Row

    def __str__(self) -> str:
        """Say what, how much and where."""
        return f"{self.what} {self.found:.3g} of {self.row.variant} at {self.row.snippet_s:g} s"


def beyond(rows: Sequence[Row], limits: Limits) -> list[Excess]:
    """Give all that is beyond its limit, where it is worst."""
    found = []
    for what, limit, key in (
        ("greatest difference", limits.difference, "difference"),
        ("drift", limits.drift, "drift95"),
        ("change of an ABX score", limits.abx, "abx"),
    ):
        over = [] if limit is None else [row for row in rows if not getattr(row, key) <= limit]  # NaN too
        if over and limit is not None:
            worst = max(over, key=lambda row: getattr(row, key))
            found.append(Excess(what, getattr(worst, key), limit, worst))
    return found
