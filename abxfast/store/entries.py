"""Units: one item under one plan, known by all that its vectors are made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from abxfast._files import json_digest
from abxfast.audio import SnippetPlan


@dataclass(frozen=True)
class StoreEntry:
    """One item under one plan, and what its vectors are made from.

    Attributes
    ----------
    item, recording : str
    content : str
        SHA-256 of the audio file.
    path : str
        Of the audio file, as `Store.relative` gives it.
    size, mtime_ns : int
        Of the audio file when it was hashed. They and `path` are no part of the key.
    start_s, end_s : float or None
        The item's stretch.
    channel : int or None
        ``None`` is the mean of all.
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
        """Give the hash of all that the vectors depend on, and of the names that stand in the rows."""
        names = (self.item, self.recording, self.content, self.start_s, self.end_s, self.channel)
        return json_digest([*names, asdict(self.plan), encoder_sha256])[:32]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StoreEntry:
        """Read back what ``asdict`` gave."""
        return cls(**{**value, "plan": SnippetPlan(**value["plan"])})


@dataclass
class EntryState:
    """What the store holds of an entry.

    Attributes
    ----------
    entry : StoreEntry
    written_ns : int
        When it was last begun, or confirmed.
    total : int or None
        Its number of snippets; ``None`` while it is unfinished.
    done : set of int
        Indices of the snippets that are there.
    """

    entry: StoreEntry
    written_ns: int = 0
    total: int | None = None
    done: set[int] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether every snippet of it is there."""
        return len(self.done) == self.total

    def to_json(self) -> dict[str, Any]:
        """Give what a part's footer says of it; which snippets are done stands in the spans."""
        return {"unit": asdict(self.entry), "total": self.total, "written_ns": self.written_ns}

    def merge_footer(self, value: dict[str, Any]) -> None:
        """Learn what another footer says; the newer one knows better."""
        newer = value["written_ns"] >= self.written_ns
        if newer:
            self.entry, self.written_ns = StoreEntry.from_json(value["unit"]), value["written_ns"]
        if value["total"] is not None and (newer or self.total is None):
            self.total = value["total"]
