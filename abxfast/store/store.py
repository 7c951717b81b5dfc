"""The store: a folder of Parquet parts with one row per snippet, which survives crashes and can always be extended.

An entry is one item cut under one plan. Its key is a hash of everything that its vectors depend on: audio content,
stretch, channel, encoder and plan. A part holds rows of one or many entries; its footer says which rows are which
snippets (spans), and how many snippets each finished entry has. Parts are only added whole, and removed by one process
at a time once another part holds their content. So any number of processes may write at once, and a reader finds every
finished entry at any moment. Of several entries for one item and length, the newest complete one counts. A renamed
entry is written anew with the vectors of the old one, and records in the same footer that it replaces it: readers see
either name, never both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast._files import json_digest, relative_path
from abxfast.errors import StoreError
from abxfast.store import manifests, parquet
from abxfast.store.entries import EntryState, StoreEntry, find_replaced
from abxfast.store.header import FORMAT, read_header
from abxfast.store.parts import Part, Span, check_columns, covers, make_spans
from abxfast.store.reading import LazyVectors, read_snippets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.manifest import Manifest
    from abxfast.store.header import StoreHeader
    from abxfast.store.reading import Snippets

_MAX_ATTEMPTS = 20
"""Listings to try, since another process may merge parts between the listing and the reading."""


class SnippetRow(NamedTuple):
    """One snippet to be written.

    Attributes
    ----------
    key : str
        Key of its entry.
    number : int
        Index among the snippets of the entry, from 0.
    start_s, end_s : float
        Seconds from the start of the recording.
    vectors : ndarray of float32, shape (variants, dim)
    """

    key: str
    number: int
    start_s: float
    end_s: float
    vectors: NDArray[np.float32]


class Store:
    """An existing store; see `open_store` and `create_store`.

    Attributes
    ----------
    root : Path
    encoder, encoder_sha256 : str
    variants : tuple of str
    default_variant : str
    dim : int
        Length of a vector.
    rate_hz : int
        Sampling rate of the encoder.
    entries : dict of str to EntryState
        By key.
    parts : dict of str to Part
        By file name.
    """

    def __init__(self, root: Path, header: StoreHeader) -> None:
        self.root = root
        self._header = header
        self.encoder = header.encoder
        self.encoder_sha256 = header.encoder_sha256
        self.variants = header.variants
        self.default_variant = header.default_variant
        self.dim = header.dim
        self.rate_hz = header.rate_hz
        self.entries: dict[str, EntryState] = {}
        self.parts: dict[str, Part] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the footers of all parts again.

        Raises
        ------
        StoreError
            If one is damaged, or comes from another encoder.
        """
        for _ in range(_MAX_ATTEMPTS):
            self.entries, self.parts = {}, {}
            try:
                for path in parquet.list_files(self.root / "parts"):
                    self._merge_footer(path)
            except FileNotFoundError:  # another process has merged it since the listing
                continue
            self._check_totals()
            return
        raise StoreError(f"{path}: is listed but does not exist; repair or remove it")

    def check_header(self) -> None:
        """Check that the store is still there, and still that of its encoder.

        Raises
        ------
        StoreError
            If it was deleted, replaced or changed since it was opened.
        """
        if read_header(self.root) != self._header:
            raise StoreError(f"{self.root}: was replaced while it was in use; run `abxfast.embed` again")

    def current_entries(self) -> dict[tuple[str, float | None], str]:
        """Return the key of the entry that counts for each (item, length): the newest complete one, else the newest.

        Entries that were renamed do not count.
        """
        replaced = self.replaced_keys()
        kept = ((key, state) for key, state in self.entries.items() if key not in replaced)
        ranked = sorted(kept, key=lambda pair: (pair[1].complete, pair[1].written_ns, pair[0]))
        return {(state.entry.item, state.entry.plan.length_s): key for key, state in ranked}

    def replaced_keys(self) -> set[str]:
        """Return the keys of entries that others, as soon as they are complete, replace under another name."""
        return find_replaced(self.entries)

    def complete_entries(self, length_s: float | None) -> list[EntryState]:
        """Return the complete entries of one length that count, ordered by item."""
        return list(self._complete_entries(length_s).values())

    def lengths(self) -> list[float | None]:
        """Return the snippet lengths of complete entries in ascending order, whole items (``None``) last."""
        lengths = {length for (_, length), key in self.current_entries().items() if self.entries[key].complete}
        return sorted(lengths, key=lambda length: (length is None, length or 0.0))

    def next_timestamp_ns(self) -> int:
        """Return a time later than any in the store, even if a clock was wrong."""
        return max(time.time_ns(), 1 + max((state.written_ns for state in self.entries.values()), default=0))

    def relative(self, path: Path) -> str:
        """Return a path relative to the folder that holds the store, so that recordings and store can move together."""
        return relative_path(path, self.root.absolute().parent)

    def manifest_rows(self) -> dict[str, dict[str, Any]]:
        """Return the manifest row of each item; if several manifests name an item, that of the newest."""
        return manifests.read_rows(self.root / "manifests")

    def metadata_columns(self) -> list[str]:
        """Return the names of the metadata columns of the manifests."""
        return manifests.read_metadata_columns(self.root / "manifests")

    def save_manifest(self, manifest: Manifest) -> None:
        """Save a copy of the rows, with audio paths relative to the folder that holds the store.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        manifests.save_copy(self.root / "manifests", manifest, self.relative)

    def remove_manifest_rows(self, items: Collection[str]) -> None:
        """Remove the rows of items from all copies of manifests.

        Raises
        ------
        StoreError
            If a copy cannot be read or written.
        """
        manifests.remove_rows(self.root / "manifests", items)

    def read(
        self,
        length_s: float | None,
        variant: str | None,
        *,
        memory_mb: float = 512,
        items: Collection[str] | None = None,
    ) -> Snippets:
        """Decode the vectors of one length and variant.

        Parameters
        ----------
        length_s : float or None
            Nominal length in seconds; ``None`` for whole items.
        variant : str or None
            ``None`` reads no vectors: their array has no columns.
        memory_mb : float
            Vectors that take more are mapped from a scratch file, in the folder that ``TMPDIR`` names.
        items : collection of str, optional
            Items to read, by default all.

        Returns
        -------
        Snippets
            Of the complete entries; empty if there are none.

        Raises
        ------
        StoreError
            If a part cannot be read, or the store has no such variant.
        """
        if variant is not None and variant not in self.variants:
            raise StoreError(f"{self.root}: no variant {variant!r}, expected one of {', '.join(self.variants)}")
        for _ in range(_MAX_ATTEMPTS):
            complete = self._complete_entries(length_s)
            entries = {key: state for key, state in complete.items() if items is None or state.entry.item in items}
            try:
                return read_snippets(self.parts.values(), entries, variant, self.dim, memory_mb=memory_mb)
            except FileNotFoundError:  # merged since the last refresh
                self.refresh()
        raise StoreError(f"{self.root}: its parts keep changing; read it when no other program writes to it")

    def sample(self, variant: str, n: int) -> NDArray[np.float32]:
        """Read some vectors of a variant, of any length: those of as many parts as hold `n` snippets, or all.

        Returns
        -------
        ndarray of float32, shape (at least n, dim), or fewer if the store holds fewer

        Raises
        ------
        StoreError
            If a part cannot be read.
        """
        vectors, n_read = [np.empty((0, self.dim), np.float32)], 0
        for part in list(self.parts.values()):
            if n_read >= n:
                break
            vectors.append(parquet.column_vectors(parquet.read_columns(part.path, [variant]), variant, self.dim))
            n_read += len(vectors[-1])
        return np.concatenate(vectors)

    def read_lazily(self, length_s: float | None, variant: str, *, memory_mb: float = 512) -> LazyVectors:
        """Return the vectors that `read` would, decoded part by part as they are needed.

        Raises
        ------
        StoreError
            If there is no room for them.
        """
        entries = self._complete_entries(length_s)
        return LazyVectors(self.parts.values(), entries, variant, self.dim, memory_mb=memory_mb)

    def digest(self, length_s: float | None) -> str:
        """Return a hash of which snippets `read` returns, and in which order."""
        return json_digest([[key, state.total] for key, state in self._complete_entries(length_s).items()])

    def write(self, rows: Iterable[SnippetRow], states: Mapping[str, EntryState]) -> None:
        """Add a part with snippets, whose footer records the state of entries.

        Parameters
        ----------
        rows : iterable of SnippetRow
            In any order.
        states : mapping of str to EntryState
            The entries to record, by key: at least those of the rows.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        ordered = sorted(rows, key=lambda row: row[:2])
        entries = [states[row.key].entry for row in ordered]
        vectors = np.array([row.vectors for row in ordered], np.float32).reshape(-1, len(self.variants), self.dim)
        table = pa.table(
            {
                "item": pa.array([entry.item for entry in entries], pa.string()),
                "recording": pa.array([entry.recording for entry in entries], pa.string()),
                "start_s": pa.array([row.start_s for row in ordered], pa.float64()),
                "end_s": pa.array([row.end_s for row in ordered], pa.float64()),
                "snippet_s": pa.array([entry.plan.length_s for entry in entries], pa.float64()),
                **{name: parquet.vector_column(vectors[:, i]) for i, name in enumerate(self.variants)},
            }
        )
        self.add_part(table, [(row.key, row.number) for row in ordered], states)

    def add_part(self, table: pa.Table, rows: Iterable[tuple[str, int]], states: Mapping[str, EntryState]) -> Path:
        """Add a part whose rows are the given (entry key, snippet index) pairs; return its path.

        The name of the part is a hash of its footer.
        """
        self.check_header()
        meta = {
            "format": FORMAT,
            "encoder_sha256": self.encoder_sha256,
            "spans": list(make_spans(rows)),
            "units": {key: state.to_json() for key, state in states.items()},
        }
        path = self.root / "parts" / f"part-{json_digest(meta)[:24]}.parquet"
        parquet.write_parquet(path, table, meta)
        try:
            self._merge_footer(path)
        except FileNotFoundError:  # another process has merged it already
            self.refresh()
        return path

    def _merge_footer(self, path: Path) -> None:
        """Update entries and parts from the footer of a part."""
        meta, schema, n_rows = parquet.read_footer(path)
        if meta.get("format") != FORMAT:
            raise StoreError(f"{path}: has format {meta.get('format')}, this abxfast reads {FORMAT}; update abxfast")
        if meta.get("encoder_sha256") != self.encoder_sha256:
            raise StoreError(f"{path}: comes from another encoder than the store; move the file out of the folder")
        try:
            spans = tuple(Span(*span) for span in meta["spans"])
            if not covers(spans, n_rows):
                raise parquet.damaged(path)
            for key, value in meta["units"].items():
                if key not in self.entries:
                    self.entries[key] = EntryState(StoreEntry.from_json(value["unit"]))
                self.entries[key].merge_footer(value)
            for span in spans:
                self.entries[span.key].done.update(range(span.first, span.first + span.length))
        except (KeyError, TypeError, AttributeError) as error:
            raise parquet.damaged(path) from error
        check_columns(path, schema, self.variants, self.dim)
        self.parts[path.name] = Part(path, spans, frozenset(meta["units"]), path.stat().st_size)

    def _check_totals(self) -> None:
        """Check that no entry has more snippets than its number of snippets."""
        for state in self.entries.values():
            if state.total is not None and state.done and max(state.done) >= state.total:
                raise StoreError(
                    f"{self.root}: holds snippet {max(state.done)} of {state.entry.item!r}, which has {state.total}; "
                    "it is damaged, embed into a new store"
                )

    def _complete_entries(self, length_s: float | None) -> dict[str, EntryState]:
        """Return the complete entries of one length that count, by key, ordered by item."""
        keys = sorted((item, key) for (item, length), key in self.current_entries().items() if length == length_s)
        return {key: self.entries[key] for _, key in keys if self.entries[key].complete}
