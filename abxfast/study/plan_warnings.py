"""What a study will not be able to show, or need not say, as far as the manifest and the headers tell."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from abxfast.study.embedding_estimate import count_snippets
from abxfast.study.embedding_jobs import fits
from abxfast.study.selection import value_of
from abxfast.study.triplets import find_obstacle
from abxfast.study.wording import enumerate_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abxfast.study.resolve import ResolvedStudy
    from abxfast.study.selection import Selection

_MIN_SNIPPETS = 10
"""Snippets of a recording below which a pair of recordings is not judged."""
_MIN_RECORDINGS = 5
"""Recordings of each value below which a pair of values has no interval: four degrees of freedom."""


def plan_warnings(resolved: ResolvedStudy) -> list[str]:
    """Return a line for each thing that the results of a study will lack.

    Parameters
    ----------
    resolved : ResolvedStudy
    """
    lines: dict[tuple[str, str], list[str]] = {}
    for selection in resolved.selections:
        name = selection.experiment.name
        for length in selection.experiment.snippets:
            place = "whole items" if length is None else f"{length:g} s"
            for text in _warnings_at_length(resolved, selection, length):
                lines.setdefault((name, text), []).append(place)
    at_lengths = [f"{name}, {enumerate_words(places)}: {text}" for (name, text), places in lines.items()]
    return [*_constant_labels(resolved), *at_lengths]


def _constant_labels(resolved: ResolvedStudy) -> Iterator[str]:
    for selection in resolved.selections:
        task = selection.experiment.task
        for column in task.by:
            values = {value_of(item, column) for item in selection.items}
            if len(values) == 1:
                yield (
                    f"{selection.experiment.name}: by = {column!r} has the one value {values.pop()!r} in the rows that "
                    "it selects, and so no effect"
                )


def _warnings_at_length(resolved: ResolvedStudy, selection: Selection, length: float | None) -> Iterator[str]:
    obstacle = find_obstacle(resolved, selection, length)
    if obstacle:
        yield f"nothing can be scored: {obstacle}"
        return
    on = selection.experiment.task.on
    snippets: Counter[str] = Counter()
    recordings: dict[str, set[str]] = {}
    for item in selection.items:
        if fits(resolved, item, length):
            snippets[item.recording] += count_snippets(resolved, item, length)
            recordings.setdefault(str(value_of(item, on)), set()).add(item.recording)
    n_occurrences = sum(map(len, recordings.values()))
    if n_occurrences > len(snippets):
        return  # ON varies within recordings: what can be exchanged depends on its runs
    if n_occurrences == len(recordings):
        short = [name for name, n in snippets.items() if n < _MIN_SNIPPETS]
        if short and length is not None:
            needed_s = length + (_MIN_SNIPPETS - 1) * (resolved.study.hop_s or length)
            yield (
                f"{len(short)} of {len(snippets)} recordings are too short for an interval and a verdict: "
                f"{_MIN_SNIPPETS} snippets, or {needed_s:g} s, of each would be needed (the shortest is "
                f"{min(short, key=snippets.__getitem__)})"
            )
        return
    few = [value for value, names in recordings.items() if len(names) < _MIN_RECORDINGS]
    if few:
        yield (
            f"{len(few)} of {len(recordings)} values of {on} have too few recordings for an interval of their pairs: "
            f"{_MIN_RECORDINGS} of each would be needed (the fewest are {min(map(len, recordings.values()))})"
        )
