"""How close to PyTorch an encoder must be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abxfast.export.parity import ParityRow

logger = logging.getLogger(__name__)

REMEDIES = {
    "int8": "choose `precision='fp16'` or `precision='fp32'`",
    "fp16": "choose `precision='fp32'`",
    "fp32": "this is a bug in abxfast: report it",
}
MAX_NAMED_INPUTS = 3
"""Inputs that an error message suggests to keep in fp32."""


class Tolerances(NamedTuple):
    """Upper bounds of the columns of the parity report, each None if there is none.

    Attributes
    ----------
    difference, drift, abx : float or None
        Of `ParityRow.difference`, `ParityRow.drift95` and `ParityRow.abx`.
    """

    difference: float | None = None
    drift: float | None = None
    abx: float | None = None


TOLERANCES = {
    "fp32": Tolerances(difference=1e-4),
    "fp16": Tolerances(drift=0.005),
    "int8": Tolerances(drift=0.03, abx=0.01),
}
"""By precision."""


class Violation(NamedTuple):
    """A measure that exceeds its tolerance, in the row where it is largest."""

    measure: str
    value: float
    limit: float
    row: ParityRow

    def __str__(self) -> str:
        """Return measure, value, variant and snippet length."""
        return f"{self.measure} {self.value:.3g} of {self.row.variant} at {self.row.snippet_s:g} s"


def violations(rows: Sequence[ParityRow], tolerances: Tolerances) -> list[Violation]:
    """Return the measures that exceed their tolerances, or are NaN."""
    result = []
    for measure, limit, key in (
        ("maximum difference", tolerances.difference, "difference"),
        ("drift", tolerances.drift, "drift95"),
        ("change of an ABX score", tolerances.abx, "abx"),
    ):
        exceeding = [] if limit is None else [row for row in rows if not getattr(row, key) <= limit]
        if exceeding and limit is not None:
            worst = max(exceeding, key=lambda row: getattr(row, key))
            result.append(Violation(measure, getattr(worst, key), limit, worst))
    return result


def check_parity(
    rows: Sequence[ParityRow],
    precision: str,
    allow_drift: float | None,
    path: Path,
    lossiest_inputs: Callable[[], list[str]],
) -> None:
    """Check a parity report against the tolerances of a precision.

    Parameters
    ----------
    rows : sequence of ParityRow
    precision : str
    allow_drift : float, optional
        Tolerance of the drift that replaces all tolerances of the precision; these are still reported by a warning.
    path : Path
        The encoder's file, for messages.
    lossiest_inputs : callable
        Returns the names of quantized inputs, by the accuracy that they cost; called if an int8 encoder fails.

    Raises
    ------
    ExportError
        If a tolerance is exceeded.
    """
    default = TOLERANCES[precision]
    exceeded = violations(rows, default if allow_drift is None else Tolerances(drift=allow_drift))
    if not exceeded:
        accepted = "; ".join(f"{violation} (limit {violation.limit:g})" for violation in violations(rows, default))
        if accepted:
            logger.warning("%s: accepted since `allow_drift` is %g: %s", path, allow_drift, accepted)
        return
    remedy = REMEDIES[precision]
    if precision == "int8" and (names := lossiest_inputs()):
        remedy = f"most is lost in {', '.join(names[:MAX_NAMED_INPUTS])}; pass these as `keep`, or {remedy}"
    raise ExportError(
        f"{path}: not written: {exceeded[0]}, at most {exceeded[0].limit:g} is allowed; {remedy}, or accept it with "
        "`allow_drift`"
    )
