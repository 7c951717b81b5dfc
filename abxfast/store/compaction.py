"""Tidying a store: small parts become few large ones, and what was replaced goes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast._files import remove, remove_stale
from abxfast.store import parquet
from abxfast.store.lock import locked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abxfast.store.store import Store

SMALL_PART_BYTES = 8 << 20
"""Parts below this size are merged when a run ends,"""
MERGED_PART_BYTES = 64 << 20
"""to parts of about this size."""


class _Kept(NamedTuple):
    """A part, and the (entry, snippet, row) that are to be kept of it."""

    part: parquet.Part
    rows: list[tuple[str, int, int]]


def compact(store: Store, drop: Collection[str] = ()) -> None:
    """Merge small parts, and leave out what was replaced, what stands twice, and the entries `drop`.

    One process at a time: two that each remove a part in favour of the other's would lose both. Where there are no
    locks to be had, nothing is merged.

    Raises
    ------
    StoreError
        Where a part is damaged or the disk is full; nothing is lost then.
    """
    with locked(store.root) as alone:
        store.refresh()
        if alone:
            gone = _replaced(store) | set(drop)
            untidy, rewrite = _untidy(store, gone)
            if rewrite or len(untidy) > 1:
                for group in _groups(untidy):
                    _merge(store, group, gone)
            for key in gone:
                store.entries.pop(key, None)
        remove_stale(store.root)


def _replaced(store: Store) -> set[str]:
    """Give the entries in whose place a newer, complete one stands; a newer one that is unfinished is to be resumed."""
    winners = store.current_entries()
    replaced = set()
    for key, state in store.entries.items():
        best = winners[state.entry.item, state.entry.plan.length_s]
        if best != key and store.entries[best].complete and state.written_ns <= store.entries[best].written_ns:
            replaced.add(key)
    return replaced


def _untidy(store: Store, gone: set[str]) -> tuple[list[_Kept], bool]:
    """Give the parts that are small or hold what is to go, and whether any of them does."""
    seen: dict[str, set[int]] = defaultdict(set)
    untidy: list[_Kept] = []
    rewrite = False
    for part in sorted(store.parts.values(), key=lambda part: (-part.size, part.path.name)):
        rows = []
        for span in part.spans:
            for i in range(span.length):
                if span.key not in gone and span.first + i not in seen[span.key]:
                    seen[span.key].add(span.first + i)
                    rows.append((span.key, span.first + i, span.row + i))
        whole = len(rows) == sum(span.length for span in part.spans) and part.keys.isdisjoint(gone)
        if part.size < SMALL_PART_BYTES or not whole:
            untidy.append(_Kept(part, rows))
            rewrite = rewrite or not whole
    return untidy, rewrite


def _groups(untidy: list[_Kept]) -> Iterator[list[_Kept]]:
    """Share out parts to merge so that none of the results becomes large."""
    group: list[_Kept] = []
    size = 0
    for kept in untidy:
        if group and size + kept.part.size > MERGED_PART_BYTES:
            yield group
            group, size = [], 0
        group.append(kept)
        size += kept.part.size
    if group:
        yield group


def _merge(store: Store, group: list[_Kept], gone: set[str]) -> None:
    """Put one part in the place of several."""
    keys = set().union(*(kept.part.keys for kept in group)) - gone
    chosen = sorted((key, number, place, row) for place, kept in enumerate(group) for key, number, row in kept.rows)
    written = None
    if keys:
        tables = [parquet.read_columns(kept.part.path) for kept in group]
        states = {key: store.entries[key] for key in sorted(keys)}
        pieces = [tables[place].slice(row, length) for place, row, length in _runs(chosen)]
        table = pa.concat_tables(pieces) if pieces else tables[0].slice(0, 0)
        written = store.add_part(table, [(key, number) for key, number, _, _ in chosen], states)
    for part, _ in group:
        if part.path != written:
            remove(part.path)
            store.parts.pop(part.path.name, None)


def _runs(chosen: list[tuple[str, int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Join rows that follow each other in one table, as (table, row, length): slices copy nothing, a choice does."""
    start = 0
    for end in range(1, len(chosen) + 1):
        *_, place, row = chosen[start]
        if end == len(chosen) or chosen[end][2:] != (place, row + end - start):
            yield place, row, end - start
            start = end
