"""Numerical kernels: arrays in, arrays out. Nothing here knows of files or encoders."""

from abxfast.kernels.abx import abx_counts
from abxfast.kernels.cosine import TIE, unit_vectors

__all__ = ["TIE", "abx_counts", "unit_vectors"]
