"""ABX scores of a store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence  # noqa: TC003
from pathlib import Path
from typing import NamedTuple

from abxfast.audio import parse_length
from abxfast.errors import StoreError, TaskError
from abxfast.manifest import read_manifest
from abxfast.scoring.embeddings import score_embeddings
from abxfast.scoring.scores import AbxScores
from abxfast.scoring.task import Task, label_names
from abxfast.store import Snippets, Store, open_store

logger = logging.getLogger(__name__)


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
    names = (*Task(on, label_names(by), label_names(across)).labels, *label_names(different))
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
        scores.marginals,
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
