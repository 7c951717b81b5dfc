"""ABX from its definition: a float64 loop over triplets that imports nothing of abxfast."""

import itertools
import math
from collections import defaultdict

TIE = 1e-12


def distance(u, v):
    """1 − cos; 1 where a vector is zero."""
    u, v = ([float(value) for value in w] for w in (u, v))
    scale_u, scale_v = (max((abs(value) for value in w), default=0.0) for w in (u, v))
    if scale_u == 0 or scale_v == 0:
        return 1.0
    u, v = [value / scale_u for value in u], [value / scale_v for value in v]
    length = math.sqrt(math.fsum(value * value for value in u) * math.fsum(value * value for value in v))
    return 1.0 - math.fsum(x * y for x, y in zip(u, v, strict=True)) / length


def score(vectors, labels, on, by=(), across=()):
    """Give ``{cell: (wins2, triplets)}``; a cell is ON, ON of B, BY …, then ACROSS and ACROSS of X in turn."""
    n = len(vectors)
    d = [[distance(vectors[i], vectors[j]) for j in range(n)] for i in range(n)]
    cells = defaultdict(lambda: [0, 0])
    for a, b, x in itertools.product(range(n), repeat=3):
        if a == x or labels[on][a] != labels[on][x] or labels[on][b] == labels[on][x]:
            continue
        if any(len({labels[name][a], labels[name][b], labels[name][x]}) > 1 for name in by):
            continue
        if any(labels[name][a] != labels[name][b] or labels[name][a] == labels[name][x] for name in across):
            continue
        pairs = [value for name in across for value in (labels[name][a], labels[name][x])]
        cell = cells[labels[on][a], labels[on][b], *(labels[name][a] for name in by), *pairs]
        gap = d[b][x] - d[a][x]
        cell[0] += 2 if gap > TIE else 1 if gap >= -TIE else 0
        cell[1] += 1
    return {key: tuple(value) for key, value in cells.items()}
