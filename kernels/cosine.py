"""Cosine distance: 1 − cos on float64 unit vectors, in [0, 2]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.jit import compiled, fma

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-12
"""Two distances that differ by at most this are a tie: what float64 can certify over thousands of terms."""
_LANES = 8
_CHUNK = 1 << 15  # numbers at a time, so that the steps between stay in cache


def unit_vectors(vectors: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale vectors to length 1.

    A zero vector stays zero, which puts it at distance 1 from everything, itself included.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        Finite. A float64 vector is first scaled by a power of two, which is exact, so neither 1e-300 nor 1e300 is lost
        in the squares. A vector's result depends on nothing but itself, to the last bit.

    Returns
    -------
    ndarray of float64, shape (n, dim)
    """
    unit = np.empty(vectors.shape, np.float64)
    step = max(1, _CHUNK // vectors.shape[1])
    for start in range(0, len(vectors), step):
        _scale(vectors[start : start + step], unit[start : start + step])
    return unit


def _scale(vectors: NDArray[np.float32] | NDArray[np.float64], unit: NDArray[np.float64]) -> None:
    if vectors.dtype == np.float32:  # no square of a float32 is lost in float64
        unit[:] = vectors
    else:
        largest = np.maximum(vectors.max(axis=1, keepdims=True), -vectors.min(axis=1, keepdims=True))
        exponent = -np.frexp(largest)[1]
        # In two steps, since 2 ** 1074 is not a float64.
        np.multiply(vectors, np.ldexp(1.0, exponent // 2), out=unit)
        unit *= np.ldexp(1.0, exponent - exponent // 2)
    # Pairwise along the row, whatever the number of rows; einsum and BLAS promise no such thing.
    length = np.sqrt(np.square(unit).sum(axis=1, keepdims=True))
    length[length == 0] = 1.0
    unit *= 1 / length  # a division of each number would take twice the time


def product_error(dim: int) -> float:
    """Bound the error of one float64 inner product of unit vectors, in whatever order its terms are added.

    |fl(x·y) − x·y| ≤ γ Σ|x_i·y_i| ≤ γ ‖x‖ ‖y‖ with γ = n·u / (1 − n·u) and u = 2⁻⁵³, with or without fused
    multiply-add: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 3.1. This is the worst
    case, not the probable one (Higham and Mary, 2019, SIAM J. Sci. Comput. 41(5), which has √n in place of n): in
    float64 the worst case at 4,096 terms is 4.5e-13, still below the tie band, so nothing has to be left to chance.

    Parameters
    ----------
    dim : int

    Returns
    -------
    float
    """
    # The norms of rounded unit vectors exceed 1 by at most (dim / 2 + 4)·u each.
    unit = 2.0**-53
    return dim * unit / (1 - dim * unit) * (1 + (dim / 2 + 4) * unit) ** 2


@compiled
def exact_products(x, others, high, low):  # type: ignore[no-untyped-def]
    """Give x·y for each row y of `others` as an unevaluated sum high + low, as if in twice float64's precision.

    Dot2 of Ogita, Rump and Oishi (2005, SIAM J. Sci. Comput. 26(6)), in a fixed number of lanes: the result is the same
    for x·y and y·x and does not depend on the machine; its error is about 1e-26 at thousands of terms.
    """
    sums, errors = np.empty(_LANES), np.empty(_LANES)
    dim = len(x)
    whole = dim - dim % _LANES
    for i in range(len(others)):
        for lane in range(_LANES):
            sums[lane] = errors[lane] = 0.0
        for k in range(0, dim, _LANES):
            for lane in range(_LANES if k < whole else dim - whole):
                product = x[k + lane] * others[i, k + lane]
                rest = fma(x[k + lane], others[i, k + lane], -product)  # type: ignore[call-arg, var-annotated]
                total = sums[lane] + product
                back = total - sums[lane]
                errors[lane] += (sums[lane] - (total - back)) + (product - back) + rest
                sums[lane] = total
        total, error = 0.0, 0.0
        for lane in range(_LANES):
            more = total + sums[lane]
            back = more - total
            error += (total - (more - back)) + (sums[lane] - back) + errors[lane]
            total = more
        high[i] = total + error
        low[i] = error - (high[i] - total)
