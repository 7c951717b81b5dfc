"""Marginals of units against their definition, triplet by triplet."""

import itertools
from collections import Counter

import numpy as np
import reference

from abxfast import score_embeddings
from abxfast.statistics import sum_by_unit


def test_unit_marginals_count_each_triplet_once_for_each_role():
    random = np.random.default_rng(0)
    vectors = np.round(random.standard_normal((14, 3)), 1)
    on, unit = np.arange(14) % 3, random.integers(0, 5, 14)
    scores = score_embeddings(vectors, {"on": on}, on="on", marginals=True)
    marginals = sum_by_unit(scores.marginals, unit)
    d = reference.distances(vectors)
    wins2, triplets = Counter(), Counter()
    columns = (scores.table[name].to_pylist() for name in ("on", "on_b"))
    for cell, (value, value_b) in enumerate(zip(*columns, strict=True)):
        same, other = np.flatnonzero(on == value).tolist(), np.flatnonzero(on == value_b).tolist()
        for x, a, b in itertools.product(same, same, other):
            if a != x:
                difference = d[b, x] - d[a, x]
                for member in (x, a, b):
                    wins2[cell, unit[member]] += 2 * (difference > reference.TIE) + (abs(difference) <= reference.TIE)
                    triplets[cell, unit[member]] += 1
    keys = sorted(triplets)
    assert list(zip(marginals.cell.tolist(), marginals.unit.tolist(), strict=True)) == keys
    assert marginals.wins2.tolist() == [wins2[key] for key in keys]
    assert marginals.triplets.tolist() == [triplets[key] for key in keys]
    for name in ("wins2", "triplets"):
        total = np.bincount(marginals.cell, getattr(marginals, name))
        assert (total == 3 * scores.table[name].to_numpy()).all()
