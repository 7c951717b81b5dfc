"""What a study needs embedded: which rows at which lengths, into which store, and what the store already has."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abxfast.audio import END_SLACK_S, MAX_WHOLE_S, make_plans
from abxfast.manifest import Item
from abxfast.store import is_store, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.store import Store
    from abxfast.study.resolve import EncoderSummary, ResolvedStudy
    from abxfast.study.selection import Selection

STORES_FOLDER = "stores"
"""Folder of the stores inside the results folder."""
ItemLength = tuple[Item, float | None]
"""A row of the manifest and a snippet length in seconds; None means the whole item."""


@dataclass(frozen=True)
class EmbeddingJob:
    """Rows that are needed at the same lengths, and so embedded together."""

    items: tuple[Item, ...]
    lengths: tuple[float | None, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of the rows."""
        return frozenset(item.item for item in self.items)

    @property
    def snippets(self) -> list[float | str]:
        """The lengths, as `abxfast.embed` takes them."""
        return ["whole" if length is None else length for length in self.lengths]


def fits(resolved: ResolvedStudy, item: Item, length: float | None) -> bool:
    """Return whether a row has a snippet of a length; True if its header cannot be read."""
    seconds = resolved.seconds[item.item]
    if not seconds:
        return True
    if length is None:
        return seconds <= MAX_WHOLE_S + END_SLACK_S
    return seconds >= length or resolved.study.remainder == "keep"


def exclusion_notes(resolved: ResolvedStudy, selection: Selection, length: float | None) -> tuple[str, ...]:
    """Return how many rows of a selection take no part at a length, and why, one sentence per reason."""
    notes = []
    if selection.left_out:
        n = len(selection.left_out)
        notes.append(f"{n} row{'s' * (n > 1)} left out: no value in a required column")
    n = sum(1 for item in selection.items if not fits(resolved, item, length))
    if n:
        reason = f"longer than {MAX_WHOLE_S:g} s" if length is None else f"shorter than {length:g} s"
        notes.append(f"{n} row{'s' * (n > 1)} left out: {reason}")
    return tuple(notes)


def required_snippets(resolved: ResolvedStudy) -> list[ItemLength]:
    """Return every row and length that an experiment needs, in the order of the manifest."""
    required = {
        (item.item, length)
        for selection in resolved.selections
        for item in selection.items
        for length in selection.experiment.snippets
        if fits(resolved, item, length)
    }
    return [
        (item, length)
        for item in resolved.manifest.items
        for length in resolved.study.snippets
        if (item.item, length) in required
    ]


def embedding_jobs(required: list[ItemLength]) -> list[EmbeddingJob]:
    """Group rows by the lengths that they are needed at."""
    lengths_of: dict[str, list[float | None]] = {}
    items: dict[str, Item] = {}
    for item, length in required:
        lengths_of.setdefault(item.item, []).append(length)
        items[item.item] = item
    groups: dict[tuple[float | None, ...], list[Item]] = {}
    for name, lengths in lengths_of.items():
        groups.setdefault(tuple(lengths), []).append(items[name])
    return [EmbeddingJob(tuple(rows), lengths) for lengths, rows in groups.items()]


def store_path(resolved: ResolvedStudy, name: str, results: Path) -> Path:
    """Return the store of an encoder: the one that the study names, or the one in the results folder."""
    encoder = resolved.encoders[name].info.name
    stem = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in encoder)
    return resolved.study.stores.get(name, results / STORES_FOLDER / f"{stem}.store")


def missing_snippets(
    resolved: ResolvedStudy, encoder: EncoderSummary, path: Path, required: list[ItemLength]
) -> list[ItemLength]:
    """Return the rows and lengths that a store lacks: missing, incomplete, or of a file that has changed since."""
    if not is_store(path):
        return required
    store = open_store(path)
    if store.encoder_sha256 != encoder.sha256:
        return required
    stored = stored_entries(store, resolved)
    return [(item, length) for item, length in required if (item.item, length) not in stored]


def stored_entries(store: Store, resolved: ResolvedStudy) -> dict[tuple[str, float | None], str]:
    """Return the key of the store's entry of each item and length.

    Only entries count that are complete, cut as the study says, and of the file as it is now.
    """
    files: dict[str, tuple[str, int, int]] = {}
    for item in resolved.manifest.items:
        if item.recording not in files:
            with contextlib.suppress(OSError):
                stat = item.path.stat()
                files[item.recording] = (store.relative(item.path), stat.st_size, stat.st_mtime_ns)
    stored = {}
    for (name, length), key in store.current_entries().items():
        state = store.entries[key]
        plan = make_plans(["whole" if length is None else length], resolved.study.hop_s, resolved.study.remainder)[0]
        file = (state.entry.path, state.entry.size, state.entry.mtime_ns)
        if state.complete and state.entry.plan == plan and files.get(state.entry.recording) == file:
            stored[name, length] = key
    return stored
