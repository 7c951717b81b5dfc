"""Renaming: what was recognised takes over names and labels, in the store and in the manifest."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from abxfast.store import copy_entries

if TYPE_CHECKING:
    from collections.abc import Collection

    from abxfast.audio import SnippetPlan
    from abxfast.embedding.recognition import Recognition
    from abxfast.manifest import Manifest
    from abxfast.store import Store

logger = logging.getLogger(__name__)

_MAX_LISTED = 3
"""Names that a message lists."""


def carry_labels(manifest: Manifest, recognition: Recognition, store: Store) -> Manifest:
    """Return the recognised items, with the labels of the store if the manifest has no column of labels."""
    items, columns = recognition.items, manifest.columns
    if columns or not (columns := tuple(store.metadata_columns())):
        return replace(manifest, items=items, columns=columns)
    rows = store.manifest_rows()
    moved = set(recognition.former_names.values())
    labelled = []
    for index, item in enumerate(items):
        name = recognition.former_names.get(index, item.item)
        # The labels of a name belong to the content that had it, which another file has now.
        row = rows.get(name, {}) if index in recognition.former_names or name not in moved else {}
        labelled.append(replace(item, labels={column: row.get(column) for column in columns}))
    return replace(manifest, items=tuple(labelled), columns=columns)


def take_over(store: Store, recognition: Recognition, plans: Collection[SnippetPlan]) -> None:
    """Write what the store has under other names under those of the manifest, and log it.

    The store must have the rows of the manifest already, and keeps those of former names to the end: at any moment, a
    snippet that is read has a row.

    Raises
    ------
    StoreError
        If the store cannot be read or written.
    """
    if kept := [(recognition.items[index].item, name) for index, name in recognition.kept_names.items()]:
        pairs = _list_some([f"{name!r} for {file!r}" for name, file in kept])
        logger.info(
            "%s: has %d of the files under names that it keeps, with their labels: %s", store.root, len(kept), pairs
        )
    if renamed := recognition.renamed:
        pairs = _list_some([f"{former!r} is now {name!r}" for former, name in renamed])
        logger.info("%s: renamed %d, recognised by their content: %s", store.root, len(renamed), pairs)
    if copies := list(recognition.copies(store, plans)):
        copy_entries(store, copies)
    store.remove_manifest_rows(_stale_rows(store, {item.item for item in recognition.items}))


def _stale_rows(store: Store, asked: Collection[str]) -> set[str]:
    """Return the items that only rows are left of: they were renamed, or their files were before they were embedded."""
    replaced = store.replaced_keys()
    current = {state.entry.item for key, state in store.entries.items() if key not in replaced}
    former = {store.entries[key].entry.item for key in replaced}
    folder = store.root.absolute().parent
    return {
        item
        for item, row in store.manifest_rows().items()
        if item not in current and item not in asked and (item in former or not (folder / row["path"]).exists())
    }


def report_copies(store: Store, manifest: Manifest) -> None:
    """Log which files of a manifest have the same content."""
    items = {item.item for item in manifest.items}
    paths: dict[str, set[str]] = defaultdict(set)
    names: dict[tuple[str, str], str] = {}
    for key in store.current_entries().values():
        entry = store.entries[key].entry
        if entry.item in items:
            paths[entry.content].add(entry.path)
            names[entry.content, entry.path] = entry.recording
    for content, same in paths.items():
        if len(same) > 1:
            first, *others = sorted(names[content, path] for path in same)
            logger.info(
                "%s: holds the same bytes as %s: they count as %d recordings", _list_some(others), first, len(same)
            )


def _list_some(names: list[str]) -> str:
    return ", ".join(names[:_MAX_LISTED]) + (", …" if len(names) > _MAX_LISTED else "")
