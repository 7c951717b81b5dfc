"""Compaction: small parts are merged into few large ones, and superseded entries are removed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast._files import remove, remove_stale
from abxfast.store import parquet
from abxfast.store.lock import lock_folder
from abxfast.store.parts import unseen_spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abxfast.store.parts import Part, Span
    from abxfast.store.store import Store

SMALL_PART_BYTES = 8 << 20
"""Parts below this size are merged."""
MERGED_PART_BYTES = 64 << 20
"""Size that a merged part does not exceed, unless a single part does already."""


class _KeptPart(NamedTuple):
    """A part to rewrite, and the rows to keep of it."""

    part: Part
    spans: list[Span]


def compact(store: Store, drop: Collection[str] = ()) -> bool:
    """Merge small parts, and remove superseded entries, duplicate snippets, and the entries in `drop`.

    Only one process compacts at a time: two that each remove a part because the other's holds the same would lose
    both. On a drive without locks nothing is merged.

    Parameters
    ----------
    store : Store
    drop : collection of str
        Keys of entries.

    Returns
    -------
    bool
        Whether the drive has locks, so that it could be done.

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
    return locked


def _superseded(store: Store) -> set[str]:
    """Return the keys of entries that a newer, complete one replaces; a newer unfinished one is kept to be resumed."""
    current = store.current_entries()
    superseded = store.replaced_keys()
    for key, state in store.entries.items():
        if key in superseded:
            continue
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
        spans = [kept for span in part.spans if span.key not in dropped for kept in unseen_spans(span, seen[span.key])]
        n_kept = sum(span.length for span in spans)
        intact = n_kept == sum(span.length for span in part.spans) and part.keys.isdisjoint(dropped)
        if part.size < SMALL_PART_BYTES or not intact:
            candidates.append(_KeptPart(part, spans))
            rewrite = rewrite or not intact
    return candidates, rewrite


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
        # Spans share no snippet, so that they can be sorted as wholes; a slice copies nothing, taking rows would.
        ordered = sorted((span.key, span.first, table, span) for table, kept in enumerate(group) for span in kept.spans)
        tables = [parquet.read_columns(kept.part.path) for kept in group]
        slices = [tables[table].slice(span.row, span.length) for _, _, table, span in ordered]
        merged = pa.concat_tables(slices) if slices else tables[0].slice(0, 0)
        rows = ((span.key, span.first + i) for *_, span in ordered for i in range(span.length))
        written = store.add_part(merged, rows, {key: store.entries[key] for key in sorted(keys)})
    for part, _ in group:
        if part.path != written:
            remove(part.path)
            store.parts.pop(part.path.name, None)
