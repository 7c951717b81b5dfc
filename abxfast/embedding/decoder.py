"""Decoding recordings into the snippets that a store lacks."""

from __future__ import annotations

import itertools
import logging
import math
from typing import TYPE_CHECKING, NamedTuple

from abxfast.audio import END_SLACK_S, MAX_WHOLE_S, Cutter, MixMeter, Stretch, probe, stream
from abxfast.embedding.audio_files import AudioFile, file_status, group_by_file
from abxfast.embedding.crash_log import FileState
from abxfast.embedding.messages import EntryFinished, Failure, Message, PendingSnippet
from abxfast.embedding.progress import Progress
from abxfast.errors import AbxfastError, AudioError
from abxfast.store import StoreEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from abxfast.audio import AudioInfo, Snippet, SnippetPlan
    from abxfast.embedding.contents import FileContents
    from abxfast.embedding.crash_log import CrashLog
    from abxfast.encoders import EncoderInfo
    from abxfast.manifest import Item, Manifest
    from abxfast.store import Store

logger = logging.getLogger(__name__)

_MAX_TIME_S = 1e9
"""A later time is beyond the end of any recording; in samples it might not be a number that a float can hold."""


class _PendingEntry(NamedTuple):
    """An entry that is not complete, and the indices of its snippets in the store."""

    item: Item
    entry: StoreEntry
    done: set[int]


class Span(NamedTuple):
    """The snippets of a recording that start at `start_s` or later and before `stop_s`, in seconds; None is its end."""

    start_s: float = 0.0
    stop_s: float | None = None


WHOLE_SPAN = Span()


