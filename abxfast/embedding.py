"""Recordings to vectors in a store: decoding, resampling and inference at the same time, in bounded memory."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from abxfast import audio
from abxfast.encoder import DEFAULT, GPU_BATCH_S, Encoder, open_encoder, usable_threads
from abxfast.errors import AbxfastError, AudioError, StoreError
from abxfast.manifest import Item, Manifest, load
from abxfast.snippets import Cutter, Snippet, SnippetPlan, Stretch, check_whole, make_plans
from abxfast.store import Store, StoreWriter, Unit, create_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_POLL_S = 0.2


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


@dataclass
class EmbedReport:
    """What an embedding did.

    Attributes
    ----------
    encoder, provider : str
    recordings : int
        Recordings asked for.
    snippets : int
        Snippets that were embedded now.
    skipped : int
        Recordings that needed nothing, since the store had it all.
    audio_s : float
        Seconds of audio decoded.
    wall_s : float
        Seconds that it took.
    failures : list of (str, str)
        Recording or item, and why it could not be embedded.
    """

    encoder: str
    provider: str
    recordings: int = 0
    snippets: int = 0
    skipped: int = 0
    audio_s: float = 0.0
    wall_s: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)


def embed(
    paths_or_manifest: str | Path | Sequence[str | Path],
    store: str | Path,
    *,
    encoder: str | Path = DEFAULT,
    snippets: Sequence[float | str] = (10.0,),
    hop: float | None = None,
    remainder: str = "drop",
    channel: str = "mix",
    provider: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Embed recordings into a store; of a store that is there, do what is missing or has changed.

    Parameters
    ----------
    paths_or_manifest : path or sequence of paths
        A folder, audio files, or one table (see `abxfast.manifest.read`).
    store : path
        The folder to make or to add to.
    encoder : str or path
        ``mfcc``, an ONNX file, or the name of one in the user's data folder.
    snippets : sequence of float or str
        Lengths in seconds, or ``"whole"``.
    hop : float, optional
        Seconds from one snippet to the next; the length itself unless given.
    remainder : {'drop', 'keep'}
        What becomes of a last snippet that is shorter.
    channel : str
        ``mix``, or the number of a channel from 0.
    provider : str
        ``auto``, ``cpu``, ``cuda`` …
    threads : int, optional
        Snippets to encode at the same time; as many as there are processors unless given. No effect on the vectors.
    progress : callable, optional
        Is called now and then.

    Returns
    -------
    EmbedReport
        Also where single recordings failed; each is named with its reason.

    Raises
    ------
    AbxfastError
        Where the work cannot start: wrong options, no audio, a store of another encoder.
    """
    started = time.monotonic()
    plans = make_plans(snippets, hop, remainder)
    number = audio.parse_channel(channel)
    if threads is not None and threads < 1:
        raise AbxfastError(f"--threads: found {threads}, expected 1 or more")
    manifest = load(paths_or_manifest)
    opened = open_encoder(encoder, provider)
    target = create_store(Path(store), opened)
    _check_plans(target, plans, number)
    report = EmbedReport(opened.info.name, opened.provider)
    run = _Run(target, opened, plans, number, report, progress)
    try:
        target.put_manifest(manifest)
        run.embed(manifest, threads or usable_threads())
    finally:
        target.compact(drop=run.failed_keys)
        report.wall_s = time.monotonic() - started
    return report


class _File(NamedTuple):
    """All the items that stand in one audio file."""

    path: Path
    items: list[Item]
    info: audio.AudioInfo | None
    problem: str | None


class _Piece(NamedTuple):
    """A snippet and the unit it belongs to."""

    unit: Unit
    snippet: Snippet


class _End(NamedTuple):
    """A unit whose last snippet has been sent, and how many it has."""

    unit: Unit
    total: int


