"""What differences the recordings of a study could show, estimated before anything is computed."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from abxfast.statistics import (
    ALPHA,
    count_relabellings,
    detectable_score,
    estimate_autocorrelation,
    required_units,
)
from abxfast.store import is_store, open_store
from abxfast.study.embedding_estimate import count_snippets
from abxfast.study.embedding_jobs import fits, store_path
from abxfast.study.selection import value_of

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.manifest import Item
    from abxfast.study.resolve import ResolvedStudy
    from abxfast.study.selection import Selection

_MIN_SNIPPETS = 10
"""Snippets below which a recording is not judged."""
_MAX_ESTIMATED = 12
"""Recordings whose autocorrelation is estimated, at most."""


def estimate_power(resolved: ResolvedStudy, folder: Path) -> list[str]:
    """Return a line for each experiment and length: what it could show with 80% power, and what it would take.

    Parameters
    ----------
    resolved : ResolvedStudy
    folder : Path
        The results folder; snippets that are embedded already tell how alike neighbours are.
    """
    lengths: dict[tuple[str, str], list[str]] = {}
    for selection in resolved.selections:
        for length in selection.experiment.snippets:
            text = _power(resolved, selection, length, folder)
            if text:
                place = "whole items" if length is None else f"{length:g} s"
                lengths.setdefault((selection.experiment.name, text), []).append(place)
    return [f"{name}, {', '.join(places)}: {text}" for (name, text), places in lengths.items()]


def _power(resolved: ResolvedStudy, selection: Selection, length: float | None, folder: Path) -> str:
    """Return what an experiment could show at one length; empty where that is not known beforehand."""
    on = selection.experiment.task.on
    items = [item for item in selection.items if fits(resolved, item, length)]
    recordings: dict[str, set[str]] = {}
    for item in items:
        recordings.setdefault(str(value_of(item, on)), set()).add(item.recording)
    if len(recordings) < 2:  # noqa: PLR2004
        return ""
    occurrences = sum(map(len, recordings.values()))
    if occurrences > len({item.recording for item in items}):
        return ""  # ON varies within recordings: what can be exchanged depends on its runs
    n_tests = math.comb(len(recordings), 2)
    if occurrences == len(recordings):
        return _power_of_recordings(resolved, items, length, n_tests, folder)
    return _power_of_groups(on, [len(names) for names in recordings.values()], n_tests)


def _power_of_groups(on: str, sizes: list[int], n_tests: int) -> str:
    """Return whether several recordings of each value could show anything."""
    hopeless = sum(n_tests / count_relabellings(*pair) > ALPHA for pair in combinations(sizes, 2))
    fewest = min(sizes)
    if not hopeless:
        return f"differences can be shown: {fewest} recordings or more of each value of {on}"
    needed = required_units(n_tests)
    corrected = f" after correction for {n_tests} pairs" if n_tests > 1 else ""
    return (
        f"{hopeless} of {n_tests} pairs have too few recordings for p ≤ {ALPHA:g}{corrected}: {needed} of each value "
        f"of {on} would do (the fewest are {fewest})"
    )


def _power_of_recordings(
    resolved: ResolvedStudy, items: list[Item], length: float | None, n_tests: int, folder: Path
) -> str:
    """Return the score that two recordings of median length could show, and that of twice the length."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.recording] = counts.get(item.recording, 0) + count_snippets(resolved, item, length)
    n = _two_digits(int(median(counts.values())))
    if n < _MIN_SNIPPETS:
        return f"recordings of {n} snippets can show nothing: at least {_MIN_SNIPPETS} of each would be needed"
    time, known = _integrated_time(resolved, items, length, folder)
    score, of_twice = (detectable_score(size, round(time, 1), n_tests) for size in (n, 2 * n))
    assumed = "" if known else ", if neighbouring snippets are no more alike than others"
    if math.isnan(score):
        twice = "" if math.isnan(of_twice) else f"; recordings of {2 * n} could, from a score of about {of_twice:.2f}"
        return f"recordings of {n} snippets can show hardly any difference{assumed}{twice}"
    return (
        f"recordings of {n} snippets could show a difference with 80% power from a score of about {score:.2f}, of "
        f"{2 * n} from {of_twice:.2f}{assumed}"
    )


def _integrated_time(
    resolved: ResolvedStudy, items: list[Item], length: float | None, folder: Path
) -> tuple[float, bool]:
    """Return the median integrated autocorrelation time of what is embedded, and whether anything is."""
    name = next(iter(resolved.encoders))
    path = store_path(resolved, name, folder)
    if not is_store(path):
        return 1.0, False
    store = open_store(path)
    if store.encoder_sha256 != resolved.encoders[name].sha256:
        return 1.0, False
    names = list(dict.fromkeys(item.recording for item in items))[:_MAX_ESTIMATED]
    wanted = {item.item for item in items if item.recording in names}
    snippets = store.read(length, resolved.variants[name][0], items=wanted)
    recording, start_s = np.array(snippets.recordings), np.asarray(snippets.start_s)
    times = []
    for each in names:
        rows = np.flatnonzero(recording == each)
        if len(rows) >= _MIN_SNIPPETS:
            rows = rows[np.argsort(start_s[rows], kind="stable")]
            times.append(estimate_autocorrelation([snippets.embeddings[rows]]).time)
    return (max(1.0, median(times)), True) if times else (1.0, False)


def _two_digits(n: int) -> int:
    return int(float(f"{n:.2g}"))
