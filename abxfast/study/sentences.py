"""The results in plain words: sentences that claim no more than the intervals and tests support."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abxfast.results import Row

    Sentences = Iterator[tuple[str, str]]
    """Kind and text of each sentence."""

CHANCE = 0.5
LEVEL = 0.05
"""Significance level."""
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
    details += f", p = {_p(summary['p'])}" if _is_number(summary.get("p")) else ""
    yield (
        "summary",
        (
            f"With {summary['encoder']} ({summary['variant']}), {compared} score {score} {length} on average{details}; "
            f"{_count_outcomes(pairs)}."
        ),
    )


def _count_outcomes(pairs: Sequence[Row]) -> str:
    """Return how many pairs have which outcome, in words."""
    with_interval = [row for row in pairs if _is_number(row["low"])]
    different = sum(1 for row in pairs if _differs(row))
    not_significant = sum(1 for row in with_interval if row["low"] > CHANCE) - different
    no_evidence = sum(1 for row in with_interval if row["low"] <= CHANCE <= row["high"])
    without_interval = len(pairs) - len(with_interval)
    counts = [f"{different} of {len(pairs)} pairs can be told apart"]
    if no_evidence:
        counts.append(f"{no_evidence} show{'s' * (no_evidence == 1)} no evidence of a difference")
    if not_significant:
        s = "s" * (not_significant == 1)
        counts.append(f"{not_significant} score{s} above chance, but the permutation test is not significant")
    if without_interval:
        counts.append(f"{without_interval} ha{'s' if without_interval == 1 else 've'} no confidence interval")
    return ", ".join(counts)


def describe_pairs(pairs: Sequence[Row], baselines: Sequence[Row]) -> Sentences:
    """Describe each pair; those without an interval together, by reason.

    Parameters
    ----------
    pairs, baselines : sequence of dict
        Rows of the tables ``pairs`` and ``self_baselines`` of one analysis.
    """
    without_interval: dict[str, list[Row]] = {}
    known = {
        row["label"]: row["alternating_split"] for row in baselines if _is_number(row.get("alternating_split_low"))
    }
    for row in pairs:
        a, b, length = row["a"], row["b"], _at_length(row)
        if not _is_number(row["score"]):
            yield "pair", f"{a} and {b} could not be scored {length}: {row['note'] or 'no triplet'}."
        elif not _is_number(row["low"]):
            without_interval.setdefault(str(row["note"]), []).append(row)
        elif _differs(row):
            baseline = max((known[name] for name in (a, b) if name in known), default=0.0)
            caveat = ""
            if baseline >= row["score"]:
                caveat = f", no higher than a recording's own baseline ({baseline:.2f})"
            yield "pair", f"{a} and {b} can be told apart {length}: {_score(row)}{caveat}."
        elif row["low"] > CHANCE:
            note = f"; {row['note']}" if row["note"] else ""
            test = f"but the permutation test is not significant (p = {_p(row['p'])}{note})"
            yield "pair", f"{a} and {b} score above chance {length}: {_score(row)}, {test}."
        elif row["high"] < CHANCE:
            why = "snippets of different values are more alike than those of the same value"
            yield "pair", f"{a} and {b} score below chance {length}: {_score(row)}; {why}."
        else:
            yield "pair", f"There is no evidence of a difference between {a} and {b} {length}: {_score(row)}."
    yield from _describe_without_interval(without_interval)


def _describe_without_interval(by_note: Mapping[str, Sequence[Row]]) -> Sentences:
    for note, rows in by_note.items():
        lowest, highest = (choose(row["score"] for row in rows) for choose in (min, max))
        if len(rows) == 1:
            subject, scores = f"{rows[0]['a']} and {rows[0]['b']}", f"{lowest:.2f}"
        else:
            subject, scores = f"{len(rows)} pairs", f"{lowest:.2f} to {highest:.2f}"
        reason = note.removeprefix("no interval: ")
        length = _at_length(rows[0])
        yield "pair", f"{subject} score {scores} {length}, without a confidence interval: {reason}."


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
        caveat = f"; {n_short} of {len(baselines)} recordings are too short" if n_short else ""
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
            f"The baseline {length} is unknown: no recording is long enough for alternating blocks of 30 s.",
        )
    drifting = [row for row in baselines if _is_number(row["half_split_low"]) and row["half_split_low"] > CHANCE]
    if drifting:
        worst = max(drifting, key=lambda row: row["half_split"])
        score = "scores" if len(drifting) == 1 else "score"
        yield (
            "baseline",
            (
                f"{len(drifting)} of {len(baselines)} recordings {score} above chance between first and second half "
                f"{length}, most of all {worst['label']}: {worst['half_split']:.2f} [{worst['half_split_low']:.2f}, "
                f"{worst['half_split_high']:.2f}]; either a recording changes, or its neighbouring snippets are alike."
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
    with_interval = [row for row in timed if _is_number(row.get("low"))]
    if len(timed) < 2:  # noqa: PLR2004
        return
    if len(with_interval) < 2:  # noqa: PLR2004
        yield "length", "No length can be recommended: too few of them have a confidence interval."
        return
    best = max(with_interval, key=lambda row: row["score"])
    highest_low = max(row["low"] for row in with_interval)
    overlapping = [row for row in with_interval if row["high"] >= highest_low]
    lower = [row for row in with_interval if row not in overlapping]
    without_interval = [row for row in timed if row not in with_interval]
    caveat = f" (no confidence interval at {_list_lengths(without_interval)} s)" if without_interval else ""
    length, score = f"{best['snippet_s']:g} s", _score(best)
    if not any(_differs(row) for row in with_interval):
        p = f", p = {_p(best['p'])}" if _is_number(best.get("p")) else ""
        text = f"There is no evidence of a difference at any length: the best, {length}, scores {score}{p}{caveat}."
    elif len(overlapping) > 1:
        scores = "scores" if len(lower) == 1 else "score"
        worse = f"; {_list_lengths(lower)} s {scores} lower" if lower else ""
        text = (
            f"{length} has the highest score, {score}, but the confidence intervals of {_list_lengths(overlapping)} s "
            f"overlap: they do not support one of these lengths over another{worse}{caveat}."
        )
    else:
        text = f"{length} discriminates best: {score}; the confidence intervals of all other lengths are lower{caveat}."
    yield "length", text


def _list_lengths(rows: Sequence[Row]) -> str:
    lengths = [f"{row['snippet_s']:g}" for row in rows]
    return lengths[0] if len(lengths) == 1 else f"{', '.join(lengths[:-1])} and {lengths[-1]}"


def _at_length(row: Mapping[str, Any]) -> str:
    return "as whole items" if row["snippet_s"] is None else f"at {row['snippet_s']:g} s"


def _is_number(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124


def _differs(row: Mapping[str, Any]) -> bool:
    """Return whether both the confidence interval and the test find a score above chance.

    Autocorrelation of neighbouring snippets alone can raise a score and its interval. The permutation test accounts for
    it, and is not significant if there is too little to exchange.
    """
    above = bool(_is_number(row["low"]) and row["low"] > CHANCE)
    return above and not (_is_number(row.get("p")) and row["p"] > LEVEL)


def _score(row: Mapping[str, Any]) -> str:
    return f"{row['score']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def _p(p: float | None) -> str:
    return f"{p:.2g}"
