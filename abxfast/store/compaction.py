"""Compaction: small parts are merged into few large ones, and superseded entries are removed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast._files import remove, remove_stale
from abxfast.store import parquet
from abxfast.store.lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abxfast.store.parts import Part, Span
    from abxfast.store.store import Store

SMALL_PART_BYTES = 8 << 20
"""Parts below this size are merged."""
MERGED_PART_BYTES = 64 << 20
"""Size that a merged part does not exceed, unless a single part does already."""


class _KeptRun(NamedTuple):
    """Consecutive snippets of an entry in consecutive rows of a part."""

    key: str
    first: int
    row: int
    length: int


class _KeptPart(NamedTuple):
    """A part to rewrite, and the runs of rows to keep of it."""

    part: Part
    runs: list[_KeptRun]


def compact(store: Store, drop: Collection[str] = ()) -> None:
    """Merge small parts, and remove superseded entries, duplicate snippets, and the entries in `drop`.

    Only one process compacts at a time: two that each remove a part because the other's holds the same would lose
    both. On a drive without locks nothing is merged.

    Parameters
    ----------
    store : Store
    drop : collection of str
        Keys of entries.

    Raises
    ------
    StoreError
        If a part is damaged or the disk is full; nothing is lost then.
    """
    store.check_header()
    with lock_folder(store.root) as locked:
        store.refresh()
        if locked:
            dropped = _superseded(store) | set(drop)
            candidates, rewrite = _find_candidates(store, dropped)
            if rewrite or len(candidates) > 1:
                for group in _group_by_size(candidates):
                    _merge(store, group, dropped)
            for key in dropped:
                store.entries.pop(key, None)
        remove_stale(store.root)


def _superseded(store: Store) -> set[str]:
    """Return the keys of entries that a newer, complete one replaces; a newer unfinished one is kept to be resumed."""
    current = store.current_entries()
    superseded = set()
    for key, state in store.entries.items():
        best = current[state.entry.item, state.entry.plan.length_s]
        if best != key and store.entries[best].complete and state.written_ns <= store.entries[best].written_ns:
            superseded.add(key)
    return superseded


def _find_candidates(store: Store, dropped: set[str]) -> tuple[list[_KeptPart], bool]:
    """Return the parts that are small or hold something to remove, and whether any holds something to remove."""
    seen: dict[str, set[int]] = defaultdict(set)
    candidates: list[_KeptPart] = []
    rewrite = False
    for part in sorted(store.parts.values(), key=lambda part: (-part.size, part.path.name)):
        runs = [run for span in part.spans if span.key not in dropped for run in _unseen(span, seen[span.key])]
        n_kept = sum(run.length for run in runs)
        intact = n_kept == sum(span.length for span in part.spans) and part.keys.isdisjoint(dropped)
        if part.size < SMALL_PART_BYTES or not intact:
            candidates.append(_KeptPart(part, runs))
            rewrite = rewrite or not intact
    return candidates, rewrite


def _unseen(span: Span, seen: set[int]) -> Iterator[_KeptRun]:
    """Yield the runs of a span whose snippets were not seen before, and note them as seen."""
    length = 0
    for i in range(span.length + 1):
        if i < span.length and span.first + i not in seen:
            length += 1
        elif length:
            yield _KeptRun(span.key, span.first + i - length, span.row + i - length, length)
            length = 0
    seen.update(range(span.first, span.first + span.length))


def _group_by_size(candidates: list[_KeptPart]) -> Iterator[list[_KeptPart]]:
    """Split the parts into groups to merge, none of which exceeds `MERGED_PART_BYTES`."""
    group: list[_KeptPart] = []
    size = 0
    for candidate in candidates:
        if group and size + candidate.part.size > MERGED_PART_BYTES:
            yield group
            group, size = [], 0
        group.append(candidate)
        size += candidate.part.size
    if group:
        yield group


def _merge(store: Store, group: list[_KeptPart], dropped: set[str]) -> None:
    """Replace a group of parts with one."""
    keys = set().union(*(kept.part.keys for kept in group)) - dropped
    written = None
    if keys:
        # Runs share no snippet, so that they can be sorted as wholes; a slice copies nothing, taking rows would.
        ordered = sorted((run.key, run.first, table, run) for table, kept in enumerate(group) for run in kept.runs)
        tables = [parquet.read_columns(kept.part.path) for kept in group]
        slices = [tables[table].slice(run.row, run.length) for _, _, table, run in ordered]
        merged = pa.concat_tables(slices) if slices else tables[0].slice(0, 0)
        rows = ((run.key, run.first + i) for *_, run in ordered for i in range(run.length))
        written = store.add_part(merged, rows, {key: store.entries[key] for key in sorted(keys)})
    for part, _ in group:
        if part.path != written:
            remove(part.path)
            store.parts.pop(part.path.name, None)
