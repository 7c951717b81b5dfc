"""Numerical kernels: arrays in, arrays out. Nothing here knows of files or encoders."""

from abxfast.kernels.abx import AbxCounts, abx_counts
from abxfast.kernels.cosine import TIE, unit_vectors
from abxfast.kernels.marginals import Marginals, Share
from abxfast.kernels.sorted_distances import Apart
from abxfast.kernels.subsample import choose, keys

__all__ = ["TIE", "AbxCounts", "Apart", "Marginals", "Share", "abx_counts", "choose", "keys", "unit_vectors"]
