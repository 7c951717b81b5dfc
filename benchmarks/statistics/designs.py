"""The simulated designs of the calibration: pairs of recordings, groups of recordings, and tokens of syllables.

Snippets are first-order autocorrelated in `DIM` dimensions, plus a constant that makes all cosines close to 1, as those
of wav2vec 2.0 are. Replicates are made `CHUNK` at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

DIM, CHUNK, SNIPPET_S = 20, 100, 10.0
OFFSET = 10.0
"""The constant dimension."""
GROUP_SNIPPETS = 12
"""Snippets per recording of a group."""


class Design(NamedTuple):
    """What is simulated.

    Attributes
    ----------
    kind : str
        ``pair``: two recordings, one dimension shifted in the second. ``group``: two values of ON with several
        recordings each, which have offsets of their own; one dimension is shifted for the second value. ``tokens``:
        syllables in two voices, ON syllable ACROSS voice, one token each, syllables drawn anew in each replicate.
        ``repeated``: likewise, with three tokens each and fixed syllables.
    correlation : float
        Lag-one correlation ρ of the snippets; 0 unless `kind` is ``pair``.
    n : int
        Snippets per recording, recordings per value of ON, or syllables.
    """

    kind: str
    correlation: float
    n: int


PAIRS = [(0.0, 60), (0.0, 120), (0.0, 360), (0.5, 60), (0.5, 120), (0.5, 360), (0.8, 360), (0.8, 60), (0.8, 120)]
"""The last two are too short for an interval."""
DESIGNS = [
    *(Design("pair", correlation, n) for correlation, n in PAIRS),
    *(Design("group", 0.0, n) for n in (5, 8, 16)),
    *(Design("tokens", 0.0, n) for n in (10, 20, 40)),
    Design("repeated", 0.0, 20),
]
REFERENCES = {
    "pair": Design("pair", 0.0, 60),
    "group": Design("group", 0.0, 8),
    "tokens": Design("tokens", 0.0, 20),
    "repeated": Design("repeated", 0.0, 20),
}
"""The design of each kind on which shifts are found that yield a given score."""


class Replicates(NamedTuple):
    """A chunk of replicates of one design.

    Attributes
    ----------
    embeddings : ndarray of float32, shape (snippets, DIM + 1)
    replicate, on, recording : ndarray of int64, shape (snippets,)
        ON is the recording, the half of the recordings, or the syllable, each token of which is a recording.
    start_s : ndarray of float64, shape (snippets,)
    voice : ndarray of int64, shape (snippets,), or None
        The values of ACROSS.
    task : dict
        Further options of `abxfast.score_embeddings`.
    """

    embeddings: np.ndarray
    replicate: np.ndarray
    on: np.ndarray
    recording: np.ndarray
    start_s: np.ndarray
    voice: np.ndarray | None
    task: dict[str, Any]


def make_replicates(design, shift, seed):
    """Make a chunk of replicates; `shift` is the shift of one dimension, or the spread of the syllables."""
    make = {"pair": _make_pairs, "group": _make_groups, "tokens": _make_tokens, "repeated": _make_tokens}[design.kind]
    return make(design, shift, np.random.default_rng(seed))


def _make_pairs(design, shift, random):
    n, n_recordings = design.n, 2 * CHUNK
    values = _autocorrelated(random, n_recordings, n, design.correlation)
    values[1::2, :, 0] += shift
    recording = np.repeat(np.arange(n_recordings), n)
    start_s = np.tile(SNIPPET_S * np.arange(n), n_recordings)
    return Replicates(_add_offset(values), recording // 2, recording, recording, start_s, None, {})


def _make_groups(design, shift, random):
    size, n, n_recordings = design.n, GROUP_SNIPPETS, CHUNK * 2 * design.n
    values = random.standard_normal((CHUNK, 2, size, n, DIM)) + 0.5 * random.standard_normal((CHUNK, 2, size, 1, DIM))
    values[:, 1, :, :, 0] += shift
    recording = np.repeat(np.arange(n_recordings), n)
    start_s = np.tile(SNIPPET_S * np.arange(n), n_recordings)
    task = {"different": ("recording",)}
    return Replicates(_add_offset(values), recording // (2 * size), recording // size, recording, start_s, None, task)


def _make_tokens(design, spread, random):
    n = design.n
    voices = np.random.default_rng(5).standard_normal((2, 1, DIM))
    if design.kind == "tokens":
        n_tokens, syllables = 1, random.standard_normal((CHUNK, n, 1, 1, DIM))
    else:
        n_tokens, syllables = 3, np.random.default_rng(7).standard_normal((n, 1, 1, DIM))
    values = spread * syllables + 0.7 * voices + random.standard_normal((CHUNK, n, 2, n_tokens, DIM))
    replicate, syllable, voice, _ = np.indices((CHUNK, n, 2, n_tokens)).reshape(4, -1)
    recording, start_s = np.arange(len(voice)), np.zeros(len(voice))
    return Replicates(_add_offset(values), replicate, syllable, recording, start_s, voice, {"across": ("voice",)})


def _autocorrelated(random, n_series, n, correlation):
    """Return first-order autocorrelated series of unit variance, ``(n_series, n, DIM)``."""
    innovations = random.standard_normal((n, n_series, DIM))
    series = innovations.copy()
    for t in range(1, n):
        series[t] = correlation * series[t - 1] + np.sqrt(1 - correlation**2) * innovations[t]
    return series.transpose(1, 0, 2)


def _add_offset(values):
    """Append the constant dimension: float32 ``(snippets, DIM + 1)``."""
    values = values.reshape(-1, DIM)
    return np.column_stack((values, np.full(len(values), OFFSET))).astype(np.float32)
