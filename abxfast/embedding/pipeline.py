"""Recordings to vectors in a store: decoding, resampling and inference at the same time, in bounded memory."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abxfast import audio
from abxfast._threads import usable_threads
from abxfast.audio import SnippetPlan, make_plans
from abxfast.embedding.background import in_background
from abxfast.embedding.decoder import Decoder, End, Failure, Message, Piece, Progress
from abxfast.encoders import DEFAULT_ENCODER, GPU_BATCH_S, Encoder, open_encoder
from abxfast.errors import AbxfastError, EncoderError, StoreError
from abxfast.manifest import Manifest, load_manifest
from abxfast.store import Store, StoreWriter, compact, create_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

__all__ = ["EmbedReport", "Progress", "embed"]

logger = logging.getLogger(__name__)

GPU_THREADS = 2
"""Batches under way on a GPU: one runs, the next is carried there; each more would cost memory for nothing."""


@dataclass
class EmbedReport:
    """What an embedding did.

    Attributes
    ----------
    encoder, provider : str
    recordings : int
        Recordings asked for.
    snippets : int
        Snippets that were embedded now, less those of what failed.
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
    paths_or_manifest: str | Path | Sequence[str | Path] | Manifest,
    store: str | Path,
    *,
    encoder: str | Path = DEFAULT_ENCODER,
    snippets: Sequence[float | str] = (10.0,),
    hop_s: float | None = None,
    remainder: str = "drop",
    channel: str = "mix",
    provider: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Embed recordings into a store; of a store that is there, do what is missing or has changed.

    Parameters
    ----------
    paths_or_manifest : path, sequence of paths, or Manifest
        A folder, audio files, or one table (see `abxfast.manifest.read_manifest`); or what was read of it.
    store : path
        The folder to make or to add to.
    encoder : str or path
        ``mfcc``, an ONNX file, or the name of one in the user's data folder.
    snippets : sequence of float or str
        Lengths in seconds, or ``"whole"``.
    hop_s : float, optional
        Seconds from one snippet to the next; the length itself unless given.
    remainder : {'drop', 'keep'}
        What becomes of a last snippet that is shorter.
    channel : str
        ``mix``, or the number of a channel from 0.
    provider : str
        ``auto``, ``cpu``, ``cuda`` …
    threads : int, optional
        Snippets, or batches on a GPU, to encode at the same time; unless given, as many as there are processors,
        and two on a GPU. No effect on the vectors of a CPU.
    progress : callable, optional
        Is called now and then, from another thread.

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
    plans = make_plans(snippets, hop_s, remainder)
    number = audio.parse_channel(channel)
    if threads is not None and threads < 1:
        raise AbxfastError(f"--threads: found {threads}, expected 1 or more")
    manifest = paths_or_manifest if isinstance(paths_or_manifest, Manifest) else load_manifest(paths_or_manifest)
    opened = open_encoder(encoder, provider)
    target = create_store(Path(store), opened)
    _check_plans(target, plans, number)
    report = EmbedReport(opened.info.name, opened.provider)
    decoder = Decoder(manifest, target, opened.info, plans, number, progress)
    run = _Run(target, opened, report)
    try:
        target.save_manifest(manifest)
        run.embed(decoder, threads or (GPU_THREADS if opened.batches else usable_threads()))
    finally:
        report.snippets = run.snippets
        report.recordings, report.skipped, report.audio_s = decoder.recordings, decoder.skipped, decoder.audio_s
        compact(target, drop=run.failed_keys)
        report.wall_s = time.monotonic() - started
    return report