class _Run:
    """One call of `embed`."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        plans: Sequence[SnippetPlan],
        channel: int | None,
        report: EmbedReport,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._plans = plans
        self._channel = channel
        self._report = report
        self._progress = progress
        self._rate_hz = encoder.info.sample_rate_hz
        self._done_s = 0.0
        self._total_s = 0.0
        self._known = {item: store.units[key].unit for (item, _), key in store.winners().items()}
        self.failed_keys: set[str] = set()

    def embed(self, manifest: Manifest, threads: int) -> None:
        """Send every snippet that is missing through the encoder and into the store."""
        files = _group_by_file(manifest)
        self._report.recordings = len(files)
        self._total_s = sum(file.info.duration_s for file in files if file.info)
        with (
            StoreWriter(self._store) as writer,
            ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool,
            _in_background(self._decode(files), size=4 * threads) as sent,
        ):
            batches = _Batches(round(GPU_BATCH_S * self._rate_hz) if self._encoder.batches else 0)
            pending: deque[tuple[list[_Piece], Future[NDArray[np.float32]]]] = deque()
            try:
                for message in sent:
                    if isinstance(message, _End):
                        writer.finish(message.unit, message.total)
                        continue
                    batch = batches.add(message)
                    if batch:
                        pending.append((batch, pool.submit(self._encode, batch)))
                    if len(pending) >= 2 * threads:
                        self._collect(*pending.popleft(), writer)
                pending += [(batch, pool.submit(self._encode, batch)) for batch in batches.rest()]
                while pending:
                    self._collect(*pending.popleft(), writer)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _encode(self, batch: list[_Piece]) -> NDArray[np.float32]:
        return self._encoder.encode(np.stack([piece.snippet.samples for piece in batch]))

    def _collect(self, batch: list[_Piece], future: Future[NDArray[np.float32]], writer: StoreWriter) -> None:
        try:
            vectors = future.result()
        except AbxfastError as error:
            for unit, snippet in batch:
                key = unit.key(self._store.encoder_sha256)
                if key not in self.failed_keys:
                    self.failed_keys.add(key)
                    self._fail(unit.item, f"{unit.item} at {snippet.start / self._rate_hz:g} s: {error}")
            return
        for (unit, snippet), vector in zip(batch, vectors, strict=True):
            writer.add(unit, snippet.index, snippet.start / self._rate_hz, snippet.stop / self._rate_hz, vector)
        self._report.snippets += len(batch)

    def _decode(self, files: list[_File]) -> Iterator[_Piece | _End]:
        """Give the snippets of all files, in order, and the ends of their units; runs on a thread of its own."""
        for file in files:
            self._tell(file, 0.0)
            sent: list[Unit] = []
            try:
                if file.problem:
                    raise AudioError(file.problem)
                wanted = self._wanted(file)
                if wanted:
                    yield from self._decode_file(file, wanted, sent)
            except AbxfastError as error:
                self._fail(file.items[0].recording, str(error))
                self.failed_keys.update(unit.key(self._store.encoder_sha256) for unit in sent)
            self._done_s += file.info.duration_s if file.info else 0.0
            self._tell(file, 0.0)

    def _decode_file(
        self, file: _File, wanted: list[tuple[Item, Unit, set[int]]], sent: list[Unit]
    ) -> Iterator[_Piece | _End]:
        stretches = [self._stretch(unit) for _, unit, _ in wanted]
        cutter = Cutter(stretches, self._rate_hz, self._encoder.info.least_samples)
        sent += [unit for _, unit, _ in wanted]

        def missing(snippets: Iterator[Snippet]) -> Iterator[_Piece]:
            for snippet in snippets:
                _, unit, done = wanted[snippet.stretch]
                if snippet.index not in done:
                    yield _Piece(unit, snippet)

        for block in audio.stream(file.path, self._rate_hz, channel=self._channel):
            self._report.audio_s += len(block) / self._rate_hz
            yield from missing(cutter.feed(block))
            self._tell(file, cutter.position / self._rate_hz)
        yield from missing(cutter.finish())
        for (item, unit, _), result in zip(wanted, cutter.results(), strict=True):
            if result.problem is None:
                yield _End(unit, result.snippets)
            else:
                self._fail(item.item, f"{item.origin}: {result.problem}")
                self.failed_keys.add(unit.key(self._store.encoder_sha256))

    def _wanted(self, file: _File) -> list[tuple[Item, Unit, set[int]]]:
        """Give the units of a file that are not complete, each with the snippets that are there already."""
        content = ""
        try:
            stat = file.path.stat()
        except OSError as error:
            raise AudioError(f"{file.path}: cannot be read ({error.strerror})") from error
        wanted = []
        for item in file.items:
            for plan in self._plans:
                problem = self._refusal(item, plan, file)
                if problem:
                    self._fail(item.item, f"{item.origin}: {problem}")
                    continue
                known = self._known.get(item.item)
                # Same size and time: taken as the same content, as make and rsync do, rather than read again.
                if not content and known and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                    content = known.content
                content = content or _sha256(file.path)
                unit = Unit(
                    item=item.item,
                    recording=item.recording,
                    content=content,
                    size=stat.st_size,
                    mtime_ns=stat.st_mtime_ns,
                    start_s=item.start_s,
                    end_s=item.end_s,
                    channel=self._channel,
                    plan=plan,
                )
                state = self._store.units.get(unit.key(self._store.encoder_sha256))
                if state is None or not state.complete:
                    wanted.append((item, unit, set(state.done) if state else set()))
        self._report.skipped += not wanted
        return wanted

    def _refusal(self, item: Item, plan: SnippetPlan, file: _File) -> str | None:
        if plan.length_s is not None:
            return None
        end_s = item.end_s if item.end_s is not None or file.info is None else file.info.duration_s
        return None if end_s is None else check_whole(end_s - (item.start_s or 0.0))

    def _stretch(self, unit: Unit) -> Stretch:
        start = round((unit.start_s or 0.0) * self._rate_hz)
        return Stretch(start, None if unit.end_s is None else round(unit.end_s * self._rate_hz), unit.plan)

    def _fail(self, name: str, reason: str) -> None:
        self._report.failures.append((name, reason))
        logger.warning("%s", reason)

    def _tell(self, file: _File, position_s: float) -> None:
        if self._progress:
            self._progress(
                Progress(file.items[0].recording, self._done_s + position_s, self._total_s, self._report.audio_s)
            )


class _Batches:
    """Gathers snippets of one length for a GPU; hands each on by itself where `most` samples are 0."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[int, list[_Piece]] = defaultdict(list)

    def add(self, piece: _Piece) -> list[_Piece]:
        """Take a snippet; give the batch that is full, or must go so that little is held, else nothing."""
        length = len(piece.snippet.samples)
        held = self._held[length]
        held.append(piece)
        if (len(held) + 1) * length > self._most:
            return self._held.pop(length)
        if sum(length * len(pieces) for length, pieces in self._held.items()) > 2 * self._most:
            return self._held.pop(next(iter(self._held)))
        return []

    def rest(self) -> list[list[_Piece]]:
        """Give what is held."""
        rest, self._held = list(self._held.values()), defaultdict(list)
        return rest


