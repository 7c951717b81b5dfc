"""Confounds of an experiment: whether how its recordings were made goes along with what it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.audio import QUALITY_MEASURES
from abxfast.statistics import association_test, mantel_test
from abxfast.study.wording import LEVEL, at_length, enumerate_words, format_p, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.study.analysis import Analysis
    from abxfast.study.wording import Sentences

    Labels = Mapping[str, Sequence[object]]

_NAMES = {
    "level_db": ("level", "dB"),
    "clipping": ("clipping", ""),
    "bandwidth_hz": ("bandwidth", "Hz"),
    "noise_db": ("noise floor", "dB"),
    "rate_hz": ("sample rate", "Hz"),
    "channels": ("number of channels", ""),
}
"""Name and unit of each measure."""


def confound_rows(analysis: Analysis, labels: Labels, pairs: Sequence[Row]) -> list[Row]:
    """Return a row per audio quality measure, for the recordings and labels that the experiment compares.

    If each value of ON is a recording, the scores of the pairs are correlated with differences of the measure;
    otherwise, the measure is compared between the values of ON, within the contexts of BY and ACROSS. Where ON varies
    within recordings there are no rows: what holds for a whole recording cannot distinguish the values.

    Parameters
    ----------
    analysis : Analysis
    labels : mapping of str to sequence
        Columns of the experiment and ``recording``, one value per snippet.
    pairs : sequence of dict
        Rows of the table ``pairs`` of the analysis.
    """
    task = analysis.selection.experiment.task
    values: dict[str, set[str]] = {}
    contexts: dict[str, set[tuple[object, ...]]] = {}
    columns = [labels[name] for name in (*task.by, *task.across)]
    for recording, value, *context in zip(labels["recording"], labels[task.on], *columns, strict=True):
        values.setdefault(str(recording), set()).add(str(value))
        contexts.setdefault(str(recording), set()).add(tuple(context))
    if any(len(found) > 1 for found in values.values()):
        return []
    recordings = [recording for recording in analysis.selection.recordings if recording in values]
    value_of = {recording: next(iter(values[recording])) for recording in recordings}
    rows = []
    if len(set(value_of.values())) == len(recordings):
        matrix = _score_matrix(pairs, [value_of[recording] for recording in recordings])
        for number, name in enumerate(QUALITY_MEASURES):
            measured = _measured(analysis, recordings, name)
            test = mantel_test(matrix, measured, permutations=analysis.permutations, seed=[analysis.seed, number])
            result = {"correlation": test.correlation, "p": test.p, "pairs": test.pairs, "note": test.note}
            known = {"recordings": int(np.isfinite(measured).sum())}
            rows.append(analysis.key | {"measure": name, "method": "pairs"} | result | known)
        return rows
    on = [value_of[recording] for recording in recordings]
    strata = [frozenset(contexts[recording]) for recording in recordings]
    for name in QUALITY_MEASURES:
        measured = _measured(analysis, recordings, name)
        compared = association_test(
            measured, _codes(on), _codes(strata), permutations=analysis.permutations, seed=analysis.seed
        )
        result = {"correlation": compared.correlation, "p": compared.p, "recordings": compared.recordings}
        result |= {"values": _extremes(on, measured) if compared.correlation > 0 else "", "note": compared.note}
        rows.append(analysis.key | {"measure": name, "method": "values"} | result)
    return rows


def _measured(analysis: Analysis, recordings: Sequence[str], name: str) -> NDArray[np.float64]:
    values = [getattr(analysis.quality[recording], name) for recording in recordings]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _score_matrix(pairs: Sequence[Row], values: Sequence[str]) -> NDArray[np.float64]:
    """Return the scores of the pairs as a symmetric matrix in the order of `values`; NaN without a score."""
    index = {value: number for number, value in enumerate(values)}
    matrix = np.full((len(values), len(values)), np.nan)
    for row in pairs:
        a, b = index[row["a"]], index[row["b"]]
        matrix[a, b] = matrix[b, a] = np.nan if row["score"] is None else row["score"]
    return matrix


def _codes(values: Sequence[object]) -> NDArray[np.int64]:
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([numbers[value] for value in values], np.int64)


def _extremes(on: Sequence[str], measured: NDArray[np.float64]) -> str:
    """Return the values with the lowest and the highest mean of a measure, with these means."""
    means = {
        value: float(np.mean(found))
        for value in dict.fromkeys(on)
        if len(found := measured[np.isfinite(measured) & (np.array(on, object) == value)])
    }
    if len(means) < 2:  # noqa: PLR2004
        return ""
    lowest, highest = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    return f"{lowest} {means[lowest]:.3g}, {highest} {means[highest]:.3g}"


def describe_confounds(confounds: Sequence[Row], on: str) -> Sentences:
    """Describe which audio quality measures go along with what an experiment compares.

    Parameters
    ----------
    confounds : sequence of dict
        Rows of the table ``confounds`` of one analysis.
    on : str
    """
    tested = [row for row in confounds if is_number(row.get("p"))]
    for row in tested:
        if row["p"] < LEVEL:
            yield "confound", f"{_describe(row, on)}: this may confound the scores."
    able = [row for row in tested if not row["note"]]
    if able and all(row["p"] >= LEVEL for row in tested):
        names = enumerate_words([_NAMES[row["measure"]][0] for row in able])
        if able[0]["method"] == "pairs":
            text = f"No significant correlation of the scores {at_length(able[0])} with differences in {names}"
        else:
            text = f"No significant difference in {names} between the values of {on}"
        yield "confound", f"{text} (all p ≥ {LEVEL:g})."


def _describe(row: Row, on: str) -> str:
    name, unit = _NAMES[row["measure"]]
    p = format_p(row["p"])
    if row["method"] == "pairs":
        direction = "higher" if row["correlation"] > 0 else "lower"
        return (
            f"Recordings that differ more in {name} have {direction} scores {at_length(row)} (rank correlation "
            f"{row['correlation']:.2f}, p = {p})"
        )
    means = f", with means of {row['values']}{f' {unit}' if unit else ''}" if row["values"] else ""
    return f"The values of {on} differ in {name} as well (p = {p}{means})"
