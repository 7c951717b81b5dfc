"""What a decoder yields about the entries of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from abxfast.audio import Snippet
    from abxfast.store import StoreEntry


class PendingSnippet(NamedTuple):
    """A snippet to be encoded, and its entry."""

    entry: StoreEntry
    snippet: Snippet


class EntryFinished(NamedTuple):
    """An entry, and its number of snippets, each of which has been yielded before or is in the store."""

    entry: StoreEntry
    total: int


class Failure(NamedTuple):
    """A recording or item that cannot be embedded, the reason, and its entries that may have yielded snippets."""

    name: str
    reason: str
    entries: tuple[StoreEntry, ...] = ()


Message = PendingSnippet | EntryFinished | Failure
