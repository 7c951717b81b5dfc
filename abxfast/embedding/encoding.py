"""Encoding snippets and writing their vectors, while others are decoded."""

from __future__ import annotations

import logging
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from abxfast.embedding.background import iterate_in_thread
from abxfast.embedding.batching import Batcher
from abxfast.embedding.crash_log import FileState
from abxfast.embedding.messages import EntryFinished, Failure
from abxfast.encoders import GPU_BATCH_S
from abxfast.errors import EncoderError
from abxfast.store import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from abxfast.embedding.crash_log import CrashLog
    from abxfast.embedding.decoder import Decoder
    from abxfast.embedding.messages import Message, PendingSnippet
    from abxfast.encoders import Encoder
    from abxfast.store import Store

logger = logging.getLogger(__name__)


class EncodingRun:
    """Sends what a decoder yields through an encoder and into a store.

    Parameters
    ----------
    store : Store
    encoder : Encoder
    crash_log : CrashLog

    Attributes
    ----------
    failures : list of (str, str)
        Recording or item, and why it could not be embedded.
    failed_keys : set of str
        Keys of the entries that failed, some of whose snippets may be in the store.
    finished_keys : set of str
        Keys of the entries that were finished; some of them may have failed.
    """

    def __init__(self, store: Store, encoder: Encoder, crash_log: CrashLog) -> None:
        self._crash_log = crash_log
        self._store = store
        self._encoder = encoder
        self._rate_hz = encoder.info.sample_rate_hz
        self._n_added: Counter[str] = Counter()
        self._recordings: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []
        self.failed_keys: set[str] = set()
        self.finished_keys: set[str] = set()

    @property
    def n_snippets(self) -> int:
        """Snippets embedded so far, without those of entries that failed."""
        return sum(count for key, count in self._n_added.items() if key not in self.failed_keys)

    @property
    def n_recordings(self) -> int:
        """Recordings that these snippets are of."""
        return len({path for key, path in self._recordings.items() if key not in self.failed_keys})

    def run(self, decoder: Decoder, n_threads: int, *, flush_first: bool = True) -> None:
        """Encode every snippet that the decoder yields, `n_threads` snippets or batches at a time.

        Parameters
        ----------
        decoder : Decoder
        n_threads : int
        flush_first : bool
            See `StoreWriter`.

        Raises
        ------
        StoreError
            If the vectors cannot be written.
        EncoderError
            If the encoder's file changed meanwhile.
        """
        decoding: AbstractContextManager[Iterator[Message]] = iterate_in_thread(
            decoder.messages(), queue_size=2 * n_threads, name="decode"
        )
        with (
            StoreWriter(self._store, flush_first=flush_first, check=self._encoder.check_unchanged) as writer,
            ThreadPoolExecutor(n_threads, thread_name_prefix="encode") as pool,
            decoding as messages,
        ):
            batcher = Batcher(round(GPU_BATCH_S * self._rate_hz) if self._encoder.batches else 0)
            running: deque[tuple[list[PendingSnippet], Future[NDArray[np.float32]]]] = deque()
            try:
                for message in messages:
                    if isinstance(message, EntryFinished):
                        writer.finish(message.entry, message.total)
                        self.finished_keys.add(message.entry.key(self._store.encoder_sha256))
                    elif isinstance(message, Failure):
                        self._fail(message)
                    elif message.entry.key(self._store.encoder_sha256) in self.failed_keys:
                        continue  # the other snippets of what has failed would only take time
                    elif batch := batcher.add(message):
                        running.append((batch, pool.submit(self._encode, batch)))
                    while running and (len(running) >= 2 * n_threads or running[0][1].done()):
                        self._collect(*running.popleft(), writer)
                running += [(batch, pool.submit(self._encode, batch)) for batch in batcher.drain()]
                while running:
                    self._collect(*running.popleft(), writer)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                self._encoder.stop_watching()

    def _encode(self, batch: list[PendingSnippet]) -> NDArray[np.float32]:
        waves = np.stack([pending.snippet.samples for pending in batch])
        entries = (pending.entry for pending in batch)
        with self._crash_log.working([FileState(entry.path, entry.size, entry.mtime_ns) for entry in entries]):
            return self._encoder.encode(waves)

    def _collect(self, batch: list[PendingSnippet], future: Future[NDArray[np.float32]], writer: StoreWriter) -> None:
        try:
            vectors = future.result()
        except EncoderError as error:
            self._retry_singly(batch, error, writer)
            return
        for pending, vector in zip(batch, vectors, strict=True):
            self._add(pending, vector, writer)

    def _retry_singly(self, batch: list[PendingSnippet], error: EncoderError, writer: StoreWriter) -> None:
        """Encode the snippets of a failed batch one by one: the others, also of other recordings, may be sound."""
        for pending in batch:
            try:
                if len(batch) == 1:
                    raise error
                vector = self._encode([pending])[0]
            except EncoderError as reason:
                entry, snippet = pending
                if entry.key(self._store.encoder_sha256) not in self.failed_keys:
                    origin = f"{entry.item} at {snippet.start / self._rate_hz:g} s"
                    self._fail(Failure(entry.item, f"{origin}: {reason}", (entry,)))
            else:
                self._add(pending, vector, writer)

    def _add(self, pending: PendingSnippet, vector: NDArray[np.float32], writer: StoreWriter) -> None:
        entry, snippet = pending
        writer.add(entry, snippet.index, snippet.start / self._rate_hz, snippet.stop / self._rate_hz, vector)
        key = entry.key(self._store.encoder_sha256)
        self._n_added[key] += 1
        self._recordings[key] = entry.path

    def _fail(self, failure: Failure) -> None:
        self.failed_keys.update(entry.key(self._store.encoder_sha256) for entry in failure.entries)
        self.failures.append((failure.name, failure.reason))
        logger.warning("%s", failure.reason)
