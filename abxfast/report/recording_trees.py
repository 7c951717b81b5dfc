"""Trees of the values of ON, and their files in a results folder: Newick and NEXUS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast._files import write_atomic
from abxfast.report.file_index import TREES_FOLDER, file_stem, indexed_files, write_index
from abxfast.results import read_results, score_matrix
from abxfast.statistics import UNDECIDABLE
from abxfast.trees import Tree, average_linkage, dissimilarity, neighbour_joining, to_newick, to_nexus

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.results import ResultKey, ScoreMatrix

_MIN_LEAVES = 3
_MIN_SHARE_SCORED = 0.5
"""Share of pairs with a score below which neither map nor tree is made: under BY, most pairs may have none."""


@dataclass(frozen=True)
class RecordingTrees:
    """The trees of one matrix.

    Attributes
    ----------
    names : tuple of str, length n
    distance : ndarray of float64, shape (n, n)
        See `abxfast.trees.dissimilarity`.
    trees : dict of str to Tree
        ``average_linkage`` and ``neighbour_joining``.
    n_pairs, n_undecidable, n_missing : int
        Number of pairs; of those that cannot be judged; and of those without a score, whose distance is the mean of the
        others.
    """

    names: tuple[str, ...]
    distance: NDArray[np.float64]
    trees: dict[str, Tree]
    n_pairs: int
    n_undecidable: int
    n_missing: int

    def describe(self) -> str:
        """Return what the distances are, and which pairs they include, in sentences."""
        text = (
            "Distance: the mean score of both directions less 0.5; 0 if it is lower. "
            f"{_count(self.n_undecidable, self.n_pairs)} cannot be judged and {_is(self.n_undecidable)} included all "
            "the same."
            if self.n_undecidable
            else "Distance: the mean score of both directions less 0.5; 0 if it is lower."
        )
        if self.n_missing:
            text += f" {_count(self.n_missing, self.n_pairs)} without a score {_has(self.n_missing)} the mean distance."
        return text


def _count(n: int, total: int) -> str:
    return f"{n:,} of {total:,} pair{'s' * (total != 1)}"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def _has(n: int) -> str:
    return "has" if n == 1 else "have"


def is_scored_enough(symmetric: NDArray[np.float64]) -> bool:
    """Return whether a matrix has enough names, and scores, for a map or a tree.

    Parameters
    ----------
    symmetric : ndarray of float64, shape (n, n)
        NaN where a pair has no score.
    """
    n = len(symmetric)
    return n >= _MIN_LEAVES and bool(np.isfinite(symmetric).sum() / (n * (n - 1)) >= _MIN_SHARE_SCORED)


def make_trees(matrix: ScoreMatrix) -> RecordingTrees | None:
    """Return the trees of a matrix; None if it has too few names or scores."""
    symmetric = matrix.symmetric
    if not is_scored_enough(symmetric):
        return None
    distance = dissimilarity(symmetric)
    pairs = np.triu_indices(len(distance), 1)
    scored = np.isfinite(symmetric[pairs])
    return RecordingTrees(
        matrix.names,
        distance,
        {"average_linkage": average_linkage(distance), "neighbour_joining": neighbour_joining(distance)},
        n_pairs=len(scored),
        n_undecidable=int((scored & (matrix.verdict[pairs] == UNDECIDABLE)).sum()),
        n_missing=int((~scored).sum()),
    )


def write_tree_files(results_folder: Path) -> list[Path]:
    """Write the trees of a results folder, see `abxfast.report.write_trees`."""
    results = read_results(results_folder)
    folder = results_folder / TREES_FOLDER
    previous = indexed_files(results_folder, TREES_FOLDER)
    paths: list[Path] = []
    entries = []
    stems: set[str] = set()
    for key, pairs in results.shown("pairs").items():
        made = make_trees(score_matrix(key, pairs, None))
        if made is None:
            continue
        length = "whole" if key.snippet_s is None else f"{key.snippet_s:g}s"
        stem = file_stem((key.experiment, key.encoder, length), stems)
        texts = {f"{stem}.nex": to_nexus(made.trees, made.names, made.distance, comment=_comment(key, made))}
        texts |= {f"{stem}-{name}.nwk": f"{to_newick(tree, made.names)}\n" for name, tree in made.trees.items()}
        for name, text in texts.items():
            write_atomic(folder / name, text.encode("utf-8", "replace"))
            paths.append(folder / name)
        entries.append({"name": stem, "files": list(texts), "view": key})
    index = [write_index(results_folder, TREES_FOLDER, entries)] if entries or previous else []
    for name in previous - {path.name for path in paths}:
        (folder / name).unlink(missing_ok=True)
    return [*paths, *index]


def _comment(key: ResultKey, made: RecordingTrees) -> str:
    return f"{key.experiment}, {key.encoder} {key.variant}, {key.length}. {made.describe()}"
