"""The results in plain words: sentences that claim no more than the intervals and tests support."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from abxfast.statistics import DIFFERENT, EQUIVALENT, NO_EVIDENCE, UNDECIDABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abxfast.results import Row
    from abxfast.scoring import Dominance

    Sentences = Iterator[tuple[str, str]]
    """Kind and text of each sentence."""

CHANCE = 0.5
LEVEL = 0.05
"""Significance level of correlations with audio quality."""
_MEASURES = {
    "level_db": "level",
    "clipping": "clipping",
    "bandwidth_hz": "bandwidth",
    "noise_db": "noise floor",
    "rate_hz": "sample rate",
    "channels": "number of channels",
}


def describe_summary(summary: Row, pairs: Sequence[Row], on: str) -> Sentences:
    """Describe the mean score of an analysis, and how many of its pairs differ.

    Parameters
    ----------
    summary : dict
        Row of the table ``summary``.
    pairs : sequence of dict
        Rows of the table ``pairs``.
    on : str
    """
    length = _at_length(summary)
    if not _is_number(summary.get("score")):
        yield "summary", f"Nothing could be scored {length}: {summary['note']}."
        return
    compared = f"the values of {on}" if on != "recording" else "the recordings"
    has_interval = _is_number(summary.get("low"))
    score = _score(summary) if has_interval else f"{summary['score']:.2f}"
    details = "" if has_interval else ", without a confidence interval"
    if summary["verdict"] == UNDECIDABLE:
        details += f", which cannot be judged: {summary['reason']}"
    elif _is_number(summary.get("p")):
        details += f", p = {_p(summary['p'])}"
    yield (
        "summary",
        (f"With {_encoder(summary)}, {compared} score {score} {length} on average{details}. {_count_verdicts(pairs)}."),
    )


def describe_dominance(summary: Row, dominance: Dominance | None) -> Sentences:
    """Say that few channels outweigh the others, and name the option against it.

    Parameters
    ----------
    summary : dict
        Row of the table ``summary``.
    dominance : Dominance or None
        Of the vectors as they were scored.
    """
    if dominance is not None:
        text = f"With {_encoder(summary)}, {dominance}, and so outweigh the others"
        yield "channels", f'{text}; standardise = "zscore" in the study file gives all channels the same weight.'


def _encoder(summary: Row) -> str:
    """Return encoder, variant and standardisation in words."""
    method = summary.get("standardise", "none")
    return f"{summary['encoder']} ({summary['variant']}{'' if method == 'none' else f', {method}'})"


def _count_verdicts(pairs: Sequence[Row]) -> str:
    """Return how many pairs have which verdict, in words."""
    count = Counter(row["verdict"] for row in pairs)
    n = len(pairs)
    parts = [f"There is evidence of a difference for {count[DIFFERENT]} of {n} pair{'s' * (n != 1)}"]
    if count[EQUIVALENT]:
        parts.append(f"{count[EQUIVALENT]} {'is' if count[EQUIVALENT] == 1 else 'are'} equivalent to chance")
    if count[NO_EVIDENCE]:
        parts.append(f"{count[NO_EVIDENCE]} show{'s' * (count[NO_EVIDENCE] == 1)} no evidence of a difference")
    if count[UNDECIDABLE]:
        parts.append(f"{count[UNDECIDABLE]} cannot be judged")
    return ", ".join(parts)


def describe_pairs(pairs: Sequence[Row], margin: float) -> Sentences:
    """Describe each pair as its verdict has it; those that cannot be judged together, by reason.

    Parameters
    ----------
    pairs : sequence of dict
        Rows of the table ``pairs`` of one analysis.
    margin : float
        Distance from 0.5 within which a score counts as equivalent to chance.
    """
    undecidable: dict[str, list[Row]] = {}
    for row in pairs:
        a, b, length = row["a"], row["b"], _at_length(row)
        if row["verdict"] == UNDECIDABLE:
            undecidable.setdefault(str(row["reason"]), []).append(row)
        elif row["verdict"] == DIFFERENT:
            yield "pair", f"There is evidence of a difference between {a} and {b} {length}: {_scored(row)}."
        elif row["verdict"] == EQUIVALENT:
            yield "pair", f"{a} and {b} are equivalent {length}, within {margin:g} of chance: {_scored(row)}."
        else:
            yield "pair", f"There is no evidence of a difference between {a} and {b} {length}: {_scored(row)}."
    yield from _describe_undecidable(undecidable)


def _describe_undecidable(by_reason: Mapping[str, Sequence[Row]]) -> Sentences:
    for reason, rows in by_reason.items():
        subject = f"{rows[0]['a']} and {rows[0]['b']}" if len(rows) == 1 else f"{len(rows)} pairs"
        scores = [row["score"] for row in rows if _is_number(row["score"])]
        if not scores:
            known = ""
        elif len(scores) == 1 or f"{min(scores):.2f}" == f"{max(scores):.2f}":
            known = f" ({min(scores):.2f})"
        else:
            known = f" ({min(scores):.2f} to {max(scores):.2f})"
        yield "pair", f"{subject}{known} cannot be judged {_at_length(rows[0])}: {reason}."


def describe_generality(on: str, recordings: Mapping[object, set[str]], pairs: Sequence[Row]) -> Sentences:
    """Describe that a difference between two recordings is not one between the conditions that they were made in.

    Parameters
    ----------
    on : str
    recordings : mapping of str to set of str
        The recordings of each value of ON.
    pairs : sequence of dict
        Rows of the table ``pairs`` of one analysis.
    """
    different = [row for row in pairs if row["verdict"] == DIFFERENT]
    sides = [(recordings[row["a"]], recordings[row["b"]]) for row in different]
    if on == "recording" or not any(len(a | b) == 2 and not a & b for a, b in sides):  # noqa: PLR2004
        return
    yield (
        "pair",
        (
            f"Where a value of {on} has a single recording, these recordings differ; whether the values of {on} do "
            "takes several recordings of each."
        ),
    )


def describe_baselines(baselines: Sequence[Row]) -> Sentences:
    """Describe what recordings score against themselves: in alternating blocks, and first half against second half.

    Parameters
    ----------
    baselines : sequence of dict
        Rows of the table ``self_baselines`` of one analysis.
    """
    if not baselines:
        return
    length = _at_length(baselines[0])
    known = [row["alternating_split"] for row in baselines if _is_number(row.get("alternating_split_low"))]
    if known:
        spread = f"on average ({min(known):.2f} to {max(known):.2f})" if len(known) > 1 else "(one recording)"
        n_short = len(baselines) - len(known)
        caveat = f"; {n_short} of {len(baselines)} recordings are too short or change over time" if n_short else ""
        yield (
            "baseline",
            (
                f"A recording against itself, in alternating blocks of 30 s, scores {sum(known) / len(known):.2f} "
                f"{length} {spread}: the baseline of all scores here{caveat}."
            ),
        )
    else:
        yield (
            "baseline",
            f"The baseline {length} is unknown: no recording is long and steady enough for an interval.",
        )
    drifting = [row for row in baselines if "changes over time" in str(row["note"])]
    if drifting:
        worst = max(drifting, key=lambda row: row["half_split"] if _is_number(row["half_split"]) else 0.0)
        changes = "changes" if len(drifting) == 1 else "change"
        yield (
            "baseline",
            (
                f"{len(drifting)} of {len(baselines)} recordings {changes} over time {length}, most of all "
                f"{worst['label']}, which scores {worst['half_split']:.2f} between its first and second half."
            ),
        )


def describe_confounds(confounds: Sequence[Row]) -> Sentences:
    """Describe which audio quality measures correlate with the scores.

    Parameters
    ----------
    confounds : sequence of dict
        Rows of the table ``confounds`` of one analysis.
    """
    tested = [row for row in confounds if _is_number(row.get("p"))]
    if not tested:
        return
    length = _at_length(tested[0])
    significant = [row for row in tested if row["p"] < LEVEL]
    for row in significant:
        direction = "higher" if row["correlation"] > 0 else "lower"
        yield (
            "confound",
            (
                f"Recordings that differ more in {_MEASURES[row['measure']]} have {direction} scores {length} (rank "
                f"correlation {row['correlation']:.2f}, p = {_p(row['p'])}): this may confound the scores."
            ),
        )
    if not significant:
        names = ", ".join(_MEASURES[row["measure"]] for row in tested)
        yield (
            "confound",
            f"No significant correlation of the scores {length} with differences in {names} (all p ≥ {LEVEL:g}).",
        )


def describe_classification(accuracy: Sequence[Row]) -> Sentences:
    """Describe the accuracy of each classification.

    Parameters
    ----------
    accuracy : sequence of dict
        Rows of the table ``accuracy`` of one analysis.
    """
    for row in accuracy:
        length = _at_length(row)
        if not row["n"]:
            yield "classification", f"Recordings were not classified by {row['classify']} {length}: {row['note']}."
            continue
        correct = round(row["accuracy"] * row["n"])
        if row["low"] > row["chance"]:
            comparison = "significantly above"
        else:
            comparison = "not significantly above" if row["high"] > row["chance"] else "below"
        yield (
            "classification",
            (
                f"Classification by {row['classify']} is correct for {correct} of {row['n']} recordings {length}: "
                f"{row['accuracy']:.2f} [{row['low']:.2f}, {row['high']:.2f}], {comparison} the majority-class "
                f"baseline ({row['chance']:.2f})."
            ),
        )


def describe_lengths(rows: Sequence[Row]) -> Sentences:
    """Describe which snippet length discriminates best, if the confidence intervals single one out.

    Parameters
    ----------
    rows : sequence of dict
        Rows of the table ``summary`` of one experiment, encoder and variant, one per length.
    """
    timed = sorted((row for row in rows if row["snippet_s"] is not None), key=lambda row: row["snippet_s"])
    compared = [row for row in timed if _is_number(row.get("low")) and row["verdict"] != UNDECIDABLE]
    if len(timed) < 2:  # noqa: PLR2004
        return
    if len(compared) < 2:  # noqa: PLR2004
        yield "length", "No length can be recommended: too few of them have a confidence interval and can be judged."
        return
    best = max(compared, key=lambda row: (row["verdict"] == DIFFERENT, row["score"]))
    higher = [row for row in timed if row not in compared and _exceeds(row, best)]
    if higher:
        scores = ", ".join(f"{row['score']:.2f}" for row in higher)
        what = "scores higher" if len(higher) == 1 else "score higher"
        text = f"{_list_lengths(higher)} s {what} ({scores}) but cannot be compared, without a confidence interval or a"
        yield "length", f"{text} verdict; the others are compared here."
    highest_low = max(row["low"] for row in compared)
    overlapping = [row for row in compared if row["high"] >= highest_low]
    lower = [row for row in compared if row not in overlapping]
    length, score = f"{best['snippet_s']:g} s", _score(best)
    if best["verdict"] != DIFFERENT:
        if any(row["verdict"] == DIFFERENT for row in timed):
            return
        p = f", p = {_p(best['p'])}" if _is_number(best.get("p")) else ""
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
        text = f"{length} discriminates best: {score}{worse}."
    yield "length", text


def _list_lengths(rows: Sequence[Row]) -> str:
    lengths = [f"{row['snippet_s']:g}" for row in rows]
    return lengths[0] if len(lengths) == 1 else f"{', '.join(lengths[:-1])} and {lengths[-1]}"


def _at_length(row: Mapping[str, Any]) -> str:
    return "as whole items" if row["snippet_s"] is None else f"at {row['snippet_s']:g} s"


def _is_number(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124


def _exceeds(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether a score is higher than another one as both are printed."""
    return _is_number(row["score"]) and f"{row['score']:.2f}" > f"{other['score']:.2f}"


def _scored(row: Mapping[str, Any]) -> str:
    """Return the score of a pair with its interval, or without one, and its adjusted p-value."""
    score = _score(row) if _is_number(row["low"]) else f"{row['score']:.2f}, without a confidence interval"
    return f"{score}, corrected p = {_p(row['p_holm'])}" if _is_number(row.get("p_holm")) else score


def _score(row: Mapping[str, Any]) -> str:
    return f"{row['score']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _p(p: float | None) -> str:
    return f"{p:.2g}"
