"""The simulated designs of the calibration: recordings, groups of recordings, turns within a recording, and tokens.

A constant dimension makes all cosines close to 1, as those of wav2vec 2.0 are. Replicates are made `CHUNK` at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from processes import DIM, PROCESSES

CHUNK, SNIPPET_S = 100, 10.0
OFFSET = 10.0
"""The constant dimension."""
GROUP_SNIPPETS = 12
"""Snippets per recording of a group."""


class Design(NamedTuple):
    """What is simulated.

    Attributes
    ----------
    kind : str
        ``pair``: two recordings of a process; one dimension is shifted in the second. ``unequal``: the same, and the
        second is a quarter as long. ``group``: two values of ON with `n` and `m` recordings, which have offsets of
        their own; one dimension is shifted for the second value. ``turns``: one recording of 240 snippets, in which two
        values of ON alternate in turns of `n`; one dimension is shifted for the second. ``tokens``: `n` syllables in
        two voices, ON syllable ACROSS voice, one token each, syllables drawn anew in each replicate. ``repeated``:
        likewise, with three tokens each and fixed syllables. ``list``: tokens as above, which each voice reads in the
        same order in one recording, with a trend over time.
    process : str
        Name of the process of the snippets (`processes.PROCESSES`); empty for groups and tokens.
    n : int
        Snippets per recording, recordings per value of ON, snippets per turn, or syllables.
    m : int
        Recordings of the second value of ON; 0 unless `kind` is ``group``.
    """

    kind: str
    process: str
    n: int
    m: int = 0


BEYOND = ("levels longer than the recording", "one slow dimension", "long memory, 0.35")
"""Processes whose changes no estimate from within a recording can see, found by a review."""
DESIGNS = [
    *(Design("pair", process, n) for process in ("white noise", "ρ = 0.5", "ρ = 0.8") for n in (60, 120, 360)),
    Design("pair", "slow component, 30%", 120),
    Design("pair", "slow component, 30%", 360),
    Design("pair", "slow component, 10%", 120),
    Design("pair", "slow component, 3%", 120),
    Design("pair", "very slow component, 5%", 120),
    Design("pair", "second order", 120),
    Design("pair", "one step", 120),
    Design("pair", "one step", 360),
    Design("pair", "one step, ρ = 0.5", 120),
    Design("pair", "changing levels", 120),
    Design("pair", "random walk", 120),
    *(Design("pair", process, 120) for process in BEYOND),
    Design("pair", "linear drift", 120),
    Design("pair", "max-pooled frames", 60),
    Design("pair", "max-pooled frames", 120),
    Design("pair", "heavy tails", 120),
    Design("pair", "bursts", 120),
    Design("pair", "overlapping", 120),
    Design("unequal", "ρ = 0.5", 240),
    *(Design("group", "", n, n) for n in (3, 4, 5, 6, 8, 16)),
    Design("group", "", 2, 8),
    Design("group", "", 5, 10),
    *(Design("turns", process, n) for process in ("ρ = 0.5", "slow component, 30%") for n in (60, 10)),
    *(Design("tokens", "", n) for n in (12, 20, 40)),
    *(Design("list", "", n) for n in (12, 40)),
    Design("repeated", "", 20),
]
_REFERENCES = {
    "pair": Design("pair", "white noise", 60),
    "group": Design("group", "", 8, 8),
    "tokens": Design("tokens", "", 20),
    "repeated": Design("repeated", "", 20),
}


def reference_of(design):
    """Return the design on which shifts are found that yield a given score."""
    kind = {"unequal": "pair", "turns": "pair", "list": "tokens"}.get(design.kind, design.kind)
    return _REFERENCES[kind]


class Replicates(NamedTuple):
    """A chunk of replicates of one design.

    Attributes
    ----------
    embeddings : ndarray of float32, shape (snippets, DIM + 1)
    replicate, on, recording : ndarray of int64, shape (snippets,)
        Values of ON and recordings differ between replicates, except those of tokens.
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
    make = {"pair": _make_pairs, "unequal": _make_pairs, "group": _make_groups, "turns": _make_turns}
    return make.get(design.kind, _make_tokens)(design, shift, np.random.default_rng(seed))


def _make_pairs(design, shift, random):
    n, n_recordings = design.n, 2 * CHUNK
    values = PROCESSES[design.process](random, n_recordings, n)
    values[1::2, :, 0] += shift
    recording = np.repeat(np.arange(n_recordings), n)
    start_s = np.tile(SNIPPET_S * np.arange(n), n_recordings)
    embeddings = _add_offset(values)
    if design.kind == "unequal":
        kept = (recording % 2 == 0) | (start_s < SNIPPET_S * n / 4)
        embeddings, recording, start_s = embeddings[kept], recording[kept], start_s[kept]
    return Replicates(embeddings, recording // 2, recording, recording, start_s, None, {})


def _make_groups(design, shift, random):
    size, n = design.n + design.m, GROUP_SNIPPETS
    values = random.standard_normal((CHUNK, size, n, DIM)) + 0.5 * random.standard_normal((CHUNK, size, 1, DIM))
    values[:, design.n :, :, 0] += shift
    recording = np.repeat(np.arange(CHUNK * size), n)
    start_s = np.tile(SNIPPET_S * np.arange(n), CHUNK * size)
    replicate = recording // size
    on = 2 * replicate + (recording % size >= design.n)
    return Replicates(_add_offset(values), replicate, on, recording, start_s, None, {"different": ("recording",)})


def _make_turns(design, shift, random):
    n = 240
    values = PROCESSES[design.process](random, CHUNK, n)
    second = np.arange(n) // design.n % 2
    values[:, :, 0] += shift * second
    recording = np.repeat(np.arange(CHUNK), n)
    start_s = np.tile(SNIPPET_S * np.arange(n), CHUNK)
    return Replicates(
        _add_offset(values), recording, 2 * recording + np.tile(second, CHUNK), recording, start_s, None, {}
    )


def _make_tokens(design, spread, random):
    n = design.n
    voices = np.random.default_rng(5).standard_normal((2, 1, DIM))
    if design.kind == "repeated":
        n_tokens, syllables = 3, np.random.default_rng(7).standard_normal((n, 1, 1, DIM))
    else:
        n_tokens, syllables = 1, random.standard_normal((CHUNK, n, 1, 1, DIM))
    values = spread * syllables + 0.7 * voices + random.standard_normal((CHUNK, n, 2, n_tokens, DIM))
    replicate, syllable, voice, _ = np.indices((CHUNK, n, 2, n_tokens)).reshape(4, -1)
    recording, start_s = np.arange(len(voice)), np.zeros(len(voice))
    if design.kind == "list":
        recording, start_s = 2 * replicate + voice, SNIPPET_S * syllable
        values[..., 0] += np.linspace(-1, 1, n)[:, None, None]
    return Replicates(_add_offset(values), replicate, syllable, recording, start_s, voice, {"across": ("voice",)})


def _add_offset(values):
    """Append the constant dimension: float32 ``(snippets, DIM + 1)``."""
    values = values.reshape(-1, DIM)
    return np.column_stack((values, np.full(len(values), OFFSET))).astype(np.float32)
