"""Which snippet length and which variant discriminate best: rows and sentences that compare analyses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abxfast.statistics import DIFFERENT, NO_EVIDENCE, UNDECIDABLE
from abxfast.study.wording import LEVEL, at_length, enumerate_words, exceeds, format_p, format_score, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.results import Row
    from abxfast.study.wording import Sentences

_MAX_NAMED = 4


def describe_lengths(rows: Sequence[Row]) -> Sentences:
    """Describe which snippet length discriminates best, if the confidence intervals single one out.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the table ``summary`` of one experiment, encoder and variant, one per length.
    """
    timed = sorted((row for row in rows if row["snippet_s"] is not None), key=lambda row: row["snippet_s"])
    compared = [row for row in timed if is_number(row.get("low")) and row["verdict"] != UNDECIDABLE]
    if len(timed) < 2:  # noqa: PLR2004
        return
    if len(compared) < 2:  # noqa: PLR2004
        yield "length", "No length can be recommended: too few of them have a confidence interval and can be judged."
        return
    best = max(compared, key=lambda row: (row["verdict"] == DIFFERENT, row["score"]))
    higher = [row for row in timed if row not in compared and exceeds(row, best)]
    if higher:
        scores = ", ".join(f"{row['score']:.2f}" for row in higher)
        what = "scores higher" if len(higher) == 1 else "score higher"
        text = f"{_list_lengths(higher)} s {what} ({scores}) but cannot be compared, without a confidence interval or a"
        yield "length", f"{text} verdict; the others are compared here."
    highest_low = max(round(row["low"], 2) for row in compared)
    overlapping = [row for row in compared if round(row["high"], 2) >= highest_low]  # as they are printed
    lower = [row for row in compared if row not in overlapping]
    length, score = f"{best['snippet_s']:g} s", format_score(best)
    if best["verdict"] != DIFFERENT:
        if any(row["verdict"] == DIFFERENT for row in timed):
            return
        p = f", p = {format_p(best['p'])}" if is_number(best.get("p")) else ""
        text = f"There is no evidence of a difference at any length compared: the best, {length}, scores {score}{p}."
    elif len(overlapping) > 1:
        scores = "scores" if len(lower) == 1 else "score"
        worse = f"; {_list_lengths(lower)} s {scores} lower" if lower else ""
        is_highest = best["score"] == max(row["score"] for row in compared)
        but_the = f"{length} has the highest score, {score}, but the" if is_highest else "The"
        text = (
            f"{but_the} confidence intervals of {_list_lengths(overlapping)} s overlap: they do not support one of "
            f"these lengths over another{worse}."
        )
    else:
        worse = f"; the confidence intervals of {_list_lengths(lower)} s are lower" if lower else ""
        among = " of the lengths compared" if higher else ""
        text = f"{length} discriminates best{among}: {score}{worse}."
    yield "length", text


def _list_lengths(rows: Sequence[Row]) -> str:
    return enumerate_words([f"{row['snippet_s']:g}" for row in rows])


def best_variant_row(rows: Sequence[Row]) -> Row | None:
    """Return the variant with the highest score of those that can be judged, corrected for the choice.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the table ``summary`` of one experiment, encoder and length, one per variant.

    Returns
    -------
    dict or None
        A row of the table ``best_variants``; None if there is a single variant.
    """
    if len(rows) < 2:  # noqa: PLR2004
        return None
    row: dict[str, Any] = {name: rows[0][name] for name in ("experiment", "encoder", "standardise", "snippet_s")}
    row["variants"] = len(rows)
    judged = [other for other in rows if other["verdict"] != UNDECIDABLE and is_number(other.get("low_corrected"))]
    if not judged:
        return row | {"variant": "", "compared": 0, "note": "no variant can be judged, corrected for the choice"}
    best = max(judged, key=lambda other: other["score"])
    higher = [other for other in rows if other not in judged and exceeds(other, best)]
    row |= {"variant": best["variant"], "compared": len(judged), "score": best["score"]}
    row |= {"low": best["low_corrected"], "high": best["high_corrected"], "p": best["p_corrected"]}
    lowest = round(best["low_corrected"], 2)
    overlapping = [other for other in judged if other is not best and round(other["high_corrected"], 2) >= lowest]
    row["overlapping"] = len(overlapping)
    row["verdict"] = best["verdict"] if row["p"] is None or row["p"] <= LEVEL else NO_EVIDENCE
    row["not_judged"] = ", ".join(other["variant"] for other in higher)
    row["note"] = ""
    return row


def describe_best_variant(row: Row) -> Sentences:
    """Describe which variant answers the question of an experiment best.

    Parameters
    ----------
    row : dict
        A row of the table ``best_variants``.
    """
    length, encoder, n = at_length(row), row["encoder"], row["variants"]
    if not row["compared"]:
        yield "variant", f"None of the {n} variants of {encoder} can be recommended {length}: {row['note']}."
        return
    if row["not_judged"]:
        names = row["not_judged"].split(", ")
        shown = [*names[: _MAX_NAMED - 1], f"{len(names) - _MAX_NAMED + 1} more"] if len(names) > _MAX_NAMED else names
        what = "scores" if len(names) == 1 else "score"
        yield (
            "variant",
            (
                f"Of the variants of {encoder}, {enumerate_words(shown)} {what} higher {length} but cannot be judged; "
                "the others are compared here."
            ),
        )
    p = f", p = {format_p(row['p'])}" if is_number(row["p"]) else ""
    score = f"{format_score(row)}{p}, corrected for the choice"
    among = f"Of {row['compared']} variants of {encoder} {length}"
    if row["compared"] == 1:
        text = f"Of {n} variants of {encoder}, only {row['variant']} can be judged {length}: {score}."
    elif row["verdict"] != DIFFERENT:
        text = f"{among}, none shows evidence of a difference; the highest score is that of {row['variant']}: {score}."
    else:
        n_near = row["overlapping"]
        if n_near:
            others = "interval of another one overlaps" if n_near == 1 else f"intervals of {n_near} others overlap"
            text = f"{among}, {row['variant']} scores highest: {score}; the {others}, so that the choice is open."
        else:
            text = f"{among}, {row['variant']} discriminates best: {score}; the intervals of all others are lower."
    yield "variant", text
