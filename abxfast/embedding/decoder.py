"""Recordings to the snippets that a store lacks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from abxfast import audio
from abxfast.audio import Cutter, Snippet, SnippetPlan, Stretch, check_whole
from abxfast.errors import AbxfastError, AudioError
from abxfast.store import StoreEntry

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from abxfast.encoders import EncoderInfo
    from abxfast.manifest import Item, Manifest
    from abxfast.store import Store

RACY_NS = 2_000_000_000
"""A file changed less than this before it was hashed may have changed again in the same tick of its drive's clock."""


HASHED_BYTES = 1 << 20
"""Bytes of a file to read at once."""


@dataclass(frozen=True)
class Progress:
    """How far an embedding is.

    Attributes
    ----------
    recording : str
        The one that is being decoded.
    done_s, total_s : float
        Seconds of audio that are dealt with, and of all recordings, as their headers tell.
    decoded_s : float
        Those of `done_s` that were decoded now, not found in the store.
    """

    recording: str
    done_s: float
    total_s: float
    decoded_s: float


class Piece(NamedTuple):
    """A snippet and the entry it belongs to."""

    entry: StoreEntry
    snippet: Snippet


class End(NamedTuple):
    """An entry whose last snippet has been sent, or was there already, and how many it has."""

    entry: StoreEntry
    total: int


class Failure(NamedTuple):
    """A recording or item that cannot be embedded, why, and the entries whose snippets may have been sent."""

    name: str
    reason: str
    entries: tuple[StoreEntry, ...] = ()


Message = Piece | End | Failure


class _File(NamedTuple):
    """All the items that stand in one audio file."""

    path: Path
    items: list[Item]
    info: audio.AudioInfo | None
    problem: str | None


class _Wanted(NamedTuple):
    """An entry that is not complete, and the snippets of it that are there."""

    item: Item
    entry: StoreEntry
    done: set[int]


