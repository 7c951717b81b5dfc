"""Forgetting: recordings or items are removed from a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from abxfast.errors import StoreError
from abxfast.store.compaction import compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.store.store import Store

_MAX_NAMES = 5
"""Names that a message lists."""


class Forgotten(NamedTuple):
    """What was removed from a store: the names of items, and the number of their snippets."""

    items: list[str]
    n_snippets: int


def forget(store: Store, names: Sequence[str]) -> Forgotten:
    """Remove recordings or items from a store: their vectors, and their rows in its copies of manifests.

    The audio files are not touched. If it is interrupted, it can be called again.

    Parameters
    ----------
    store : Store
    names : sequence of str
        Names of recordings or of items, or the paths of audio files.

    Returns
    -------
    Forgotten

    Raises
    ------
    StoreError
        If a name is not in the store, before anything is removed; or if the store cannot be written.
    """
    store.refresh()
    items_by_name = _items_by_name(store)
    unknown = [name for name in names if not _find(store, items_by_name, name)]
    if unknown:
        known = sorted({state.entry.recording for state in store.entries.values()})
        listed = ", ".join(known[:_MAX_NAMES]) + (", …" if len(known) > _MAX_NAMES else "")
        raise StoreError(
            f"{store.root}: holds no recording or item {', '.join(map(repr, unknown))}; nothing was removed; "
            f"it holds {listed or 'nothing'}"
        )
    items = set().union(*(_find(store, items_by_name, name) for name in names))
    keys = {key for key, state in store.entries.items() if state.entry.item in items}
    n_snippets = sum(len(store.entries[key].done) for key in keys)
    # First the rows, without which a snippet is not scored: whoever reads meanwhile sees all or nothing of an item.
    store.remove_manifest_rows(items)
    if not compact(store, drop=keys):
        raise StoreError(
            f"{store.root}: lies on a drive without locks, where nothing can be removed; copy it elsewhere"
        )
    return Forgotten(sorted(items), n_snippets)


def _items_by_name(store: Store) -> dict[str, set[str]]:
    """Return the items that each recording, item or path stands for."""
    items: dict[str, set[str]] = {}
    rows = [(row["item"], row["recording"], row["path"]) for row in store.manifest_rows().values()]
    entries = (state.entry for state in store.entries.values())
    for item, recording, path in [*rows, *((entry.item, entry.recording, entry.path) for entry in entries)]:
        for name in (item, recording, f"path {path}"):
            items.setdefault(name, set()).add(item)
    return items


def _find(store: Store, items_by_name: dict[str, set[str]], name: str) -> set[str]:
    """Return the items that a name, or else the path of an audio file, stands for."""
    return items_by_name.get(name) or items_by_name.get(f"path {store.relative(Path(name))}", set())
