"""Entries: one item cut under one plan, identified by everything its vectors are computed from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from abxfast._files import json_digest
from abxfast.audio import SnippetPlan

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StoreEntry:
    """One item cut under one plan, and what its vectors are computed from.

    Attributes
    ----------
    item, recording : str
    content : str
        SHA-256 of the audio file.
    path : str
        Path of the audio file, as returned by `Store.relative`.
    size, mtime_ns : int
        Size in bytes and modification time of the audio file when it was hashed. Like `path`, they are not part of
        the key.
    start_s, end_s : float or None
        Stretch of the recording that the item covers; ``None`` for its start and its end.
    channel : int or None
        ``None`` is the mean of all channels.
    plan : SnippetPlan
    """

    item: str
    recording: str
    content: str
    path: str
    size: int
    mtime_ns: int
    start_s: float | None
    end_s: float | None
    channel: int | None
    plan: SnippetPlan

    def key(self, encoder_sha256: str) -> str:
        """Return a hash of everything that the vectors depend on, and of the names written beside them."""
        names = (self.item, self.recording, self.content, self.start_s, self.end_s, self.channel)
        return json_digest([*names, asdict(self.plan), encoder_sha256])[:32]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StoreEntry:
        """Return the entry that ``dataclasses.asdict`` turned into `value`."""
        return cls(**{**value, "plan": SnippetPlan(**value["plan"])})


@dataclass
class EntryState:
    """What a store holds of an entry.

    Attributes
    ----------
    entry : StoreEntry
    written_ns : int
        Time at which the entry was last started or confirmed.
    total : int or None
        Number of snippets; ``None`` until the entry is finished.
    done : set of int
        Indices of the snippets in the store.
    replaces : dict of str to int
        Keys of entries that this one replaces, under another name: those last written before the given time.
    """

    entry: StoreEntry
    written_ns: int = 0
    total: int | None = None
    done: set[int] = field(default_factory=set)
    replaces: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every snippet of the entry is in the store."""
        return len(self.done) == self.total

    def to_json(self) -> dict[str, Any]:
        """Return what the footer of a part records; the snippets done follow from its spans."""
        value = {"unit": asdict(self.entry), "total": self.total, "written_ns": self.written_ns}
        return value | ({"replaces": self.replaces} if self.replaces else {})

    def merge_footer(self, value: dict[str, Any]) -> None:
        """Update the state from another footer; where the two differ, the newer one wins."""
        newer = value["written_ns"] >= self.written_ns
        if newer:
            self.entry, self.written_ns = StoreEntry.from_json(value["unit"]), value["written_ns"]
        if value["total"] is not None and (newer or self.total is None):
            self.total = value["total"]
        for key, time_ns in value.get("replaces", {}).items():
            self.replaces[key] = max(time_ns, self.replaces.get(key, 0))


def find_replaced(entries: Mapping[str, EntryState]) -> set[str]:
    """Return the keys of entries that others, unless unfinished, replace, and that were not written again later."""
    return {
        key
        for state in entries.values()
        for key, time_ns in state.replaces.items()
        if key in entries and entries[key].written_ns < time_ns and (state.complete or not entries[key].complete)
    }
