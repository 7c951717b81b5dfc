"""What the page says first: the main results, the strongest first, and what cannot be judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast.statistics import DIFFERENT, EQUIVALENT, NO_EVIDENCE, UNDECIDABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from abxfast.results import ResultKey, Results

_MAX_FINDINGS = 8
_MAX_REASONS = 4
_STRENGTH = {DIFFERENT: 0, EQUIVALENT: 1, NO_EVIDENCE: 2, UNDECIDABLE: 3}
"""Order of the verdicts, the strongest first."""
_FURTHER_KINDS = ("copy", "cancellation", "variant", "classification", "length", "confound")
"""Kinds of sentences that follow those on scores, in this order."""


@dataclass(frozen=True)
class Finding:
    """A sentence at the top of the page.

    Attributes
    ----------
    text : str
    verdict : str
        Of the analysis, for sentences on its scores; empty for others.
    key : ResultKey
        The analysis whose matrix shows it.
    """

    text: str
    verdict: str
    key: ResultKey


def make_findings(results: Results) -> list[Finding]:
    """Return at most eight findings: mean scores, the strongest first, then what else the sentences say.

    Each experiment and encoder is represented by one analysis, of the default variant: the length with the strongest
    verdict and, of these, the highest score.
    """
    sentences = results.groups("sentences")
    chosen = chosen_analyses(results)
    findings = [
        Finding(text, row["verdict"] or "", key)
        for key, row in chosen.items()
        for text in _texts(sentences.get(key), "summary")
    ]
    for kind in _FURTHER_KINDS:
        for key in chosen:
            keys = [other for other in sentences if _belongs(other, key, kind)]
            if kind == "length" and chosen[key]["verdict"] != DIFFERENT:
                continue  # no length tells a difference, so that none can be recommended
            texts = [text for other in dict.fromkeys((key, *keys)) for text in _texts(sentences.get(other), kind)]
            findings += [Finding(text, "", key) for text in dict.fromkeys(texts)]
    return findings[:_MAX_FINDINGS]


def _belongs(other: ResultKey, key: ResultKey, kind: str) -> bool:
    """Return whether a sentence of a kind that compares analyses, or is about recordings, goes with an analysis."""
    of_experiment = other[:2] in (key[:2], (key.experiment, None))
    return of_experiment and other.snippet_s == (key.snippet_s if kind == "variant" else None)


def describe_undecidable(results: Results) -> str:
    """Return in one sentence which pairs cannot be judged, and why; default variants only."""
    reasons: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    several = len(set(results.tables["summary"]["encoder"].to_pylist())) > 1
    for key, pairs in results.shown("pairs").items():
        where = f"{key.length} with {key.encoder}" if several else key.length
        rows = pairs.select(["verdict", "reason"]).to_pylist()
        counts = Counter(row["reason"] or "no reason given" for row in rows if row["verdict"] == UNDECIDABLE)
        for reason, count in counts.items():
            reasons.setdefault((key.experiment, reason), []).append((where, count, len(rows)))
    for key, rows in results.shown("summary").items():
        row = rows.to_pylist()[0]
        if row["score"] is None:
            reasons.setdefault((key.experiment, row["reason"] or row["note"] or ""), []).append((key.length, 0, 0))
    if not reasons:
        return ""
    ordered = sorted(reasons.items(), key=lambda item: -sum(count for _, count, _ in item[1]))
    parts = [_describe_reason(experiment, reason, places) for (experiment, reason), places in ordered[:_MAX_REASONS]]
    more = len(ordered) - len(parts)
    if more:
        parts.append(f"and pairs with {more} other reason{'s' * (more > 1)}, listed below")
    return f"What cannot be judged: {'; '.join(parts)}."


def _describe_reason(experiment: str, reason: str, places: Sequence[tuple[str, int, int]]) -> str:
    """Return an experiment's pairs that cannot be judged for a reason, by length."""
    numbers: dict[tuple[int, int], list[str]] = {}
    for length, count, total in places:
        lengths = numbers.setdefault((count, total), [])
        if length not in lengths:
            lengths.append(length)
    parts = []
    for (count, total), lengths in numbers.items():
        if not total:
            amount = "nothing was scored"
        elif count == total:
            amount = f"all {total:,} pairs" if total > 1 else "the only pair"
        else:
            amount = f"{count:,} of {total:,} pairs"
        parts.append(f"{amount} at {_join(lengths)}")
    return f"in {experiment}, {_join(parts)} ({reason})"


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def chosen_analyses(results: Results) -> dict[ResultKey, Mapping[str, Any]]:
    """Return an analysis of each experiment and encoder with its row of the summary, the strongest first."""
    different = {key: pairs["verdict"].to_pylist().count(DIFFERENT) for key, pairs in results.shown("pairs").items()}
    best: dict[tuple[str, str], tuple[ResultKey, Mapping[str, Any]]] = {}
    for key, rows in results.shown("summary").items():
        row = rows.to_pylist()[0] | {"different": different.get(key, 0)}
        pair = (key.experiment, key.encoder)
        if pair not in best or _strength(row) < _strength(best[pair][1]):
            best[pair] = (key, row)
    return dict(sorted(best.values(), key=lambda item: _strength(item[1])))


def _strength(row: Mapping[str, Any]) -> tuple[int, int, float]:
    """Return a sort key: by verdict; for means that cannot be judged, by pairs that differ; then by score."""
    score, rank = row["score"], _STRENGTH.get(row["verdict"], len(_STRENGTH))
    n_different = row["different"] if rank >= _STRENGTH[UNDECIDABLE] else 0
    return rank, -n_different, 0.0 if score is None else -abs(score - 0.5)


def _texts(sentences: pa.Table | None, kind: str) -> list[str]:
    if sentences is None:
        return []
    return [row["text"] for row in sentences.select(["kind", "text"]).to_pylist() if row["kind"] == kind]
