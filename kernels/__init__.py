"""Numerical kernels: arrays in, arrays out.

Exact ABX counts over very large sets of triplets, the marginals that say what each snippet contributed, counts under
many relabellings, and a seeded subsample. Nothing here knows of files, labels or encoders.
"""

from abxfast.kernels.abx import AbxCounts, abx_counts
from abxfast.kernels.blas import one_blas_thread
from abxfast.kernels.cosine import TIE, unit_vectors
from abxfast.kernels.jit import compiled
from abxfast.kernels.marginals import Marginals, RoleMarginals, expand_blocks
from abxfast.kernels.relabel import (
    LABELLINGS_PER_BATCH,
    ComparisonRules,
    NeighbourLists,
    count_relabelled,
    sort_neighbours,
)
from abxfast.kernels.sorted_distances import PairConstraint
from abxfast.kernels.subsample import cap_per_group, splitmix64_keys

__all__ = [
    "LABELLINGS_PER_BATCH",
    "TIE",
    "AbxCounts",
    "ComparisonRules",
    "Marginals",
    "NeighbourLists",
    "PairConstraint",
    "RoleMarginals",
    "abx_counts",
    "cap_per_group",
    "compiled",
    "count_relabelled",
    "expand_blocks",
    "one_blas_thread",
    "sort_neighbours",
    "splitmix64_keys",
    "unit_vectors",
]
