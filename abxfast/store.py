"""The store: a folder of Parquet parts, one row a snippet, that survives crashes and takes more at any time.

A *unit* is one item cut under one plan. Its key is a hash of all that its vectors depend on: audio content, stretch,
channel, encoder and plan. A part holds rows of one or many units; its footer says which rows are which snippets
(*spans*), and how many snippets each finished unit has. Parts are only ever added whole, and removed once what they
hold stands elsewhere, so any number of processes may write at once, and a reader at any moment finds every finished
unit: of several for one item and length, the newest complete one counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast import parts
from abxfast._version import __version__
from abxfast.errors import StoreError
from abxfast.snippets import SnippetPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from abxfast.encoder import Encoder
    from abxfast.manifest import Manifest

FORMAT = 1
FLUSH_S = 5.0
"""A crash loses at most what these seconds had gathered."""
FLUSH_BYTES = 32 << 20
SMALL_PART_BYTES = 8 << 20
"""Parts below this size are merged when a run ends,"""
MERGED_PART_BYTES = 64 << 20
"""to parts of about this size."""
_HEADER = "store.json"
_ROW_COLUMNS = ("item", "recording", "path", "start_s", "end_s")


@dataclass(frozen=True)
class Unit:
    """One item under one plan, and what its vectors are made from.

    Attributes
    ----------
    item, recording : str
    content : str
        SHA-256 of the audio file.
    size, mtime_ns : int
        Of the audio file when it was hashed; no part of the key.
    start_s, end_s : float or None
        The item's stretch.
    channel : int or None
        ``None`` is the mean of all.
    plan : SnippetPlan
    """

    item: str
    recording: str
    content: str
    size: int
    mtime_ns: int
    start_s: float | None
    end_s: float | None
    channel: int | None
    plan: SnippetPlan

    def key(self, encoder_sha256: str) -> str:
        """Give the hash of all that the vectors depend on, and of the names that stand in the rows."""
        names = (self.item, self.recording, self.content, self.start_s, self.end_s, self.channel)
        return _digest([*names, asdict(self.plan), encoder_sha256])

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Unit:
        """Read back what ``asdict`` gave."""
        return cls(**{**value, "plan": SnippetPlan(**value["plan"])})


@dataclass
class UnitState:
    """What the store holds of a unit.

    Attributes
    ----------
    unit : Unit
    written_ns : int
        When it was last begun.
    total : int or None
        Its number of snippets; ``None`` while it is unfinished.
    done : set of int
        Indices of the snippets that are there.
    """

    unit: Unit
    written_ns: int = 0
    total: int | None = None
    done: set[int] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        """Whether every snippet of it is there."""
        return len(self.done) == self.total


class Span(NamedTuple):
    """Rows ``row`` to ``row + count`` of a part are snippets ``index`` to ``index + count`` of unit ``key``."""

    key: str
    index: int
    row: int
    count: int


class Part(NamedTuple):
    """What the footer of a part says."""

    path: Path
    spans: tuple[Span, ...]
    keys: frozenset[str]
    size: int


class Row(NamedTuple):
    """One snippet on its way into a part; `vectors` is float32 ``(variants, dim)``."""

    key: str
    index: int
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
    units : dict of str to UnitState
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
        self.units: dict[str, UnitState] = {}
        self.parts: dict[str, Part] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the footers of all parts anew.

        Raises
        ------
        StoreError
            Where one is damaged, or of another encoder.
        """
        while True:
            self.units, self.parts = {}, {}
            try:
                for path in sorted((self.root / "parts").glob("*.parquet")):
                    self._take_in(path)
            except FileNotFoundError:  # another process merged it away between the listing and now
                continue
            return

    def winners(self) -> dict[tuple[str, float | None], str]:
        """Give the key of the unit that stands for each item and length: the newest complete, else the newest."""
        ranked = sorted(self.units.items(), key=lambda pair: (pair[1].complete, pair[1].written_ns, pair[0]))
        return {(state.unit.item, state.unit.plan.length_s): key for key, state in ranked}

    def complete(self, length_s: float | None) -> list[UnitState]:
        """Give the complete units of one length, in the order of their items."""
        return [self.units[key] for key in self._complete_keys(length_s)]

    def lengths(self) -> list[float | None]:
        """Give the snippet lengths that are there, whole items last."""
        found = {length for (_, length), key in self.winners().items() if self.units[key].complete}
        return sorted(found, key=lambda length: (length is None, length or 0.0))

    def rows(self) -> dict[str, dict[str, Any]]:
        """Give the manifest's row of each item; of several, the newest counts."""
        found: dict[str, dict[str, Any]] = {}
        for _, table in self._manifests():
            found.update((row["item"], row) for row in table.to_pylist())
        return found

    def metadata_columns(self) -> list[str]:
        """Give the names of the metadata columns."""
        names = {name: None for _, table in self._manifests() for name in table.column_names}
        return [name for name in names if name not in _ROW_COLUMNS]

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
            Vectors beyond it go to a memory-mapped scratch file.
        items : collection of str, optional
            Read these only.

        Raises
        ------
        StoreError
            Where a part cannot be read.
        """
        offsets: dict[str, int] = {}
        names: list[str] = []
        recordings: list[str] = []
        for key in self._complete_keys(length_s):
            unit, total = self.units[key].unit, len(self.units[key].done)
            if items is None or unit.item in items:
                offsets[key] = len(names)
                names += [unit.item] * total
                recordings += [unit.recording] * total
        embeddings = _array(len(names), self.dim, memory_mb)
        start_s, end_s = np.empty(len(names)), np.empty(len(names))
        for part in self.parts.values():
            spans = [span for span in part.spans if span.key in offsets]
            if not spans:
                continue
            table = parts.read_columns(part.path, ["start_s", "end_s", variant])
            vectors = parts.column_vectors(table, variant, self.dim)
            starts, ends = table["start_s"].to_numpy(), table["end_s"].to_numpy()
            for span in spans:
                first = offsets[span.key] + span.index
                here, there = slice(span.row, span.row + span.count), slice(first, first + span.count)
                embeddings[there], start_s[there], end_s[there] = vectors[here], starts[here], ends[here]
        return Snippets(names, recordings, start_s, end_s, embeddings)

    def put_manifest(self, manifest: Manifest) -> None:
        """Keep a copy of the rows; audio paths are kept relative to the folder that holds the store."""
        items = manifest.items
        base = self.root.absolute().parent
        table = pa.table(
            {
                "item": [item.item for item in items],
                "recording": [item.recording for item in items],
                "path": [_relative(item.path, base) for item in items],
                "start_s": pa.array([item.start_s for item in items], pa.float64()),
                "end_s": pa.array([item.end_s for item in items], pa.float64()),
                **{
                    name: pa.array([item.labels.get(name) for item in items], pa.string()) for name in manifest.columns
                },
            }
        )
        older = self._manifests()
        if older and older[-1][1].equals(table):
            return
        name = f"manifest-{_digest(table.to_pydict())[:16]}.parquet"
        parts.write_aside(
            self.root / "manifests" / name, parts.to_parquet(table, {"written_ns": time.time_ns(), "format": FORMAT})
        )
        named = {item.item for item in items}
        for path, rows in older:
            if path.name != name and named.issuperset(rows["item"].to_pylist()):
                parts.remove(path)

    def write(self, rows: Iterable[Row], states: Mapping[str, UnitState]) -> None:
        """Add a part that holds these snippets, and says how far their units, and others, have come.

        Parameters
        ----------
        rows : iterable of Row
            In any order.
        states : mapping of str to UnitState
            The units to speak of, by key: those of the rows at least.
        """
        ordered = sorted(rows, key=lambda row: row[:2])
        units = [states[row.key].unit for row in ordered]
        vectors = np.stack([row.vectors for row in ordered]) if ordered else np.empty((0, len(self.variants), self.dim))
        table = pa.table(
            {
                "item": pa.array([unit.item for unit in units], pa.string()),
                "recording": pa.array([unit.recording for unit in units], pa.string()),
                "start_s": pa.array([row.start_s for row in ordered], pa.float64()),
                "end_s": pa.array([row.end_s for row in ordered], pa.float64()),
                "snippet_s": pa.array([unit.plan.length_s for unit in units], pa.float64()),
                **{name: parts.vector_column(vectors[:, i]) for i, name in enumerate(self.variants)},
            }
        )
        self._write_table(table, [(row.key, row.index) for row in ordered], states)

    def compact(self, drop: Collection[str] = ()) -> None:
        """Merge small parts, and leave out what was replaced, what stands twice, and the units `drop`."""
        self.refresh()
        winners = self.winners()
        replaced = {
            key
            for key, state in self.units.items()
            if (best := winners[state.unit.item, state.unit.plan.length_s]) != key and self.units[best].complete
        }
        gone = replaced | set(drop)
        seen: dict[str, set[int]] = defaultdict(set)
        untidy: list[tuple[Part, list[tuple[str, int, int]]]] = []
        rewrite = False
        for part in sorted(self.parts.values(), key=lambda part: (-part.size, part.path.name)):
            kept = []
            for span in part.spans:
                for i in range(span.count):
                    if span.key not in gone and span.index + i not in seen[span.key]:
                        seen[span.key].add(span.index + i)
                        kept.append((span.key, span.index + i, span.row + i))
            whole = len(kept) == sum(span.count for span in part.spans) and part.keys.isdisjoint(gone)
            if part.size < SMALL_PART_BYTES or not whole:
                untidy.append((part, kept))
                rewrite = rewrite or not whole
        if rewrite or len(untidy) > 1:
            for group in _groups(untidy):
                self._merge(group, gone)
        parts.remove_stale(self.root)

    def _merge(self, group: list[tuple[Part, list[tuple[str, int, int]]]], gone: set[str]) -> None:
        """Put one part in the place of several; each comes with the (unit, snippet, row) to keep."""
        keys = set().union(*(part.keys for part, _ in group)) - gone
        kept = sorted((key, index, number, row) for number, (_, rows) in enumerate(group) for key, index, row in rows)
        written = None
        if keys:
            tables = [parts.read_columns(part.path) for part, _ in group]
            firsts = np.cumsum([0] + [table.num_rows for table in tables])
            order = pa.array([firsts[number] + row for _, _, number, row in kept], pa.int64())
            states = {key: self.units[key] for key in keys}
            table = pa.concat_tables(tables).take(order)
            written = self._write_table(table, [(key, index) for key, index, _, _ in kept], states)
        for part, _ in group:
            if part.path != written:
                parts.remove(part.path)
                self.parts.pop(part.path.name, None)

    def _write_table(self, table: pa.Table, rows: list[tuple[str, int]], states: Mapping[str, UnitState]) -> Path:
        spans = list(_spans(rows))
        meta = {
            "format": FORMAT,
            "encoder_sha256": self.encoder_sha256,
            "spans": spans,
            "units": {
                key: {"unit": asdict(state.unit), "total": state.total, "written_ns": state.written_ns}
                for key, state in states.items()
            },
        }
        totals = sorted((key, state.total) for key, state in states.items())
        path = self.root / "parts" / f"part-{_digest([spans, totals])[:24]}.parquet"
        parts.write_aside(path, parts.to_parquet(table, meta))
        self._take_in(path)
        return path

    def _take_in(self, path: Path) -> None:
        meta = parts.read_meta(path)
        if meta.get("format") != FORMAT:
            raise StoreError(f"{path}: has format {meta.get('format')}, this abxfast reads {FORMAT}; update abxfast")
        if meta["encoder_sha256"] != self.encoder_sha256:
            raise StoreError(f"{path}: comes from another encoder than the store; take the file out of the folder")
        for key, value in meta["units"].items():
            state = self.units.setdefault(key, UnitState(Unit.from_json(value["unit"])))
            state.written_ns = max(state.written_ns, value["written_ns"])
            state.total = value["total"] if state.total is None else state.total
        spans = tuple(Span(*span) for span in meta["spans"])
        for span in spans:
            self.units[span.key].done.update(range(span.index, span.index + span.count))
        self.parts[path.name] = Part(path, spans, frozenset(meta["units"]), path.stat().st_size)

    def _complete_keys(self, length_s: float | None) -> list[str]:
        found = [(item, key) for (item, length), key in self.winners().items() if length == length_s]
        return [key for _, key in sorted(found) if self.units[key].complete]

    def _manifests(self) -> list[tuple[Path, pa.Table]]:
        """Give the copies of manifests, the newest last."""
        found = []
        for path in (self.root / "manifests").glob("*.parquet"):
            try:
                found.append((parts.read_meta(path)["written_ns"], path.name, path, parts.read_columns(path)))
            except FileNotFoundError:  # replaced by another process
                continue
        found.sort(key=lambda entry: entry[:2])
        return [(path, table.replace_schema_metadata(None)) for _, _, path, table in found]


class StoreWriter:
    """Gathers snippets and adds them to a store as parts, every few seconds.

    Parameters
    ----------
    store : Store

    Notes
    -----
    Leaving the ``with`` block, in whatever way, writes what is gathered.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: list[Row] = []
        self._states: dict[str, UnitState] = {}
        self._bytes = 0
        self._flushed = time.monotonic()
        self._begun_ns = time.time_ns()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, unit: Unit, index: int, start_s: float, end_s: float, vectors: NDArray[np.float32]) -> None:
        """Take the vectors of one snippet, float32 ``(variants, dim)``."""
        self._rows.append(Row(self._state(unit), index, start_s, end_s, vectors))
        self._bytes += vectors.nbytes
        if self._bytes >= FLUSH_BYTES or time.monotonic() - self._flushed >= FLUSH_S:
            self.flush()

    def finish(self, unit: Unit, total: int) -> None:
        """Note that a unit has `total` snippets, all of which have been or will be added."""
        self._states[self._state(unit)].total = total

    def flush(self) -> None:
        """Write what is gathered."""
        if self._states:
            self._store.write(self._rows, self._states)
        self._rows, self._states, self._bytes = [], {}, 0
        self._flushed = time.monotonic()

    def _state(self, unit: Unit) -> str:
        key = unit.key(self._store.encoder_sha256)
        if key not in self._states:
            self._states[key] = UnitState(unit, self._begun_ns)
        return key


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
    except FileNotFoundError:
        what = "is not a store (it has no store.json)" if root.is_dir() else "no such store"
        raise StoreError(f"{root}: {what}; make one with: abxfast embed RECORDINGS -o {root}") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: is damaged ({error}); embed into a new store") from error
    needed = {"encoder", "encoder_sha256", "variants", "default_variant", "dim", "rate_hz"}
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else None
        raise StoreError(f"{path}: has store format {found}, this abxfast reads {FORMAT}; update abxfast")
    if needed - header.keys():
        raise StoreError(f"{path}: is damaged: no {', '.join(sorted(needed - header.keys()))}; embed into a new store")
    return Store(root, header)