class Decoder:
    """Decodes a manifest's recordings, as far as the store lacks their snippets.

    Parameters
    ----------
    manifest : Manifest
    store : Store
    info : EncoderInfo
    plans : sequence of SnippetPlan
    channel : int or None
    progress : callable, optional
        Is called from the thread that runs `messages`.

    Attributes
    ----------
    recordings : int
        Audio files asked for.
    skipped : int
        Those that needed nothing.
    audio_s : float
        Seconds decoded.
    """

    def __init__(
        self,
        manifest: Manifest,
        store: Store,
        info: EncoderInfo,
        plans: Sequence[SnippetPlan],
        channel: int | None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._files = _group_by_file(manifest)
        self._store = store
        self._rate_hz = info.sample_rate_hz
        self._least = info.least_samples
        self._plans = plans
        self._channel = channel
        self._progress = progress
        self._done_s = 0.0
        self._total_s = sum(file.info.duration_s for file in self._files if file.info)
        self._winners = store.current_entries()
        self._known = {item: store.entries[key] for (item, _), key in self._winners.items()}
        self.recordings = len(self._files)
        self.skipped = 0
        self.audio_s = 0.0

    def messages(self) -> Generator[Message | None, None, None]:
        """Give the snippets of all files, in order, the ends of their entries, and what failed.

        Between them comes a ``None`` now and then: a good moment to stop.
        """
        for file in self._files:
            self._tell(file, 0.0)
            wanted: list[_Wanted] = []
            try:
                if file.problem:
                    raise AudioError(file.problem)
                yield from self._compare(file, wanted)
                if wanted:
                    yield from self._decode(file, wanted)
            except AbxfastError as error:
                yield Failure(file.items[0].recording, str(error), tuple(entry for _, entry, _ in wanted))
            self._done_s += file.info.duration_s if file.info else 0.0
            self._tell(file, 0.0)

    def _decode(self, file: _File, wanted: list[_Wanted]) -> Iterator[Message | None]:
        cutter = Cutter([self._stretch(entry) for _, entry, _ in wanted], self._rate_hz, self._least)

        def missing(snippets: Iterator[Snippet]) -> Iterator[Piece]:
            for snippet in snippets:
                _, entry, done = wanted[snippet.stretch]
                if snippet.index not in done:
                    yield Piece(entry, snippet)

        for block in audio.stream(file.path, self._rate_hz, channel=self._channel):
            self.audio_s += len(block) / self._rate_hz
            yield None
            yield from missing(cutter.feed(block))
            self._tell(file, cutter.position / self._rate_hz)
        yield from missing(cutter.finish())
        stat, entry = _stat(file.path), wanted[0].entry
        if (stat.st_size, stat.st_mtime_ns) != (entry.size, entry.mtime_ns):
            raise AudioError(f"{file.path}: changed while it was read; run the same command again once it is finished")
        for (item, entry, _), result in zip(wanted, cutter.results(), strict=True):
            if result.problem is None:
                yield End(entry, result.snippets)
            else:
                yield Failure(item.item, f"{item.origin}: {result.problem}", (entry,))

    def _compare(self, file: _File, wanted: list[_Wanted]) -> Iterator[End | Failure | None]:
        """Hold the items of a file against the store: fill `wanted`, name what cannot be done."""
        stat, path = _stat(file.path), self._store.relative(file.path)
        content, refused = "", False
        for item in file.items:
            for plan in self._plans:
                problem = _refusal(item, plan, file)
                if problem:
                    refused = True
                    yield Failure(item.item, f"{item.origin}: {problem}")
                    continue
                content = content or self._known_content(item, path, stat) or (yield from _sha256(file.path))
                entry = StoreEntry(
                    item=item.item,
                    recording=item.recording,
                    content=content,
                    path=path,
                    size=stat.st_size,
                    mtime_ns=stat.st_mtime_ns,
                    start_s=item.start_s,
                    end_s=item.end_s,
                    channel=self._channel,
                    plan=plan,
                )
                key = entry.key(self._store.encoder_sha256)
                state = self._store.entries.get(key)
                if state is None or state.total is None or not state.complete:
                    wanted.append(_Wanted(item, entry, set(state.done) if state else set()))
                elif key != self._winners.get((item.item, plan.length_s)) or entry != state.entry:
                    # A file that was changed and changed back, or only copied: the store is told which one counts.
                    yield End(entry, state.total)
        self.skipped += not (wanted or refused)

    def _known_content(self, item: Item, path: str, stat: os.stat_result) -> str | None:
        """Give the hash of a file from the store if path, size and time are the same, as make and rsync do."""
        known = self._known.get(item.item)
        if known is None or stat.st_mtime_ns > known.written_ns - RACY_NS:
            return None
        entry = known.entry
        same = (entry.path, entry.size, entry.mtime_ns) == (path, stat.st_size, stat.st_mtime_ns)
        return entry.content if same else None

    def _stretch(self, entry: StoreEntry) -> Stretch:
        start = round((entry.start_s or 0.0) * self._rate_hz)
        return Stretch(start, None if entry.end_s is None else round(entry.end_s * self._rate_hz), entry.plan)

    def _tell(self, file: _File, position_s: float) -> None:
        if self._progress:
            done_s = self._done_s + position_s
            self._progress(Progress(file.items[0].recording, done_s, self._total_s, self.audio_s))


def _group_by_file(manifest: Manifest) -> list[_File]:
    files: dict[Path, list[Item]] = defaultdict(list)
    for item in manifest.items:
        files[item.path].append(item)
    found = []
    for path, items in files.items():
        info, problem = None, None
        try:
            info = audio.probe(path)
        except AudioError as error:
            problem = str(error)
        found.append(_File(path, items, info, problem))
    return found


def _refusal(item: Item, plan: SnippetPlan, file: _File) -> str | None:
    if plan.length_s is not None:
        return None
    end_s = item.end_s if item.end_s is not None or file.info is None else file.info.duration_s
    return None if end_s is None else check_whole(end_s - (item.start_s or 0.0))


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error


def _sha256(path: Path) -> Generator[None, None, str]:
    """Return the hash of a file; gives ``None`` now and then, as a large one takes its time."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(HASHED_BYTES):
                digest.update(chunk)
                yield None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
