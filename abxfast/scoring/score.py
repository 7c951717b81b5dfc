"""ABX scores of vectors, and of a store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence  # noqa: TC003
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast.audio.snippets import parse_length
from abxfast.errors import StoreError, TaskError
from abxfast.kernels import abx_counts
from abxfast.manifest.table import read as read_manifest
from abxfast.scoring.marginals import make_blocks, share_tables
from abxfast.scoring.pair_constraints import Constraint, make_apart, warn_if_helped
from abxfast.scoring.task import Cells, Task, make_cells
from abxfast.store.store import Snippets, Store, open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import AbxCounts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AbxScores:
    """Scores of a task, cell by cell.

    Attributes
    ----------
    task : Task
    table : pyarrow.Table
        One row a cell: ON and ``ON_b``, BY, ACROSS and ``ACROSS_x``; then ``score`` float64 (null where the cell has
        no triplet), ``wins2`` int64 (2 · wins + ties) and ``triplets`` int64.
    encoder, variant, snippet : str or None
        Where the vectors came from, if they came from a store.
    shares : dict of str to pyarrow.Table, or None
        For each role, ``"x"``, ``"a"`` and ``"b"``, what each snippet or block won: see `share_tables`.
    """

    task: Task
    table: pa.Table
    encoder: str | None = None
    variant: str | None = None
    snippet: str | None = None
    shares: dict[str, pa.Table] | None = None


def score_embeddings(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    labels: Mapping[str, Sequence[object]] | pa.Table,
    *,
    on: str,
    by: Sequence[str] = (),
    across: Sequence[str] = (),
    min_gap_s: float = 0.0,
    different: Sequence[str] = (),
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
    memory_mb: float = 512,
    threads: int | None = None,
    marginals: bool | str = False,
) -> AbxScores:
    """Score vectors under an ABX task, exactly: every triplet counts.

    The score of a cell is the share of its triplets (a, b, x) with d(a, x) < d(b, x), ties counted one half (Schatz et
    al. 2013), where d is the cosine distance 1 − cos of the vectors, in float64, and two distances that differ by at
    most 1e-12 are a tie. A zero vector is at distance 1 from everything.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        One vector a snippet.
    labels : mapping of str to sequence, or pyarrow.Table
        Columns of length n.
    on, by, across : str, sequences of str
        The label that A and X share and B lacks; labels that all share; labels in which X differs from A and B.
    min_gap_s : float
        Compare a and x of one recording only where they lie at least as many seconds apart, to the microsecond; needs
        the labels ``recording``, ``start_s`` and ``end_s``.
    different : sequence of str
        Compare a and x only where they differ in each of these labels.
    max_size_group, max_x_across, seed : int, optional
        Subsampling as in ZeroSpeech: see `make_cells`.
    marginals : bool or str
        Ask for `AbxScores.shares`, snippet by snippet (True), or block by block for a label that names the blocks.
    memory_mb : float
        Bound on the memory taken beyond the embeddings, the result and the list of cells.
    threads : int, optional
        Threads to count with; all unless given. No effect on the counts.

    Returns
    -------
    AbxScores

    Raises
    ------
    TypeError
        Where `embeddings` is not float32 or float64.
    TaskError
        Where a label is missing, has a single value, or a vector is not finite.
    """
    embeddings = _checked(embeddings)
    task = Task(on, _names(by), _names(across))
    for name, count in (("max_size_group", max_size_group), ("max_x_across", max_x_across), ("threads", threads)):
        if count is not None and (count != int(count) or count < 1):
            raise TaskError(f"{name} is {count}, expected a whole number, at least 1")
    if not 0 < memory_mb < np.inf:
        raise TaskError(f"memory_mb is {memory_mb}, expected megabytes, more than 0")
    cells = make_cells(task, labels, max_size_group=max_size_group, max_x_across=max_x_across, seed=seed)
    constraint = Constraint(min_gap_s, _names(different))
    apart = make_apart(constraint, labels, len(embeddings))
    n_labels = len(labels[on])
    if n_labels != len(embeddings):
        raise TaskError(f"labels have {n_labels} rows, embeddings {len(embeddings)}")
    warn_if_helped(task, constraint, labels, cells)
    blocks = make_blocks(marginals, labels, cells) if marginals else None
    counts = abx_counts(
        embeddings,
        cells.rows,
        cells.bounds,
        cells.groups,
        apart=apart,
        blocks=None if blocks is None else blocks.slots,
        memory_mb=memory_mb,
        threads=threads,
    )
    shares = None if blocks is None or counts.marginals is None else share_tables(blocks, cells, counts.marginals)
    _warn_of_unscorable(cells, counts, task)
    return AbxScores(task, _with_scores(cells, counts), shares=shares)


def score_store(
    store: str | Path,
    *,
    snippet: float | str | None = None,
    variant: str | None = None,
    manifest: str | Path | None = None,
    on: str = "recording",
    by: Sequence[str] = (),
    across: Sequence[str] = (),
    min_gap_s: float = 0.0,
    different: Sequence[str] = (),
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
    memory_mb: float = 512,
    threads: int | None = None,
    marginals: bool | str = False,
) -> AbxScores:
    """Score the snippets of a store.

    Parameters
    ----------
    store : path
    snippet : float or str, optional
        Length in seconds, or ``"whole"``; may be left out where the store holds a single one.
    variant : str, optional
        The encoder's default unless given.
    manifest : path, optional
        Metadata to use in place of the store's own; items that it leaves out are left out.
    on, by, across, min_gap_s, different, max_size_group, max_x_across, seed, memory_mb, threads, marginals
        See `score_embeddings`. Labels are the metadata columns, and ``recording``, ``item``, ``start_s``, ``end_s``.

    Returns
    -------
    AbxScores

    Raises
    ------
    StoreError
        Where the store cannot be read, or does not hold what is asked for.
    TaskError
        See `score_embeddings`.
    """
    opened = open_store(Path(store))
    length_s = _length(opened, snippet)
    chosen = variant or opened.default_variant
    if chosen not in opened.variants:
        raise StoreError(f"{opened.root}: no variant {chosen!r}; there are: {', '.join(opened.variants)}")
    rows = _stored_rows(opened) if manifest is None else _manifest_rows(opened, Path(manifest))
    snippets = opened.read(length_s, chosen, memory_mb=memory_mb, items=rows.keys())
    names = (*Task(on, _names(by), _names(across)).labels, *_names(different))
    if isinstance(marginals, str):
        names = (*names, marginals)
    scores = score_embeddings(
        snippets.embeddings,
        _labels(opened, snippets, rows, names),
        on=on,
        by=by,
        across=across,
        min_gap_s=min_gap_s,
        different=different,
        max_size_group=max_size_group,
        max_x_across=max_x_across,
        seed=seed,
        memory_mb=memory_mb,
        threads=threads,
        marginals=marginals,
    )
    return AbxScores(
        scores.task,
        scores.table,
        opened.encoder,
        chosen,
        "whole" if length_s is None else f"{length_s:g}",
        scores.shares,
    )


def _checked(embeddings: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32] | NDArray[np.float64]:
    plain = isinstance(embeddings, np.ndarray) and not isinstance(embeddings, np.ma.MaskedArray)
    if not plain or embeddings.dtype not in (np.float32, np.float64):
        found = embeddings.dtype if plain else type(embeddings).__name__
        raise TypeError(f"embeddings are {found}, expected a numpy array of float32 or float64")
    if embeddings.ndim != 2 or embeddings.shape[1] == 0:  # noqa: PLR2004
        raise TaskError(f"embeddings have shape {embeddings.shape}, expected (n, dim)")
    step = max(1, (1 << 22) // embeddings.shape[1])
    for start in range(0, len(embeddings), step):
        finite = np.isfinite(embeddings[start : start + step]).all(axis=1)
        if not finite.all():
            raise TaskError(f"embeddings: row {start + int(np.argmin(finite))} holds NaN or infinity; leave it out")
    return embeddings


def _names(labels: Sequence[str]) -> tuple[str, ...]:
    return (labels,) if isinstance(labels, str) else tuple(labels)


def _warn_of_unscorable(cells: Cells, counts: AbxCounts, task: Task) -> None:
    empty = cells.table.filter(pa.array(counts.triplets == 0))
    if empty.num_rows:
        values = list(dict.fromkeys(str(value) for value in empty[task.on].to_pylist()))
        logger.warning(
            "%d cell(s) cannot be scored, as no a is left that is not x (a single snippet, or a constraint): %s%s",
            empty.num_rows,
            ", ".join(values[:5]),
            f" and {len(values) - 5} more" if len(values) > 5 else "",  # noqa: PLR2004
        )


def _with_scores(cells: Cells, counts: AbxCounts) -> pa.Table:
    scorable = counts.triplets > 0
    score = np.divide(counts.wins2, 2 * counts.triplets, where=scorable, out=np.zeros(len(scorable)))
    return (
        cells.table.append_column("score", pa.array(score, mask=~scorable))
        .append_column("wins2", pa.array(counts.wins2))
        .append_column("triplets", pa.array(counts.triplets))
    )


def _length(store: Store, snippet: float | str | None) -> float | None:
    lengths = store.lengths()
    there = ", ".join("whole" if length is None else f"{length:g}" for length in lengths)
    if not lengths:
        raise StoreError(f"{store.root}: holds no finished recording; run abxfast embed again")
    if snippet is None:
        if len(lengths) > 1:
            raise StoreError(f"{store.root}: holds several snippet lengths; say which: --snippet {there}")
        return lengths[0]
    length_s = parse_length(snippet)
    if length_s not in lengths:
        raise StoreError(f"{store.root}: no snippets of {snippet} s, there are: {there}; embed them first")
    return length_s


class _Row(NamedTuple):
    """The metadata of an item, and where they stand."""

    origin: str
    labels: Mapping[str, str | None]


def _stored_rows(store: Store) -> dict[str, _Row]:
    columns = store.metadata_columns()
    return {
        item: _Row(f"{store.root}: {item}", {name: row.get(name) for name in columns})
        for item, row in store.rows().items()
    }


def _manifest_rows(store: Store, path: Path) -> dict[str, _Row]:
    """Give the rows of a manifest by the store's item: matched by item, else by the audio file and stretch."""
    manifest = read_manifest(path, need_audio=False)
    stored = store.rows()
    base = store.root.absolute().parent
    by_file = {((base / row["path"]).resolve(), row["start_s"], row["end_s"]): item for item, row in stored.items()}
    found: dict[str, _Row] = {}
    for item in manifest.items:
        name: str | None = item.item
        if name not in stored:
            name = by_file.get((item.path.resolve(), item.start_s, item.end_s))
        if name is not None:
            found[name] = _Row(item.origin, item.labels)
    if not found:
        raise StoreError(
            f"{path}: none of its {len(manifest.items)} rows is in {store.root}, which holds e.g. "
            f"{next(iter(stored), 'nothing')!r}, where the manifest has {manifest.items[0].item!r}; "
            "embed with this manifest"
        )
    if len(found) < len(manifest.items):
        logger.warning("%s: %d of its rows are not in %s", path, len(manifest.items) - len(found), store.root)
    return found


def _labels(
    store: Store, snippets: Snippets, rows: Mapping[str, _Row], names: Sequence[str]
) -> dict[str, Sequence[object]]:
    """Make the columns that the task and its constraints need, as long as the snippets."""
    own: dict[str, Sequence[object]] = {
        "recording": snippets.recordings,
        "item": snippets.items,
        "start_s": snippets.start_s.tolist(),
        "end_s": snippets.end_s.tolist(),
    }
    metadata = [name for name in dict.fromkeys(name for row in rows.values() for name in row.labels) if name not in own]
    labels = dict(own)
    for name in names:
        if name in own:
            continue
        if name not in metadata:
            raise TaskError(f"{store.root}: no column {name!r}; there are: {', '.join((*own, *metadata))}")
        for item in dict.fromkeys(snippets.items):
            if rows[item].labels.get(name) is None:
                raise TaskError(
                    f"{rows[item].origin}: no value in column {name!r}; fill it in, or leave the row out of --manifest"
                )
        labels[name] = [rows[item].labels[name] for item in snippets.items]
    return labels