def create_store(root: Path, encoder: Encoder) -> Store:
    """Open the store at `root` for this encoder, making it where there is none.

    Raises
    ------
    StoreError
        Where it is another encoder's, or the folder holds something else.
    """
    if not (root / _HEADER).exists():
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise StoreError(f"{root}: is there already and is not a store; give -o a new name")
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
        parts.write_aside(root / _HEADER, json.dumps(header, indent=1, ensure_ascii=False).encode())
    store = open_store(root)
    if store.encoder_sha256 != encoder.sha256:
        other = "another file of this name" if store.encoder == encoder.info.name else f"{store.encoder!r}"
        raise StoreError(
            f"{root}: was made by another encoder: found {other}, asked for {encoder.info.name!r}; "
            "one store holds one encoder, give -o a new name"
        )
    return store


def _spans(rows: Iterable[tuple[str, int]]) -> Iterator[Span]:
    """Join (unit, snippet) pairs that follow each other."""
    open_span: Span | None = None
    for number, (key, index) in enumerate(rows):
        if open_span and open_span.key == key and open_span.index + open_span.count == index:
            open_span = open_span._replace(count=open_span.count + 1)
            continue
        if open_span:
            yield open_span
        open_span = Span(key, index, number, 1)
    if open_span:
        yield open_span


def _groups(untidy: list[tuple[Part, list[tuple[str, int, int]]]]) -> Iterator[list[Any]]:
    """Share out parts to merge so that none of the results becomes large."""
    group: list[Any] = []
    size = 0
    for entry in untidy:
        if group and size + entry[0].size > MERGED_PART_BYTES:
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry[0].size
    if group:
        yield group


def _array(n: int, dim: int, memory_mb: float) -> NDArray[np.float32]:
    if n * dim * 4 <= memory_mb * 1e6:
        return np.empty((n, dim), np.float32)
    with tempfile.TemporaryFile(prefix="abxfast-") as scratch:  # goes with the last mapping of it
        scratch.truncate(n * dim * 4)
        return np.memmap(scratch, np.float32, "r+", shape=(n, dim))


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
