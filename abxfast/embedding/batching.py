"""Batches of snippets of equal length, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abxfast.embedding.messages import PendingSnippet


class Batcher:
    """Collects snippets of equal length into batches; each snippet is a batch by itself if `max_samples` is 0.

    Parameters
    ----------
    max_samples : int
        Samples of a batch at most, unless a single snippet exceeds it. At most twice as many are held.
    """

    def __init__(self, max_samples: int) -> None:
        self._max_samples = max_samples
        self._held: dict[int, list[PendingSnippet]] = defaultdict(list)

    @property
    def n_samples(self) -> int:
        """Samples that are held."""
        return sum(length * len(snippets) for length, snippets in self._held.items())

    def add(self, pending: PendingSnippet) -> list[PendingSnippet]:
        """Add a snippet; return a batch if one is full, or must go to bound what is held, else an empty list."""
        length = len(pending.snippet.samples)
        batch = self._held[length]
        batch.append(pending)
        if (len(batch) + 1) * length > self._max_samples:
            return self._held.pop(length)
        if self.n_samples > 2 * self._max_samples:
            # The largest batch is at least as large as the snippet: less is held than before it came.
            return self._held.pop(max(self._held, key=lambda length: length * len(self._held[length])))
        return []

    def drain(self) -> list[list[PendingSnippet]]:
        """Return the batches that are held, and empty the batcher."""
        batches, self._held = list(self._held.values()), defaultdict(list)
        return batches
