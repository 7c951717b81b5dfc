"""The store: a folder of Parquet parts, one row a snippet, that survives crashes and takes more at any time.

A *entry* is one item cut under one plan. Its key is a hash of all that its vectors depend on: audio content, stretch,
channel, encoder and plan. A part holds rows of one or many entries; its footer says which rows are which snippets
(*spans*), and how many snippets each finished entry has. Parts are only ever added whole, and removed, by one process
at a time, once what they hold stands elsewhere: any number of processes may write at once, and a reader at any moment
finds every finished entry. Of several for one item and length, the newest complete one counts.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast._files import TEMPORARY_PREFIX, json_digest, relative_path, write_atomic
from abxfast._version import __version__
from abxfast.errors import StoreError
from abxfast.store import manifests as copies
from abxfast.store import parquet
from abxfast.store.entries import EntryState, StoreEntry
from abxfast.store.lock import LOCK_NAME, locked
from abxfast.store.parquet import Part, Span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.encoders import Encoder
    from abxfast.manifest import Manifest

FORMAT = 1
_HEADER = "store.json"
_HEADER_TYPES = {
    "encoder": str,
    "encoder_sha256": str,
    "variants": list,
    "default_variant": str,
    "dim": int,
    "rate_hz": int,
}
_NOT_CONTENT = (LOCK_NAME, ".DS_Store", "Thumbs.db", "desktop.ini")
"""What lies in a folder that counts as empty, besides files that were being written."""
_TRIES = 20
"""How often a listing may be overtaken by another process that merges parts."""


class Row(NamedTuple):
    """One snippet on its way into a part; `vectors` is float32 ``(variants, dim)``."""

    key: str
    number: int
    start_s: float
    end_s: float
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class Snippets:
    """The snippets of one length, in the order of item, then time.

    Attributes
    ----------
    items, recordings : list of str, length n
    start_s, end_s : ndarray of float64, shape (n,)
    embeddings : ndarray of float32, shape (n, dim)
        In memory, or mapped from a scratch file that goes with the array.
    """

    items: list[str]
    recordings: list[str]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    embeddings: NDArray[np.float32]


class Store:
    """A store that is there: see `open_store` and `create_store`.

    Attributes
    ----------
    root : Path
    encoder, encoder_sha256 : str
    variants : tuple of str
    default_variant : str
    dim : int
    rate_hz : int
    entries : dict of str to EntryState
        By key.
    parts : dict of str to Part
        By file name.
    """

    def __init__(self, root: Path, header: Mapping[str, Any]) -> None:
        self.root = root
        self.encoder: str = header["encoder"]
        self.encoder_sha256: str = header["encoder_sha256"]
        self.variants: tuple[str, ...] = tuple(header["variants"])
        self.default_variant: str = header["default_variant"]
        self.dim: int = header["dim"]
        self.rate_hz: int = header["rate_hz"]
        self.entries: dict[str, EntryState] = {}
        self.parts: dict[str, Part] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the footers of all parts anew.

        Raises
        ------
        StoreError
            Where one is damaged, or of another encoder.
        """
        for _ in range(_TRIES):
            self.entries, self.parts = {}, {}
            try:
                for path in sorted((self.root / "parts").glob("*.parquet")):
                    self._merge_footer(path)
            except FileNotFoundError:  # another process merged it away between the listing and now
                continue
            return
        raise StoreError(f"{path}: is listed but not there; mend or remove it")

    def current_entries(self) -> dict[tuple[str, float | None], str]:
        """Give the key of the entry that stands for each item and length: the newest complete, else the newest."""
        ranked = sorted(self.entries.items(), key=lambda pair: (pair[1].complete, pair[1].written_ns, pair[0]))
        return {(state.entry.item, state.entry.plan.length_s): key for key, state in ranked}

    def complete(self, length_s: float | None) -> list[EntryState]:
        """Give the complete entries of one length, in the order of their items."""
        return [self.entries[key] for key in self._complete_keys(length_s)]

    def lengths(self) -> list[float | None]:
        """Give the snippet lengths that are there, whole items last."""
        found = {length for (_, length), key in self.current_entries().items() if self.entries[key].complete}
        return sorted(found, key=lambda length: (length is None, length or 0.0))

    def next_ns(self) -> int:
        """Give a time later than all that the store knows of, also where a clock was wrong."""
        return max(time.time_ns(), 1 + max((state.written_ns for state in self.entries.values()), default=0))

    def relative(self, path: Path) -> str:
        """Give a path as seen from the folder that holds the store, so that both can move together."""
        return relative_path(path, self.root.absolute().parent)

    def rows(self) -> dict[str, dict[str, Any]]:
        """Give the manifest's row of each item; of several, the newest counts."""
        return copies.rows(self.root / "manifests")

    def metadata_columns(self) -> list[str]:
        """Give the names of the metadata columns."""
        return copies.metadata_columns(self.root / "manifests")

    def read(
        self, length_s: float | None, variant: str, *, memory_mb: float = 512, items: Collection[str] | None = None
    ) -> Snippets:
        """Decode the vectors of one length and variant, once.

        Parameters
        ----------
        length_s : float or None
            Nominal length; ``None`` for whole items.
        variant : str
        memory_mb : float
            Vectors beyond it go to a memory-mapped scratch file, in the folder that ``TMPDIR`` names.
        items : collection of str, optional
            Read these only.

        Raises
        ------
        StoreError
            Where a part cannot be read.
        """
        if variant not in self.variants:
            raise StoreError(f"{self.root}: no variant {variant!r}; there are: {', '.join(self.variants)}")
        for _ in range(_TRIES):
            try:
                return self._read(length_s, variant, memory_mb, items)
            except FileNotFoundError:  # merged away since we looked
                self.refresh()
        raise StoreError(f"{self.root}: its parts keep changing; read it when no other program writes to it")

    def _read(self, length_s: float | None, variant: str, memory_mb: float, items: Collection[str] | None) -> Snippets:
        offsets: dict[str, int] = {}
        names: list[str] = []
        recordings: list[str] = []
        for key in self._complete_keys(length_s):
            entry, total = self.entries[key].entry, len(self.entries[key].done)
            if items is None or entry.item in items:
                offsets[key] = len(names)
                names += [entry.item] * total
                recordings += [entry.recording] * total
        embeddings = _array(len(names), self.dim, memory_mb)
        start_s, end_s = np.empty(len(names)), np.empty(len(names))
        for part in self.parts.values():
            spans = [span for span in part.spans if span.key in offsets]
            if not spans:
                continue
            table = parquet.read_columns(part.path, ["start_s", "end_s", variant])
            vectors = parquet.column_vectors(table, variant, self.dim)
            starts, ends = table["start_s"].to_numpy(), table["end_s"].to_numpy()
            for span in spans:
                first = offsets[span.key] + span.first
                here, there = slice(span.row, span.row + span.length), slice(first, first + span.length)
                embeddings[there], start_s[there], end_s[there] = vectors[here], starts[here], ends[here]
        return Snippets(names, recordings, start_s, end_s, embeddings)

    def put_manifest(self, manifest: Manifest) -> None:
        """Keep a copy of the rows; audio paths are kept relative to the folder that holds the store."""
        copies.put(self.root / "manifests", manifest, self.relative)

    def write(self, rows: Iterable[Row], states: Mapping[str, EntryState]) -> None:
        """Add a part that holds these snippets, and says how far their entries, and others, have come.

        Parameters
        ----------
        rows : iterable of Row
            In any order.
        states : mapping of str to EntryState
            The entries to speak of, by key: those of the rows at least.
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

    def add_part(self, table: pa.Table, rows: list[tuple[str, int]], states: Mapping[str, EntryState]) -> Path:
        """Add a part of which each row is known by (entry, snippet); give its path, which its content names."""
        meta = {
            "format": FORMAT,
            "encoder_sha256": self.encoder_sha256,
            "spans": list(parquet.make_spans(rows)),
            "units": {key: state.to_json() for key, state in states.items()},
        }
        path = self.root / "parts" / f"part-{json_digest(meta)[:24]}.parquet"
        parquet.write_parquet(path, table, meta)
        try:
            self._merge_footer(path)
        except FileNotFoundError:  # another process has merged it away already
            self.refresh()
        return path

    def _merge_footer(self, path: Path) -> None:
        meta = parquet.read_meta(path)
        if meta.get("format") != FORMAT:
            raise StoreError(f"{path}: has format {meta.get('format')}, this abxfast reads {FORMAT}; update abxfast")
        if meta.get("encoder_sha256") != self.encoder_sha256:
            raise StoreError(f"{path}: comes from another encoder than the store; take the file out of the folder")
        try:
            for key, value in meta["units"].items():
                if key not in self.entries:
                    self.entries[key] = EntryState(StoreEntry.from_json(value["unit"]))
                self.entries[key].merge_footer(value)
            spans = tuple(Span(*span) for span in meta["spans"])
            for span in spans:
                self.entries[span.key].done.update(range(span.first, span.first + span.length))
        except (KeyError, TypeError, AttributeError) as error:
            raise parquet.damaged(path) from error
        self.parts[path.name] = Part(path, spans, frozenset(meta["units"]), path.stat().st_size)

    def _complete_keys(self, length_s: float | None) -> list[str]:
        found = [(item, key) for (item, length), key in self.current_entries().items() if length == length_s]
        return [key for _, key in sorted(found) if self.entries[key].complete]


def open_store(root: Path) -> Store:
    """Open a store.

    Raises
    ------
    StoreError
        Where there is none, or it is damaged.
    """
    path = root / _HEADER
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        what = "is not a store (it has no store.json)" if root.exists() else "no such store"
        raise StoreError(f"{root}: {what}; make one with: abxfast embed RECORDINGS -o {root}") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise StoreError(f"{path}: is damaged ({error}); embed into a new store") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else None
        raise StoreError(f"{path}: has store format {found}, this abxfast reads {FORMAT}; update abxfast")
    wrong = [name for name, kind in _HEADER_TYPES.items() if not isinstance(header.get(name), kind)]
    if wrong:
        raise StoreError(f"{path}: is damaged: no {', '.join(wrong)}; embed into a new store")
    return Store(root, header)


def create_store(root: Path, encoder: Encoder) -> Store:
    """Open the store at `root` for this encoder, making it where there is none.

    Raises
    ------
    StoreError
        Where it is another encoder's, or the folder holds something else.
    """
    path = root / _HEADER
    try:
        there = path.exists()
        taken = not there and root.exists() and (not root.is_dir() or any(map(_is_content, root.iterdir())))
    except OSError as error:
        raise StoreError(f"{root}: cannot be read ({error.strerror})") from error
    if taken:
        raise StoreError(f"{root}: is there already and is not a store; give -o a new name")
    if not there:
        header = {
            "format": FORMAT,
            "encoder": encoder.info.name,
            "encoder_sha256": encoder.sha256,
            "variants": encoder.info.variants,
            "default_variant": encoder.info.default_variant,
            "dim": encoder.dim,
            "rate_hz": encoder.info.sample_rate_hz,
            "abxfast": __version__,
        }
        with locked(root):
            if not path.exists():  # another process may have come first, with another encoder
                with parquet.store_errors():
                    write_atomic(path, json.dumps(header, indent=1, ensure_ascii=False).encode())
    store = open_store(root)
    if store.encoder_sha256 != encoder.sha256:
        other = "another file of this name" if store.encoder == encoder.info.name else f"{store.encoder!r}"
        raise StoreError(
            f"{root}: was made by another encoder: found {other}, asked for {encoder.info.name!r}; "
            "one store holds one encoder, give -o a new name"
        )
    return store


def _is_content(path: Path) -> bool:
    return path.name not in _NOT_CONTENT and not path.name.startswith(TEMPORARY_PREFIX)


def _array(n: int, dim: int, memory_mb: float) -> NDArray[np.float32]:
    size = n * dim * 4
    if size <= memory_mb * 1e6:
        return np.empty((n, dim), np.float32)
    try:
        with tempfile.TemporaryFile(prefix="abxfast-") as scratch:  # goes with the last mapping of it
            scratch.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here; in the mapping it would kill us
                os.posix_fallocate(scratch.fileno(), 0, size)
            return np.memmap(scratch, np.float32, "r+", shape=(n, dim))
    except OSError as error:
        raise StoreError(
            f"{tempfile.gettempdir()}: no room for {size / 1e6:,.0f} MB of vectors ({error.strerror}); "
            "set TMPDIR to a roomier folder, or allow more memory"
        ) from error