class Decoder:
    """Decodes the recordings of a manifest, as far as the store lacks their snippets.

    Parameters
    ----------
    manifest : Manifest
    store : Store
    contents : FileContents
    info : EncoderInfo
    plans : sequence of SnippetPlan
    channel : int or None
        ``None`` is the mean of all channels.
    progress : callable, optional
        Called with a `Progress` from the thread that runs `messages`.
    crash_log : CrashLog
        What earlier runs crashed on is skipped.
    timeout_s : float
        Seconds that decoding a block of a recording may take.
    span : Span
        The snippets to yield, by default all. Recordings are decoded from their start all the same, so that a snippet
        is the same bit for bit in any span. An entry is finished by the span that contains the end of its recording.

    Attributes
    ----------
    recordings : int
        Audio files asked for.
    skipped : int
        Those of which the store had everything.
    audio_s : float
        Seconds decoded.
    """

    def __init__(
        self,
        manifest: Manifest,
        store: Store,
        contents: FileContents,
        info: EncoderInfo,
        plans: Sequence[SnippetPlan],
        channel: int | None,
        progress: Callable[[Progress], None] | None = None,
        *,
        crash_log: CrashLog,
        timeout_s: float,
        span: Span = WHOLE_SPAN,
    ) -> None:
        self._span = span
        self._store = store
        self._info = info
        self._contents = contents
        self._crash_log = crash_log
        self._timeout_s = timeout_s
        self._crashed: set[Path] = set()
        self._files = group_by_file(manifest, self._probe)
        self._rate_hz = info.sample_rate_hz
        self._min_samples = info.least_samples
        self._plans = plans
        self._channel = channel
        self._progress = progress
        self._done_s = 0.0
        self._total_s = sum(file.duration_s for file in self._files)
        self._current = store.current_entries()
        self.recordings = len(self._files)
        self.skipped = 0
        self.audio_s = 0.0

    @property
    def crashed(self) -> list[str]:
        """Recordings that are skipped since an earlier run crashed on them."""
        return [file.items[0].recording for file in self._files if file.path in self._crashed]

    def messages(self) -> Generator[Message | None, None, None]:
        """Yield the snippets of all files in order, which entries are finished, and what failed.

        Between them it yields ``None`` now and then, where the consumer may stop it.
        """
        for file in self._files:
            self._report_progress(file, 0.0)
            pending: list[_PendingEntry] = []
            try:
                if file.problem:
                    raise AudioError(file.problem)
                yield from self._compare(file, pending)
                if not all(map(self._holds_span, pending)):
                    yield from self._decode(file, pending)
            except AbxfastError as error:
                yield Failure(file.items[0].recording, str(error), tuple(entry for _, entry, _ in pending))
            self._done_s += file.duration_s
            self._report_progress(file, 0.0)

    def _compare(self, file: AudioFile, pending: list[_PendingEntry]) -> Iterator[EntryFinished | Failure | None]:
        """Compare the items of a file with the store: append to `pending`, yield what is finished or impossible."""
        status, path = file_status(file.path), self._store.relative(file.path)
        content, failed = "", False
        for item in file.items:
            for plan in self._plans:
                problem = file.find_problem(item, plan, self._info)
                if problem:
                    failed = True
                    yield Failure(item.item, f"{item.origin}: {problem}")
                    continue
                content = content or (yield from self._contents.read(file.path, status))
                entry = StoreEntry(
                    item=item.item,
                    recording=item.recording,
                    content=content,
                    path=path,
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    start_s=item.start_s,
                    end_s=item.end_s,
                    channel=self._channel,
                    plan=plan,
                )
                key = entry.key(self._store.encoder_sha256)
                state = self._store.entries.get(key)
                if state is None or state.total is None or not state.complete:
                    pending.append(_PendingEntry(item, entry, set(state.done) if state else set()))
                elif key != self._current.get((item.item, plan.length_s)) or entry != state.entry:
                    # The file was changed and changed back, or only copied: record that this entry counts.
                    yield EntryFinished(entry, state.total)
        self.skipped += not (pending or failed)

    def _decode(self, file: AudioFile, pending: list[_PendingEntry]) -> Iterator[Message | None]:
        """Decode a file and yield the missing snippets of its pending entries."""
        cutter = Cutter([self._stretch(entry) for _, entry, _ in pending], self._rate_hz, self._min_samples)
        first, stop, last_needed = self._span_samples()

        def missing(snippets: Iterator[Snippet]) -> Iterator[PendingSnippet]:
            for snippet in snippets:
                _, entry, done = pending[snippet.stretch]
                if first <= snippet.start < stop and snippet.index not in done:
                    yield PendingSnippet(entry, snippet)

        mix = MixMeter()
        for block in self._stream(file.path, mix):
            self.audio_s += len(block) / self._rate_hz
            yield None
            yield from missing(cutter.feed(block))
            self._report_progress(file, cutter.position / self._rate_hz)
            if cutter.position >= last_needed:
                self._check_unchanged(file, pending)
                return
        yield from missing(cutter.finish())
        self._check_unchanged(file, pending)
        if self._span.stop_s is not None:
            return
        if self._channel is None and mix.cancels:
            logger.warning("%s: %s", file.path, mix.warning())
        for (item, entry, _), result in zip(pending, cutter.results(), strict=True):
            if result.problem is None:
                yield EntryFinished(entry, result.snippets)
            else:
                yield Failure(item.item, f"{item.origin}: {result.problem}", (entry,))

    def _probe(self, path: Path) -> AudioInfo:
        """Read the header of a recording, unless an earlier run crashed on it."""
        if path.is_file():  # if not, `probe` says what it is
            state = self._state(path)
            crash = self._crash_log.crashes.get(state)
            if crash is not None:
                self._crashed.add(path)
                raise AudioError(
                    f"{path}: is skipped: an earlier run crashed on it ({crash.what}); convert it first, or "
                    f"delete {crash.log} to try again"
                )
            with self._crash_log.working([state]):
                return probe(path, timeout_s=self._timeout_s)
        return probe(path)

    def _state(self, path: Path) -> FileState:
        status = file_status(path)
        return FileState(self._store.relative(path), status.st_size, status.st_mtime_ns)

    def _stream(self, path: Path, mix: MixMeter) -> Iterator[NDArray[np.float32]]:
        """Decode a recording; while a block is decoded, the crash log says so."""
        state = self._state(path)
        blocks = stream(path, self._rate_hz, channel=self._channel, timeout_s=self._timeout_s, mix_meter=mix)
        while True:
            with self._crash_log.working([state]):
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def _check_unchanged(self, file: AudioFile, pending: list[_PendingEntry]) -> None:
        status, hashed = file_status(file.path), pending[0].entry
        if (status.st_size, status.st_mtime_ns) != (hashed.size, hashed.mtime_ns):
            raise AudioError(f"{file.path}: changed while it was read; embed it again once it is complete")

    def _span_samples(self) -> tuple[int, float, float]:
        """Return the first sample of the span, the one after it, and the sample where its snippets all have ended."""
        first = round(self._span.start_s * self._rate_hz)
        if self._span.stop_s is None:
            return first, math.inf, math.inf
        stop = round(self._span.stop_s * self._rate_hz)
        longest_s = max(MAX_WHOLE_S + END_SLACK_S if plan.length_s is None else plan.length_s for plan in self._plans)
        return first, stop, stop + round(longest_s * self._rate_hz)

    def _holds_span(self, pending: _PendingEntry) -> bool:
        """Return whether the store has every snippet of the span; never of the last one, which finishes the entry."""
        first, stop, _ = self._span_samples()
        entry, hop_s = pending.entry, pending.entry.plan.hop_s
        if math.isinf(stop) or hop_s is None:
            return False
        start = round((entry.start_s or 0.0) * self._rate_hz)
        starts = ((k, start + round(k * hop_s * self._rate_hz)) for k in itertools.count())
        in_span = itertools.takewhile(lambda pair: pair[1] < stop, starts)
        return all(k in pending.done for k, sample in in_span if sample >= first)

    def _stretch(self, entry: StoreEntry) -> Stretch:
        start_s, end_s = min(entry.start_s or 0.0, _MAX_TIME_S), entry.end_s
        stop = None if end_s is None else round(min(end_s, _MAX_TIME_S) * self._rate_hz)
        return Stretch(round(start_s * self._rate_hz), stop, entry.plan)

    def _report_progress(self, file: AudioFile, position_s: float) -> None:
        if self._progress:
            done_s = self._done_s + position_s
            self._progress(Progress(file.items[0].recording, done_s, self._total_s, self.audio_s))
