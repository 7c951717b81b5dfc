"""The results in plain words: sentences that claim no more than the intervals and tests support."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from abxfast.statistics import DIFFERENT, EQUIVALENT, NO_EVIDENCE, UNDECIDABLE
from abxfast.study.wording import CHANCE, at_length, format_p, format_score, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.results import Row
    from abxfast.scoring import Dominance
    from abxfast.study.wording import Sentences

_MAX_PAIRS = 45
"""Pairs of one verdict, beyond which a single sentence describes them all: the matrix of ten values."""


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
    length = at_length(summary)
    if not is_number(summary.get("score")):
        yield "summary", f"Nothing could be scored {length}: {summary['note']}."
        return
    compared = f"the values of {on}" if on != "recording" else "the recordings"
    details = ""
    if summary["verdict"] == UNDECIDABLE:
        details = f", which cannot be judged: {summary['reason']}"
    elif is_number(summary.get("p")):
        details = f", p = {format_p(summary['p'])}"
    yield (
        "summary",
        (
            f"With {_encoder(summary)}, {compared} score {format_score(summary)} {length} on average{details}. "
            f"{_count_verdicts(pairs)}."
        ),
    )


def describe_dominance(summary: Row, dominance: Dominance | None) -> Sentences:
    """Describe that few channels outweigh the others, and name the option against it.

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
    for verdict in (DIFFERENT, EQUIVALENT, NO_EVIDENCE):
        rows = [row for row in pairs if row["verdict"] == verdict]
        if len(rows) > _MAX_PAIRS:
            yield "pair", _describe_many(rows, verdict, margin)
            continue
        for row in rows:
            subject = _describe_verdict(f"{row['a']} and {row['b']}", verdict, margin, row)
            yield "pair", f"{subject}: {_describe_result(row)}."
    undecidable: dict[str, list[Row]] = {}
    for row in pairs:
        if row["verdict"] == UNDECIDABLE:
            undecidable.setdefault(str(row["reason"]), []).append(row)
    yield from _describe_undecidable(undecidable)


def _describe_verdict(subject: str, verdict: str, margin: float, row: Row) -> str:
    length = at_length(row)
    if verdict == DIFFERENT:
        return f"There is evidence of a difference between {subject} {length}"
    if verdict == EQUIVALENT:
        return f"{subject} are equivalent {length}, within {margin:g} of chance"
    return f"There is no evidence of a difference between {subject} {length}"


def _describe_many(rows: Sequence[Row], verdict: str, margin: float) -> str:
    lowest, highest = (choose(rows, key=lambda row: row["score"]) for choose in (min, max))
    extremes = " to ".join(f"{row['score']:.2f} ({row['a']} and {row['b']})" for row in (lowest, highest))
    subject = _describe_verdict(f"the values of {len(rows)} pairs", verdict, margin, rows[0])
    return f"{subject.replace('the values', 'The values') if verdict == EQUIVALENT else subject}: from {extremes}."


def _describe_result(row: Row) -> str:
    """Return score, interval and p-value of a pair, and which of them the verdict follows if they seem to disagree."""
    text = format_score(row)
    if is_number(row.get("p_holm")) and row["verdict"] != EQUIVALENT:  # it is that of a difference
        text += f", corrected p = {format_p(row['p_holm'])}"
    if is_number(row["low"]):
        if row["verdict"] == DIFFERENT and row["low"] <= CHANCE:
            text += " (the test decides; the interval includes chance)"
        elif row["verdict"] == NO_EVIDENCE and row["low"] > CHANCE:
            text += " (the test decides; the interval excludes chance)"
        elif row["verdict"] == EQUIVALENT:
            text += " (two one-sided tests: the 90% interval is within)"
    return text


def _describe_undecidable(by_reason: Mapping[str, Sequence[Row]]) -> Sentences:
    for reason, rows in by_reason.items():
        subject = f"{rows[0]['a']} and {rows[0]['b']}" if len(rows) == 1 else f"{len(rows)} pairs"
        scores = [row["score"] for row in rows if is_number(row["score"])]
        if not scores:
            known = ""
        elif len(scores) == 1 or f"{min(scores):.2f}" == f"{max(scores):.2f}":
            known = f" ({min(scores):.2f})"
        else:
            known = f" ({min(scores):.2f} to {max(scores):.2f})"
        yield "pair", f"{subject}{known} cannot be judged {at_length(rows[0])}: {reason}."


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
    length = at_length(baselines[0])
    known = [row["alternating_split"] for row in baselines if is_number(row.get("alternating_split_low"))]
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
        scores = [row["alternating_split"] for row in baselines if is_number(row.get("alternating_split"))]
        spread = f" (they score {min(scores):.2f} to {max(scores):.2f} against themselves)" if scores else ""
        yield (
            "baseline",
            f"The baseline {length} cannot be judged: all recordings{spread} are too short or change over time.",
        )
    drifting = [row for row in baselines if "changes over time" in str(row["note"])]
    if drifting:
        worst = max(drifting, key=lambda row: row["half_split"] if is_number(row["half_split"]) else 0.0)
        changes = "changes" if len(drifting) == 1 else "change"
        yield (
            "baseline",
            (
                f"{len(drifting)} of {len(baselines)} recordings {changes} over time {length}, most of all "
                f"{worst['label']}, which scores {worst['half_split']:.2f} between its first and second half."
            ),
        )


def describe_classification(accuracy: Sequence[Row]) -> Sentences:
    """Describe the accuracy of each classification.

    Parameters
    ----------
    accuracy : sequence of dict
        Rows of the table ``accuracy`` of one analysis.
    """
    for row in accuracy:
        length = at_length(row)
        if not row["n"]:
            yield "classification", f"Recordings were not classified by {row['classify']} {length}: {row['note']}."
            continue
        correct = round(row["accuracy"] * row["n"])
        counted = f"Classification by {row['classify']} is correct for {correct} of {row['n']} recordings {length}"
        if not is_number(row["low"]):
            yield (
                "classification",
                f"{counted}, too few for a confidence interval; the majority-class baseline is {row['chance']:.2f}.",
            )
            continue
        low, high, chance = (round(row[name], 2) for name in ("low", "high", "chance"))  # as they are printed
        below = "not significantly above" if high >= chance else "below"
        comparison = "significantly above" if low > chance else below
        yield (
            "classification",
            (
                f"{counted}: {row['accuracy']:.2f} [{row['low']:.2f}, {row['high']:.2f}], {comparison} the "
                f"majority-class baseline ({row['chance']:.2f})."
            ),
        )
