"""Numerical kernels: arrays in, arrays out.

`abx_counts` counts triplets exactly, with the marginals of each snippet or block, and `count_block_pairs` the marginals
of pairs of blocks; `estimate_scores` samples triplets; `sort_neighbours` and `count_relabelled` count them under many
labellings; `cap_per_group` draws a reproducible subsample. The kernels know nothing of files, labels or encoders.

Counting is in `abx_counting`; `cosine` has the error bounds.
"""

from abxfast.kernels.abx_counting import (
    AbxCounts,
    Marginals,
    PairConstraint,
    PairMarginals,
    RoleMarginals,
    abx_counts,
    count_block_pairs,
    expand_block_pairs,
    expand_blocks,
)
from abxfast.kernels.blas import one_blas_thread
from abxfast.kernels.cosine import TIE, unit_vectors
from abxfast.kernels.estimate import AbxEstimates, estimate_scores
from abxfast.kernels.jit import compiled
from abxfast.kernels.relabel import (
    LABELLINGS_PER_BATCH,
    ComparisonRules,
    NeighbourLists,
    count_relabelled,
    sort_neighbours,
)
from abxfast.kernels.subsample import cap_per_group, splitmix64_keys

__all__ = [
    "LABELLINGS_PER_BATCH",
    "TIE",
    "AbxCounts",
    "AbxEstimates",
    "ComparisonRules",
    "Marginals",
    "NeighbourLists",
    "PairConstraint",
    "PairMarginals",
    "RoleMarginals",
    "abx_counts",
    "cap_per_group",
    "compiled",
    "count_block_pairs",
    "count_relabelled",
    "estimate_scores",
    "expand_block_pairs",
    "expand_blocks",
    "one_blas_thread",
    "sort_neighbours",
    "splitmix64_keys",
    "unit_vectors",
]
