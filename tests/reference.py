"""What the counts must be: triplet by triplet, in float64. Imports nothing of ours."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np

TIE = 1e-12
EDGE = 4e-15


def unit(vectors):
    """Scale to length 1, each by its largest magnitude first; zero stays zero."""
    out = np.array(vectors, np.float64)
    for row in out:
        largest = np.abs(row).max()
        if largest > 0:
            row *= 2.0 ** -(math.frexp(largest)[1] // 2)  # 2 ** 1074 is not a float64
            row *= 2.0 ** -math.frexp(np.abs(row).max())[1]
            row /= math.sqrt(math.fsum(row * row))
    return out


def distances(vectors):
    """Return all cosine distances, 1 − cos."""
    vectors = unit(vectors)
    return 1.0 - vectors @ vectors.T


def counts(d, a_rows, b_rows, x_rows, allowed=lambda _a, _x: True):
    """Count one cell: 2 · wins + ties, triplets, and how many lie on the edge of the tie band."""
    wins2 = triplets = edge = 0
    for x in x_rows:
        for a in a_rows:
            if a == x or not allowed(a, x):
                continue
            for b in b_rows:
                gap = d[b, x] - d[a, x]
                triplets += 1
                edge += abs(abs(gap) - TIE) <= EDGE
                wins2 += 2 if gap > TIE else abs(gap) <= TIE
    return wins2, triplets, edge


def marginals(d, a_rows, b_rows, x_rows, allowed=lambda _a, _x: True):
    """Count what each snippet wins as x, as a and as b."""
    of_x, of_a, of_b = (np.zeros(len(rows), np.int64) for rows in (x_rows, a_rows, b_rows))
    for i, x in enumerate(x_rows):
        for j, a in enumerate(a_rows):
            if a == x or not allowed(a, x):
                continue
            for k, b in enumerate(b_rows):
                gap = d[b, x] - d[a, x]
                won = 2 if gap > TIE else int(abs(gap) <= TIE)
                of_x[i] += won
                of_a[j] += won
                of_b[k] += won
    return of_x, of_a, of_b


def score(vectors, labels, on, by=(), across=()):
    """Return ``{cell: (wins2, triplets)}``; a cell is ON, ON of B, BY …, then ACROSS and ACROSS of X in turn."""
    d = distances(vectors)
    cells = defaultdict(lambda: [0, 0])
    for a, b, x in itertools.product(range(len(vectors)), repeat=3):
        if a == x or labels[on][a] != labels[on][x] or labels[on][b] == labels[on][x]:
            continue
        if any(len({labels[name][a], labels[name][b], labels[name][x]}) > 1 for name in by):
            continue
        if any(labels[name][a] != labels[name][b] or labels[name][a] == labels[name][x] for name in across):
            continue
        pairs = [value for name in across for value in (labels[name][a], labels[name][x])]
        cell = cells[labels[on][a], labels[on][b], *(labels[name][a] for name in by), *pairs]
        gap = d[b, x] - d[a, x]
        cell[0] += 2 if gap > TIE else int(abs(gap) <= TIE)
        cell[1] += 1
    return {key: tuple(value) for key, value in cells.items()}