class _Run:
    """One call of `embed`: what the decoder sends goes through the encoder and into the store."""

    def __init__(self, store: Store, encoder: Encoder, report: EmbedReport) -> None:
        self._store = store
        self._encoder = encoder
        self._report = report
        self._rate_hz = encoder.info.sample_rate_hz
        self._added: Counter[str] = Counter()
        self.failed_keys: set[str] = set()

    @property
    def snippets(self) -> int:
        """Snippets embedded so far, less those of entries that failed."""
        return sum(count for key, count in self._added.items() if key not in self.failed_keys)

    def embed(self, decoder: Decoder, threads: int) -> None:
        """Send every snippet that is missing through the encoder and into the store."""
        background: AbstractContextManager[Iterator[Message]] = in_background(decoder.messages(), size=2 * threads)
        with (
            StoreWriter(self._store, flush_first=True) as writer,
            ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool,
            background as sent,
        ):
            batches = Batches(round(GPU_BATCH_S * self._rate_hz) if self._encoder.batches else 0)
            pending: deque[tuple[list[Piece], Future[NDArray[np.float32]]]] = deque()
            try:
                for message in sent:
                    if isinstance(message, End):
                        writer.finish(message.entry, message.total)
                    elif isinstance(message, Failure):
                        self._fail(message)
                    elif batch := batches.add(message):
                        pending.append((batch, pool.submit(self._encode, batch)))
                    while pending and (len(pending) >= 2 * threads or pending[0][1].done()):
                        self._collect(*pending.popleft(), writer)
                pending += [(batch, pool.submit(self._encode, batch)) for batch in batches.rest()]
                while pending:
                    self._collect(*pending.popleft(), writer)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _encode(self, batch: list[Piece]) -> NDArray[np.float32]:
        return self._encoder.encode(np.stack([piece.snippet.samples for piece in batch]))

    def _collect(self, batch: list[Piece], future: Future[NDArray[np.float32]], writer: StoreWriter) -> None:
        try:
            vectors = future.result()
        except EncoderError as error:
            self._collect_each(batch, error, writer)
            return
        for piece, vector in zip(batch, vectors, strict=True):
            self._add(piece, vector, writer)

    def _collect_each(self, batch: list[Piece], error: EncoderError, writer: StoreWriter) -> None:
        """Take up a batch that failed one by one: its other snippets, of other recordings too, may be sound."""
        for piece in batch:
            try:
                if len(batch) == 1:
                    raise error
                vector = self._encode([piece])[0]
            except EncoderError as reason:
                entry, snippet = piece
                if entry.key(self._store.encoder_sha256) not in self.failed_keys:
                    where = f"{entry.item} at {snippet.start / self._rate_hz:g} s"
                    self._fail(Failure(entry.item, f"{where}: {reason}", (entry,)))
            else:
                self._add(piece, vector, writer)

    def _add(self, piece: Piece, vector: NDArray[np.float32], writer: StoreWriter) -> None:
        entry, snippet = piece
        writer.add(entry, snippet.index, snippet.start / self._rate_hz, snippet.stop / self._rate_hz, vector)
        self._added[entry.key(self._store.encoder_sha256)] += 1

    def _fail(self, failure: Failure) -> None:
        self.failed_keys.update(entry.key(self._store.encoder_sha256) for entry in failure.entries)
        self._report.failures.append((failure.name, failure.reason))
        logger.warning("%s", failure.reason)


class Batches:
    """Gathers snippets of one length for a GPU; hands each on by itself where `most` samples are 0.

    Holds no more than twice `most` samples.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[int, list[Piece]] = defaultdict(list)

    @property
    def samples(self) -> int:
        """Samples that are held."""
        return sum(length * len(pieces) for length, pieces in self._held.items())

    def add(self, piece: Piece) -> list[Piece]:
        """Take a snippet; give the batch that is full, or must go so that little is held, else nothing."""
        length = len(piece.snippet.samples)
        held = self._held[length]
        held.append(piece)
        if (len(held) + 1) * length > self._most:
            return self._held.pop(length)
        if self.samples > 2 * self._most:
            # The one that holds most is at least as long as what came: less is held than before.
            return self._held.pop(max(self._held, key=lambda length: length * len(self._held[length])))
        return []

    def rest(self) -> list[list[Piece]]:
        """Give what is held."""
        rest, self._held = list(self._held.values()), defaultdict(list)
        return rest


def _check_plans(store: Store, plans: Sequence[SnippetPlan], channel: int | None) -> None:
    """Refuse snippets of a length that the store cuts otherwise: mixed up, they could not be scored."""
    wanted = {plan.length_s: plan for plan in plans}
    for key in store.current_entries().values():
        entry = store.entries[key].entry
        plan = wanted.get(entry.plan.length_s, entry.plan)
        if plan != entry.plan:
            raise StoreError(
                f"{store.root}: holds snippets cut as {entry.plan}, asked for {plan}; "
                "keep --hop and --remainder, or give -o a new name"
            )
        if channel != entry.channel:
            found, asked = ("mix" if number is None else str(number) for number in (entry.channel, channel))
            raise StoreError(f"{store.root}: holds --channel {found}, asked for {asked}; give -o a new name")
