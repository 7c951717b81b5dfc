"""The recordings of a store that are closest to one of them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast.errors import StoreError, TaskError
from abxfast.kernels import abx_counts, estimate_scores, unit_vectors
from abxfast.scoring.embeddings import check_standard_error
from abxfast.scoring.labels import encode_label
from abxfast.scoring.standardisation import check_standardisation, standardise_vectors
from abxfast.scoring.stores import choose_length
from abxfast.store import open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.store import Snippets

_ROWS_PER_STEP = 4096


def nearest_recordings(
    store: str | Path,
    recording: str,
    *,
    k: int = 10,
    order: str = "score",
    snippet: float | str | None = None,
    variant: str | None = None,
    standardise: str | None = None,
    estimate: float | None = None,
    seed: int = 0,
    memory_mb: float = 512,
    threads: int | None = None,
) -> pa.Table:
    """Find the recordings that are hardest to discriminate from one, or whose vectors are nearest to its own.

    The time grows with the snippets of the store, not with their square. Recordings of a single snippet, which have no
    score, are left out.

    Parameters
    ----------
    store : path
    recording : str
        Its name in the store, or the last part of it, if no other name ends with that.
    k : int, default 10
        Number of recordings to return.
    order : {"score", "distance"}
        What counts as near. By distance, only the recordings returned are scored.
    snippet, variant, standardise, estimate, seed, memory_mb, threads
        See `score_store`.

    Returns
    -------
    pyarrow.Table
        The nearest first: ``recording``; ``score``, the mean of both directions; ``score_from``, in which A and X are
        of the recording asked for; ``score_to``, in which B is; ``distance``, the mean cosine distance between snippets
        of one and the other. Estimated scores have a ``standard_error``, that of ``score``.

    Raises
    ------
    StoreError
        If the store cannot be read, or lacks the snippet length, the variant or the recording.
    TaskError
        If an option is out of its range, or the store has no other recording to compare with.

    Examples
    --------
    >>> from abxfast import nearest_recordings
    >>> nearest = nearest_recordings("demo.store", "recordings/vowels-back-1.wav", snippet=1, k=3)
    >>> for row in nearest.to_pylist():
    ...     print(f"{row['recording']}: {row['score']:.2f}")
    recordings/vowels-back-2.wav: 0.50
    recordings/voice-high-2.wav: 0.76
    recordings/voice-high-1.wav: 0.78
    """
    if k < 1:
        raise TaskError(f"`k`: found {k}, expected a whole number, at least 1")
    if order not in {"score", "distance"}:
        raise TaskError(f"`order`: found {order!r}, expected 'score' or 'distance'")
    check_standardisation(standardise)
    if estimate is not None:
        check_standard_error(estimate)
    opened = open_store(Path(store))
    variant = variant or opened.default_variant
    snippets = opened.read(choose_length(opened, snippet), variant, memory_mb=memory_mb)
    embeddings: NDArray[np.float32] | NDArray[np.float64] = snippets.embeddings
    if standardise is not None:
        embeddings = standardise_vectors(embeddings, standardise, memory_mb=memory_mb)
    groups = _group_by_recording(snippets)
    query = _find_recording(opened.root, recording, groups.names)
    distances = _mean_distances(embeddings, groups, query)
    others = np.flatnonzero((np.diff(groups.bounds) > 1) & (np.arange(len(groups.names)) != query))
    if groups.bounds[query + 1] - groups.bounds[query] < 2 or not len(others):  # noqa: PLR2004
        raise TaskError(
            f"{opened.root}: {recording} and another recording need two snippets of this length each; "
            "embed shorter ones"
        )
    if order == "distance":
        others = others[np.argsort(distances[others], kind="stable")][:k]
    here = np.full_like(others, query)
    cells = np.concatenate((np.stack((here, others, here), axis=1), np.stack((others, here, others), axis=1)))
    arguments = embeddings, groups.rows, groups.bounds, cells
    if estimate is None:
        counts = abx_counts(*arguments, memory_mb=memory_mb, threads=threads)
        score, error = counts.wins2 / (2 * counts.triplets), None
    else:
        score, error, *_ = estimate_scores(*arguments, estimate, seed=seed, memory_mb=memory_mb, threads=threads)
    score_from, score_to = np.split(score, 2)
    mean = (score_from + score_to) / 2
    columns = {"score": mean, "score_from": score_from, "score_to": score_to, "distance": distances[others]}
    if error is not None:
        columns["standard_error"] = np.hypot(*np.split(error, 2)) / 2
    chosen = np.argsort(columns[order], kind="stable")[:k]
    names = pa.array([groups.names[other] for other in others[chosen]])
    return pa.table({"recording": names, **{name: column[chosen] for name, column in columns.items()}})


class _Groups(NamedTuple):
    """Snippets by recording: those of ``names[g]`` are ``rows[bounds[g]:bounds[g + 1]]``."""

    names: list[str]
    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]


def _group_by_recording(snippets: Snippets) -> _Groups:
    codes, names = encode_label("recording", {"recording": snippets.recordings})
    rows = np.argsort(codes, kind="stable").astype(np.int64)
    return _Groups(names.to_pylist(), rows, np.searchsorted(codes[rows], np.arange(len(names) + 1)).astype(np.int64))


def _find_recording(root: Path, recording: str, names: list[str]) -> int:
    matches = [recording] if recording in names else [name for name in names if name.endswith(f"/{recording}")]
    if len(matches) == 1:
        return names.index(matches[0])
    if matches:
        raise StoreError(f"{root}: several recordings are called {recording!r}: {', '.join(matches[:3])}")
    similar = difflib.get_close_matches(recording, names, n=3, cutoff=0.5) or names[:3]
    raise StoreError(
        f"{root}: no recording {recording!r} with snippets of this length; there are {len(names)}, "
        f"such as {', '.join(similar)}"
    )


def _mean_distances(
    embeddings: NDArray[np.float32] | NDArray[np.float64], groups: _Groups, query: int
) -> NDArray[np.float64]:
    """Return the mean cosine distance between the snippets of a recording and those of each other one.

    It is 1 minus the product of their mean unit vectors.
    """
    means = np.zeros((len(groups.names), embeddings.shape[1]))
    for group in range(len(groups.names)):
        rows = groups.rows[groups.bounds[group] : groups.bounds[group + 1]]
        for start in range(0, len(rows), _ROWS_PER_STEP):
            means[group] += unit_vectors(embeddings[rows[start : start + _ROWS_PER_STEP]]).sum(axis=0)
        means[group] /= len(rows)
    distances: NDArray[np.float64] = 1 - means @ means[query]
    return distances
