"""The scores of all pairs of one analysis as a square matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


class ResultKey(NamedTuple):
    """An analysis of a study: one experiment with one encoder, variant and snippet length.

    Attributes
    ----------
    experiment, encoder, variant : str
    snippet_s : float or None
        Length of the snippets in seconds; None for whole items.
    """

    experiment: str
    encoder: str
    variant: str
    snippet_s: float | None

    @property
    def length(self) -> str:
        """Length of the snippets in words."""
        return "whole items" if self.snippet_s is None else f"{self.snippet_s:g} s"


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of all pairs of values of ON.

    Attributes
    ----------
    key : ResultKey
    on : str
    names : tuple of str
        Values of ON, length n, in order of first appearance.
    score : ndarray of float64, shape (n, n)
        Row: A and X; column: B. NaN if the pair has no score. On the diagonal, the alternating-split baseline of
        each recording, NaN if it has no confidence interval.
    verdict : ndarray of str, shape (n, n)
        Verdict on the mean of both directions; symmetric, and empty without one.
    """

    key: ResultKey
    on: str
    names: tuple[str, ...]
    score: NDArray[np.float64]
    verdict: NDArray[np.str_]

    @property
    def symmetric(self) -> NDArray[np.float64]:
        """Mean of both directions, float64 of shape (n, n); NaN on the diagonal."""
        mean = (self.score + self.score.T) / 2
        np.fill_diagonal(mean, np.nan)
        return mean


def score_matrix(key: ResultKey, pairs: pa.Table, self_baselines: pa.Table | None) -> ScoreMatrix:
    """Build the score matrix of one analysis.

    Parameters
    ----------
    key : ResultKey
    pairs : pyarrow.Table
        Rows of the table ``pairs`` of this analysis, at least one.
    self_baselines : pyarrow.Table or None
        Rows of the table ``self_baselines`` of this analysis, for the diagonal. They are ignored unless ON is the
        recording.

    Returns
    -------
    ScoreMatrix
    """
    first, second = pairs["a"].to_pylist(), pairs["b"].to_pylist()
    names = tuple(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    index = {name: number for number, name in enumerate(names)}
    a, b = (np.array([index[name] for name in column], np.int64) for column in (first, second))
    score = np.full((len(names), len(names)), np.nan)
    verdict = np.full(score.shape, "", "<U12")
    score[a, b], score[b, a] = _floats(pairs, "score_ab"), _floats(pairs, "score_ba")
    verdict[a, b] = verdict[b, a] = pairs["verdict"].to_pylist()
    on = str(pairs["on"][0].as_py())
    if self_baselines is not None and on == "recording":
        has_interval = np.isfinite(_floats(self_baselines, "alternating_split_low"))
        baselines = np.where(has_interval, _floats(self_baselines, "alternating_split"), np.nan)
        for recording, baseline in zip(self_baselines["label"].to_pylist(), baselines, strict=True):
            if recording in index:
                score[index[recording], index[recording]] = baseline
    return ScoreMatrix(key, on, names, score, verdict)


def short_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names without what they all share: leading folders and the file suffix."""
    if len(names) < 2:  # noqa: PLR2004
        return names
    parts = [name.split("/") for name in names]
    n_shared = 0
    while all(len(part) > n_shared + 1 and part[n_shared] == parts[0][n_shared] for part in parts):
        n_shared += 1
    short = ["/".join(part[n_shared:]) for part in parts]
    suffix = re.search(r"\.[A-Za-z0-9]{1,5}$", short[0])
    if suffix and all(name.endswith(suffix.group()) and len(name) > len(suffix.group()) for name in short):
        short = [name[: -len(suffix.group())] for name in short]
    return tuple(short)


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in table[name].to_pylist()], np.float64)
