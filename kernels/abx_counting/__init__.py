"""Exact ABX counts by rank.

`abx_counts` lays out the cells (layout), divides all inner products into tiles and goes through them (tiling, sweep,
products), sorts the distances of each x to its own set A (sorted_distances), looks every b up in them (lookup,
counting), and repeats comparisons that float64 leaves undecided in twice the precision (near_ties).
`count_block_pairs` counts by pairs of blocks, which takes longer.
"""

from abxfast.kernels.abx_counting.abx import AbxCounts, abx_counts
from abxfast.kernels.abx_counting.marginals import Marginals, RoleMarginals, expand_blocks
from abxfast.kernels.abx_counting.pair_constraint import PairConstraint
from abxfast.kernels.abx_counting.pair_marginals import PairMarginals, count_block_pairs, expand_block_pairs

__all__ = [
    "AbxCounts",
    "Marginals",
    "PairConstraint",
    "PairMarginals",
    "RoleMarginals",
    "abx_counts",
    "count_block_pairs",
    "expand_block_pairs",
    "expand_blocks",
]
