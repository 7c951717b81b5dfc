"""Exact ABX counts by rank.

`abx_counts` lays out the cells (layout), divides all inner products into tiles and goes through them (tiling, sweep,
products), sorts the distances of each x to its own set A (sorted_distances), looks every b up in them (lookup,
counting), and repeats comparisons that float64 leaves undecided in twice the precision (near_ties).
"""

from abxfast.kernels.abx_counting.abx import AbxCounts, abx_counts
from abxfast.kernels.abx_counting.marginals import Marginals, RoleMarginals, expand_blocks
from abxfast.kernels.abx_counting.pair_constraint import PairConstraint

__all__ = ["AbxCounts", "Marginals", "PairConstraint", "RoleMarginals", "abx_counts", "expand_blocks"]
