"""Score the snippets of a store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence  # noqa: TC003
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from abxfast.audio import parse_length
from abxfast.errors import StoreError, TaskError
from abxfast.manifest import read_manifest
from abxfast.scoring.embeddings import score_embeddings
from abxfast.scoring.labels import label_names
from abxfast.scoring.standardisation import check_standardisation
from abxfast.scoring.task import Task
from abxfast.store import Snippets, Store, open_store, warn_of_byte_copies

if TYPE_CHECKING:
    from abxfast.scoring.scores import AbxScores

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
    estimate: float | None = None,
    standardise: str | None = None,
) -> AbxScores:
    """Score the snippets of a store.

    Parameters
    ----------
    store : path
    snippet : float or str, optional
        Length in seconds, or ``"whole"``; needed only if the store holds several lengths.
    variant : str, optional
        Which vector of a snippet; by default, the encoder's default variant.
    manifest : path, optional
        Metadata to use in place of the store's own. Snippets of items that it lacks are left out.
    on, by, across, min_gap_s, different, max_size_group, max_x_across, seed, memory_mb, threads, marginals
        See `score_embeddings`. Labels are the metadata columns, and ``recording``, ``item``, ``start_s``, ``end_s``.
    estimate, standardise
        See `score_embeddings`.

    Returns
    -------
    AbxScores

    Raises
    ------
    StoreError
        If the store cannot be read, or lacks the snippet length, the variant or the items.
    TaskError
        See `score_embeddings`.

    Examples
    --------
    Score all pairs of the 12 recordings of a store:

    >>> from abxfast import score_store
    >>> scores = score_store("demo.store", snippet=1)
    >>> scores
    AbxScores('ON recording', cells=132, encoder='mfcc', variant='mfcc.max', snippet='1')

    Which two are the hardest to discriminate?

    >>> hardest = min(scores.table.to_pylist(), key=lambda cell: cell["score"])
    >>> hardest["recording"], hardest["recording_b"], round(hardest["score"], 2)
    ('recordings/vowels-back-1.wav', 'recordings/vowels-back-2.wav', 0.46)

    Score a column of the manifest instead, between different recordings only:

    >>> scores = score_store("demo.store", on="condition", by=["experiment"], different=["recording"])
    >>> scores.table.column_names
    ['condition', 'condition_b', 'experiment', 'score', 'wins2', 'triplets']
    """
    check_standardisation(standardise)
    chosen = choose_snippets(store, snippet, variant, manifest)
    snippets = chosen.store.read(chosen.length_s, chosen.variant, memory_mb=memory_mb, items=chosen.metadata.keys())
    names = (*Task(on, label_names(by), label_names(across)).labels, *label_names(different))
    if isinstance(marginals, str):
        names = (*names, marginals)
    scores = score_embeddings(
        snippets.embeddings,
        chosen.make_labels(snippets, names),
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
        estimate=estimate,
        standardise=standardise,
    )
    return chosen.with_source(scores)


class ChosenSnippets(NamedTuple):
    """Snippets of a store to be scored: their length, variant and metadata by item."""

    store: Store
    length_s: float | None
    variant: str
    metadata: Mapping[str, _ItemMetadata]

    def make_labels(self, snippets: Snippets, names: Sequence[str]) -> dict[str, Sequence[object]]:
        """Return the columns of the snippets themselves and the metadata columns `names`, one row per snippet."""
        return _make_labels(self.store, snippets, self.metadata, names)

    def with_source(self, scores: AbxScores) -> AbxScores:
        """Return scores that name encoder, variant and snippet length."""
        length = _format_length(self.length_s)
        return replace(scores, encoder=self.store.encoder, variant=self.variant, snippet=length)


def choose_snippets(
    store: str | Path, snippet: float | str | None, variant: str | None, manifest: str | Path | None
) -> ChosenSnippets:
    """Open a store and choose the snippets to score; see `score_store`."""
    opened = open_store(Path(store))
    length_s = choose_length(opened, snippet)
    variant = variant or opened.default_variant
    if variant not in opened.variants:
        raise StoreError(f"{opened.root}: no variant {variant!r}; there are: {', '.join(opened.variants)}")
    metadata = _stored_metadata(opened) if manifest is None else _manifest_metadata(opened, Path(manifest))
    warn_of_byte_copies(opened, metadata.keys())
    return ChosenSnippets(opened, length_s, variant, metadata)


def choose_length(store: Store, snippet: float | str | None) -> float | None:
    """Return the length in seconds to score; None for whole items."""
    lengths = store.lengths()
    known = ", ".join(map(_format_length, lengths))
    if not lengths:
        raise StoreError(f"{store.root}: holds no complete recording; run `abxfast.embed` again")
    if snippet is None:
        if len(lengths) > 1:
            raise StoreError(f"{store.root}: holds several snippet lengths; choose one in `snippet`: {known}")
        return lengths[0]
    try:
        length_s = parse_length(snippet)
    except TaskError as error:
        raise TaskError(f"`snippet`: found {snippet!r}, expected seconds above 0, or 'whole'") from error
    if length_s not in lengths:
        raise StoreError(f"{store.root}: no snippets of {snippet} s, there are: {known}; run `abxfast.embed` for them")
    return length_s


def _format_length(length_s: float | None) -> str:
    return "whole" if length_s is None else f"{length_s:g}"


class _ItemMetadata(NamedTuple):
    """The metadata of an item.

    Attributes
    ----------
    source : str
        File and row, for messages.
    values : mapping of str to str or None
        By column.
    """

    source: str
    values: Mapping[str, str | None]


def _stored_metadata(store: Store) -> dict[str, _ItemMetadata]:
    columns = store.metadata_columns()
    return {
        item: _ItemMetadata(f"{store.root}: {item}", {name: row.get(name) for name in columns})
        for item, row in store.manifest_rows().items()
    }


def _manifest_metadata(store: Store, path: Path) -> dict[str, _ItemMetadata]:
    """Return the metadata of a manifest by the store's items, matched by name, or else by audio file and stretch."""
    manifest = read_manifest(path, need_audio=False)
    stored = store.manifest_rows()
    folder = store.root.absolute().parent
    item_by_stretch = {
        ((folder / row["path"]).resolve(), row["start_s"], row["end_s"]): item for item, row in stored.items()
    }
    metadata: dict[str, _ItemMetadata] = {}
    for row in manifest.items:
        item: str | None = row.item
        if item not in stored:
            item = item_by_stretch.get((row.path.resolve(), row.start_s, row.end_s))
        if item is not None:
            metadata[item] = _ItemMetadata(row.origin, row.labels)
    if not metadata:
        raise StoreError(
            f"{path}: none of its {len(manifest.items)} rows is in {store.root}, which holds e.g. "
            f"{next(iter(stored), 'nothing')!r}, where the manifest has {manifest.items[0].item!r}; "
            "run `abxfast.embed` with this manifest"
        )
    if len(metadata) < len(manifest.items):
        logger.warning("%s: %d of its rows are not in %s", path, len(manifest.items) - len(metadata), store.root)
    return metadata


def _make_labels(
    store: Store, snippets: Snippets, metadata: Mapping[str, _ItemMetadata], names: Sequence[str]
) -> dict[str, Sequence[object]]:
    """Return the columns of the snippets themselves, and the metadata columns that are named; one row per snippet."""
    labels: dict[str, Sequence[object]] = {
        "recording": snippets.recordings,
        "item": snippets.items,
        "start_s": snippets.start_s.tolist(),
        "end_s": snippets.end_s.tolist(),
    }
    columns = dict.fromkeys((*labels, *(name for item in metadata.values() for name in item.values)))
    for name in names:
        if name in labels:
            continue
        if name not in columns:
            raise TaskError(f"{store.root}: no column {name!r}; there are: {', '.join(columns)}")
        for item in dict.fromkeys(snippets.items):
            if metadata[item].values.get(name) is None:
                raise TaskError(
                    f"{metadata[item].source}: no value in column {name!r}; fill it in, or leave the row out of "
                    "`manifest`"
                )
        labels[name] = [metadata[item].values[name] for item in snippets.items]
    return labels