_Message = TypeVar("_Message")


@contextmanager
def _in_background(source: Iterator[_Message], size: int) -> Iterator[Iterator[_Message]]:
    """Run a generator on a thread of its own, at most `size` messages ahead; what it raises is raised here."""
    box: queue.Queue[tuple[_Message | None, BaseException | None]] = queue.Queue(size)
    stop = threading.Event()

    def put(message: _Message | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                box.put((message, error), timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for message in source:
                put(message)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001  # handed to the other thread, which raises it
            put(None, error)

    def messages() -> Iterator[_Message]:
        while True:
            try:
                message, error = box.get(timeout=_POLL_S)  # without it, Ctrl-C is not heard on Windows
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if message is None:
                return
            yield message

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        yield messages()
    finally:
        stop.set()
        thread.join()


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


def _check_plans(store: Store, plans: Sequence[SnippetPlan], channel: int | None) -> None:
    """Refuse snippets of a length that the store cuts otherwise: mixed up, they could not be scored."""
    wanted = {plan.length_s: plan for plan in plans}
    for key in store.winners().values():
        unit = store.units[key].unit
        plan = wanted.get(unit.plan.length_s, unit.plan)
        if plan != unit.plan:
            raise StoreError(
                f"{store.root}: holds snippets cut as {unit.plan}, asked for {plan}; "
                "keep --hop and --remainder, or give -o a new name"
            )
        if channel != unit.channel:
            found, asked = ("mix" if number is None else str(number) for number in (unit.channel, channel))
            raise StoreError(f"{store.root}: holds --channel {found}, asked for {asked}; give -o a new name")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
