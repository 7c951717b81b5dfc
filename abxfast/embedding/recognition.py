"""Recognition: recordings that a store holds already, under another name or from another place, by their content.

A recording is known by its name, and its content by the hash of its file. If a file is renamed or moved, or a manifest
names it otherwise, the store takes over the new name, so that the recording is not scored against itself. Two files of
the same content that are both there stay two recordings.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from abxfast.embedding.audio_files import file_status
from abxfast.errors import AudioError
from abxfast.store import EntryCopy

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Sequence

    from abxfast.audio import SnippetPlan
    from abxfast.embedding.contents import FileContents
    from abxfast.manifest import Item
    from abxfast.store import Store, StoreEntry


class Identity(NamedTuple):
    """What an item is, whatever its name: the hash of its file, and the stretch of it."""

    content: str
    start_s: float | None
    end_s: float | None

    @property
    def is_whole_file(self) -> bool:
        """Whether it covers the recording from its start to its end."""
        return self.start_s is None and self.end_s is None


class _StoredItem(NamedTuple):
    """The entries of a store that share item, recording and identity; `entry` is the newest one."""

    entry: StoreEntry
    keys: list[str]

    @property
    def has_default_name(self) -> bool:
        """Whether the item is named by its path, not by a column ``item``."""
        name = self.entry.item.removesuffix(self._stretch).lstrip("./")
        return f"/{unicodedata.normalize('NFC', self.entry.path)}".endswith(f"/{name}")

    @property
    def _stretch(self) -> str:
        start_s, end_s = self.entry.start_s, self.entry.end_s
        return "" if start_s is None else f"#{start_s!r}-{'' if end_s is None else repr(end_s)}"


@dataclass(frozen=True)
class Recognition:
    """Which items of a manifest a store knows, and under which names they are to be embedded.

    Attributes
    ----------
    items : tuple of Item
        The items, named as in the store where the manifest has names that nobody chose.
    sources : dict of int to list of (key, renamed)
        By index of the item: keys of entries that hold the same audio under another name, and whether the item
        replaces them.
    former_names : dict of int to str
        By index of the item: the name that the store has for it until now, if it is another.
    kept_names : dict of int to str
        By index of the item: the name that the manifest has for it, if the store's name was kept.
    """

    items: tuple[Item, ...]
    sources: dict[int, list[tuple[str, bool]]]
    former_names: dict[int, str]
    kept_names: dict[int, str]

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """Former and new name of each item that the store knew under another one."""
        return [(name, self.items[index].item) for index, name in self.former_names.items()]

    def copies(self, store: Store, plans: Collection[SnippetPlan]) -> Iterator[EntryCopy]:
        """Yield the entries whose vectors the store has: all those of a renamed item, of others those of `plans`."""
        for index, sources in self.sources.items():
            item = self.items[index]
            try:
                status = file_status(item.path)
            except AudioError:  # removed since it was hashed, which decoding reports
                continue
            for key, renamed in sources:
                entry = replace(
                    store.entries[key].entry,
                    item=item.item,
                    recording=item.recording,
                    path=store.relative(item.path),
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                )
                if renamed or entry.plan in plans:
                    yield EntryCopy(key, entry, renamed)


class Recogniser:
    """Compares the items of a manifest with those of a store.

    Parameters
    ----------
    store : Store
    contents : FileContents
    channel : int or None
    names : collection of str
        All names of the manifest, also of items that are not embedded now.
    keep_names : bool
        Whether the names of the manifest are made from paths, so that a name in the store is preferred.
    """

    def __init__(
        self, store: Store, contents: FileContents, channel: int | None, names: Collection[str], *, keep_names: bool
    ) -> None:
        self._store = store
        self._contents = contents
        self._names = frozenset(names)
        self._keep_names = keep_names
        self._folder = store.root.absolute().parent
        self._stored: dict[Identity, list[_StoredItem]] = defaultdict(list)
        groups: dict[tuple[str, str, Identity], _StoredItem] = {}
        replaced = store.replaced_keys()
        for key, state in sorted(store.entries.items(), key=lambda pair: -pair[1].written_ns):
            entry = state.entry
            if key not in replaced and entry.channel == channel:
                identity = Identity(entry.content, entry.start_s, entry.end_s)
                group = groups.setdefault((entry.item, entry.recording, identity), _StoredItem(entry, []))
                group.keys.append(key)
        for (_, _, identity), group in groups.items():
            self._stored[identity].append(group)
        self._sizes = {group.entry.size for group in groups.values()}

    def recognise(self, items: Sequence[Item]) -> Recognition:
        """Compare items with the store; files are read only if their size is that of a file in the store."""
        found = Recognition(tuple(items), {}, {}, {})
        if not self._stored:
            return found
        named = list(items)
        contents = {path: self._content(path) for path in dict.fromkeys(item.path for item in items)}
        by_identity: dict[Identity, list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            content = contents[item.path]
            if content is not None:
                by_identity[Identity(content, item.start_s, item.end_s)].append(index)
        asked = {item.item for item in items}
        for identity, indices in by_identity.items():
            stored = self._stored.get(identity, [])
            for index, source, renamed in self._match(identity, items, indices, stored, asked):
                item, entry = items[index], source.entry
                if renamed and named[index] is item and self._prefers_stored_name(item, source):
                    named[index] = replace(item, item=entry.item, recording=entry.recording)
                    if entry.item != item.item:
                        found.kept_names[index] = item.item
                        continue
                if renamed and entry.item != item.item:
                    found.former_names[index] = entry.item
                if (named[index].item, named[index].recording) != (entry.item, entry.recording):
                    found.sources.setdefault(index, []).extend((key, renamed) for key in source.keys)
        return replace(found, items=tuple(named))

    def _content(self, path: Path) -> str | None:
        """Return the hash of a file; ``None`` if it cannot be read, or cannot be in the store since no size fits."""
        try:
            status = file_status(path)
            known = self._contents.find(path, status)
            if known is None and status.st_size in self._sizes:
                known = self._hash(path, status)
        except AudioError:
            return None
        return known

    def _hash(self, path: Path, status: os.stat_result) -> str:
        reading = self._contents.read(path, status)
        while True:
            try:
                next(reading)
            except StopIteration as stop:
                return str(stop.value)

    def _match(
        self, identity: Identity, items: Sequence[Item], indices: list[int], stored: list[_StoredItem], asked: set[str]
    ) -> Iterator[tuple[int, _StoredItem, bool]]:
        """Yield the index of an item, what the store has of it, and whether that is to be renamed or only copied."""
        names = {items[index].item for index in indices}
        same_name = {source.entry.item for source in stored} & names
        for index in indices:
            yield from ((index, source, True) for source in stored if source.entry.item == items[index].item)
        left = [index for index in indices if items[index].item not in same_name]
        candidates = [
            (self._affinity(items[index], source), -index, source.entry.item, source)
            for index in left
            for source in stored
            if source.entry.item not in same_name and self._has_moved(identity, items[index], source, asked)
        ]
        matched: dict[int, str] = {}
        for _, negative, name, source in sorted(candidates, key=lambda candidate: candidate[:3], reverse=True):
            index = -negative
            if matched.get(index, name) == name and (index in matched or name not in matched.values()):
                matched[index] = name
                yield index, source, True
        yield from ((index, source, False) for index in left if index not in matched for source in stored)

    def _affinity(self, item: Item, source: _StoredItem) -> int:
        """Return how many parts two paths share, counted from their ends."""
        parts = zip(
            reversed(PurePosixPath(self._store.relative(item.path)).parts),
            reversed(PurePosixPath(source.entry.path).parts),
            strict=False,
        )
        shared = 0
        for one, other in parts:
            if one != other:
                break
            shared += 1
        return shared

    def _has_moved(self, identity: Identity, item: Item, source: _StoredItem, asked: set[str]) -> bool:
        """Return whether a stored item is no longer what its name says, or has been given another name."""
        entry = source.entry
        if entry.item in self._names:
            return entry.item in asked  # where it names something else now, as what it named has this identity
        if entry.path == self._store.relative(item.path):
            # A table may add names for the same stretches, such as words and syllables; a file has one name.
            return identity.is_whole_file or source.has_default_name
        return self._content(self._folder / entry.path) != entry.content

    def _prefers_stored_name(self, item: Item, source: _StoredItem) -> bool:
        """Return whether an item whose name is made from its path takes the name that the store has for it."""
        entry = source.entry
        if not self._keep_names or (entry.item != item.item and entry.item in self._names):
            return False
        same_place = entry.path == self._store.relative(item.path)
        return entry.item == item.item or same_place or not source.has_default_name
