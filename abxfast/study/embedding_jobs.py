"""The work that a study is: which rows at which lengths go into which store, and what is there already."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abxfast.audio import END_SLACK_S, MAX_WHOLE_S, make_plans
from abxfast.manifest import Item, Manifest
from abxfast.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.store import Store
    from abxfast.study.selection import EncoderSummary, ResolvedStudy, Selection

STORES = "stores"
Need = tuple[Item, float | None]


@dataclass(frozen=True)
class EmbeddingJob:
    """Rows that are wanted at the same lengths, and so embedded together."""

    items: tuple[Item, ...]
    lengths: tuple[float | None, ...]

    @property
    def manifest(self) -> Manifest:
        """The rows, with the columns that any of them has."""
        return Manifest(self.items, tuple(dict.fromkeys(name for item in self.items for name in item.labels)))

    @property
    def snippets(self) -> list[float | str]:
        """The lengths, as `abxfast.embed` takes them."""
        return ["whole" if length is None else length for length in self.lengths]


def fits(material: ResolvedStudy, item: Item, length: float | None) -> bool:
    """Say whether a row gives a snippet of this length, as far as its header tells."""
    seconds = material.seconds[item.item]
    if not seconds:
        return True
    if length is None:
        return seconds <= MAX_WHOLE_S + END_SLACK_S
    return seconds >= length or material.study.remainder == "keep"


def exclusion_notes(material: ResolvedStudy, selection: Selection, length: float | None) -> tuple[str, ...]:
    """Say, in words, which rows of a selection take no part at a length."""
    notes = []
    if selection.left_out:
        n = len(selection.left_out)
        notes.append(f"{n} row{'s' * (n > 1)} left out: without a value in a column that is needed")
    n = sum(1 for item in selection.items if not fits(material, item, length))
    if n:
        why = f"longer than {MAX_WHOLE_S:g} s" if length is None else f"shorter than {length:g} s"
        notes.append(f"{n} row{'s' * (n > 1)} left out: {why}")
    return tuple(notes)


def required_snippets(material: ResolvedStudy) -> list[Need]:
    """Give every row and length that some experiment wants, in the order of the manifest."""
    wanted = {
        (item.item, length)
        for selection in material.selections
        for item in selection.items
        for length in selection.experiment.snippets
        if fits(material, item, length)
    }
    return [
        (item, length)
        for item in material.manifest.items
        for length in material.study.snippets
        if (item.item, length) in wanted
    ]


def embedding_jobs(wanted: list[Need]) -> list[EmbeddingJob]:
    """Gather rows by the lengths that they are wanted at."""
    lengths: dict[str, list[float | None]] = {}
    items: dict[str, Item] = {}
    for item, length in wanted:
        lengths.setdefault(item.item, []).append(length)
        items[item.item] = item
    together: dict[tuple[float | None, ...], list[Item]] = {}
    for name, own in lengths.items():
        together.setdefault(tuple(own), []).append(items[name])
    return [EmbeddingJob(tuple(rows), own) for own, rows in together.items()]


def store_path(material: ResolvedStudy, name: str, results: Path) -> Path:
    """Give the store of an encoder: the one that the study names, or its own in the results."""
    encoder = material.encoders[name].info.name
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in encoder)
    return material.study.stores.get(name, results / STORES / f"{plain}.store")


def missing_snippets(material: ResolvedStudy, encoder: EncoderSummary, path: Path, wanted: list[Need]) -> list[Need]:
    """Give what a store lacks: not there, not finished, or of a file that has changed since."""
    if not (path / "store.json").exists():
        return wanted
    store = open_store(path)
    if store.encoder_sha256 != encoder.sha256:
        return wanted
    there = stored_entries(store, material)
    return [(item, length) for item, length in wanted if (item.item, length) not in there]


def stored_entries(store: Store, material: ResolvedStudy) -> dict[tuple[str, float | None], str]:
    """Give the key of the entry of every row and length that a store holds as the file is now, cut as the study says."""
    files: dict[str, tuple[str, int, int]] = {}
    for item in material.manifest.items:
        if item.recording not in files:
            with contextlib.suppress(OSError):
                stat = item.path.stat()
                files[item.recording] = (store.relative(item.path), stat.st_size, stat.st_mtime_ns)
    there = {}
    for (name, length), key in store.current_entries().items():
        state = store.entries[key]
        plan = make_plans(["whole" if length is None else length], material.study.hop_s, material.study.remainder)[0]
        file = (state.entry.path, state.entry.size, state.entry.mtime_ns)
        if state.complete and state.entry.plan == plan and files.get(state.entry.recording) == file:
            there[name, length] = key
    return there
