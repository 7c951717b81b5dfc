"""Copying entries: vectors that the store holds already, written again under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from abxfast.errors import StoreError
from abxfast.store import parquet
from abxfast.store.entries import EntryState
from abxfast.store.parts import unseen_spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abxfast.store.entries import StoreEntry
    from abxfast.store.parts import Part
    from abxfast.store.store import Store

_MAX_ATTEMPTS = 20
"""Times to start again, since another process may merge parts between the listing and the reading."""


class EntryCopy(NamedTuple):
    """An entry to be written with the vectors of another one.

    Attributes
    ----------
    source : str
        Key of an entry in the store, of the same audio, stretch, channel and plan.
    entry : StoreEntry
        The new entry.
    replaces : bool
        Whether the new entry is the old one renamed, so that the old one no longer counts.
    """

    source: str
    entry: StoreEntry
    replaces: bool


def copy_entries(store: Store, copies: Sequence[EntryCopy]) -> None:
    """Write entries with the vectors of others, bit for bit, part by part.

    A renamed entry counts from the moment its last snippet is written, and the old one no longer does; `compact`
    removes it. A process that is killed meanwhile leaves the old entry in place.

    Raises
    ------
    StoreError
        If a part cannot be read or written.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            _copy_parts(store, [copy for copy in copies if copy.source in store.entries])
        except FileNotFoundError:  # another process has merged it since the last refresh
            store.refresh()
            continue
        return
    raise StoreError(f"{store.root}: its parts keep changing; try again when no other program writes to it")


def _copy_parts(store: Store, copies: Sequence[EntryCopy]) -> None:
    time_ns = store.next_timestamp_ns()
    by_source: dict[str, list[EntryCopy]] = {}
    states: dict[str, EntryState] = {}
    for copy in copies:
        by_source.setdefault(copy.source, []).append(copy)
        state = states.setdefault(
            copy.entry.key(store.encoder_sha256), EntryState(copy.entry, time_ns, store.entries[copy.source].total)
        )
        if copy.replaces:
            # Also what the old entry replaces: it may be removed before those are.
            state.replaces |= {**store.entries[copy.source].replaces, copy.source: time_ns}
    seen = {key: set(store.entries[key].done) if key in store.entries else set() for key in states}
    written: set[str] = set()
    for part in list(store.parts.values()):
        if not part.keys.isdisjoint(by_source):
            written |= _copy_part(store, part, by_source, states, seen)
    # An entry of which everything is there already, or that has no snippet yet, must be recorded as well.
    if rest := {key: state for key, state in states.items() if key not in written}:
        store.write([], rest)


def _copy_part(
    store: Store,
    part: Part,
    by_source: Mapping[str, Sequence[EntryCopy]],
    states: Mapping[str, EntryState],
    seen: Mapping[str, set[int]],
) -> set[str]:
    """Write the snippets of one part that are to be copied as a part of their own; return the keys written."""
    slices: list[pa.Table] = []
    rows: list[tuple[str, int]] = []
    table = parquet.read_columns(part.path)
    for span in part.spans:
        for copy in by_source.get(span.key, ()):
            key = copy.entry.key(store.encoder_sha256)
            for kept in unseen_spans(span, seen[key]):
                slices.append(_rename(table.slice(kept.row, kept.length), copy.entry))
                rows += [(key, kept.first + i) for i in range(kept.length)]
    keys = {key for key, _ in rows}
    if keys:
        store.add_part(pa.concat_tables(slices), rows, {key: states[key] for key in sorted(keys)})
    return keys


def _rename(table: pa.Table, entry: StoreEntry) -> pa.Table:
    """Return rows with the item and the recording of an entry."""
    for name in ("item", "recording"):
        values = pa.array([getattr(entry, name)] * table.num_rows, pa.string())
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table
