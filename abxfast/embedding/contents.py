"""What identifies the content of audio files: their hashes, from the store where they are known, else from the file."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from abxfast.embedding.audio_files import hash_file

if TYPE_CHECKING:
    import os
    from collections.abc import Generator
    from pathlib import Path

    from abxfast.store import EntryState, Store

RACY_NS = 2_000_000_000
"""A file modified less than this before it was hashed may have changed again within one tick of its drive's clock."""


class FileContents:
    """Hashes of audio files; each file is read once at most.

    Parameters
    ----------
    store : Store
        Its entries say which content a file of a path, size and modification time had.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, list[EntryState]] = defaultdict(list)
        for state in sorted(store.entries.values(), key=lambda state: state.written_ns, reverse=True):
            self._states[state.entry.path].append(state)
        self._hashed: dict[tuple[Path, int, int], str] = {}

    def find(self, path: Path, status: os.stat_result) -> str | None:
        """Return the hash of a file that was hashed before, if its path, size and time are unchanged, as make does."""
        if known := self._hashed.get((path, status.st_size, status.st_mtime_ns)):
            return known
        for state in self._states.get(self._store.relative(path), ()):
            entry = state.entry
            unchanged = (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns)
            if unchanged and status.st_mtime_ns <= state.written_ns - RACY_NS:
                return entry.content
        return None

    def read(self, path: Path, status: os.stat_result) -> Generator[None, None, str]:
        """Return the hash of a file, reading it if needed; yields now and then, since a large one takes its time.

        Raises
        ------
        AudioError
            If the file cannot be read.
        """
        content = self.find(path, status)
        if content is None:
            content = yield from hash_file(path)
            self._hashed[path, status.st_size, status.st_mtime_ns] = content
        return content
